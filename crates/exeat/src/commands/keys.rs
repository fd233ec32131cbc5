//! `exeat keys`: arguments and output. They work on the store, so that there is a first key.

use clap::{Args, Subcommand};
use model::Role;
use serde::Serialize;
use serde_json::json;

use super::moment;
use crate::client::Key;
use crate::failure::Failure;
use crate::output::{Output, Table, clean};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat keys create --role operator --json\n  exeat keys create --role agent --workspace ws_team --principal ID --expires 30d\n  exeat keys list\n  exeat keys revoke KEY_ID"
)]
pub enum Command {
    /// Make a key; it is shown once
    Create(CreateArgs),
    /// List keys, without their secrets
    List(ListArgs),
    /// Revoke a key at once
    Revoke(RevokeArgs),
}

/// The new key. The workspace is the global `--workspace`; without it the key is for all.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What it is for: owner, operator, approver, gateway, agent, worker or auditor
    #[arg(long, value_parser = role)]
    pub role: Role,
    /// Bind it to this principal; without it one is made
    #[arg(long, value_name = "PRINCIPAL_ID")]
    pub principal: Option<String>,
    /// When it ends: `30d`, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::future)]
    pub expires: Option<String>,
}

/// Which keys. The workspace is the global `--workspace`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also those that are revoked or expired
    #[arg(long)]
    pub all: bool,
}

/// Which key.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// Its id
    pub key_id: String,
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| {
        format!("expected one of {}", Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "))
    })
}

/// A key just made.
#[derive(Debug, Clone, Serialize)]
pub struct KeyCreated {
    /// Its id, for `revoke`.
    pub key_id: String,
    /// The key itself.
    pub key: Key,
    /// Its role.
    pub role: Role,
    /// Its workspace; none is all.
    pub workspace_id: Option<String>,
    /// Its principal.
    pub principal_id: String,
}

/// A key as it is listed.
#[derive(Debug, Clone, Serialize)]
pub struct KeyListed {
    /// Its id.
    pub key_id: String,
    /// Its role.
    pub role: Role,
    /// Its workspace; none is all.
    pub workspace_id: Option<String>,
    /// Its principal.
    pub principal_id: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// Shows a new key: the key alone on standard output, the rest beside it.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_created(output: Output, key: &KeyCreated) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&json!(key));
    }
    output.line(key.key.expose())?;
    let workspace = key
        .workspace_id
        .as_deref()
        .map_or_else(|| "all workspaces".to_owned(), |id| format!("workspace {}", clean(id)));
    output.say(&format!(
        "made {} key {} for {workspace}, principal {}; it cannot be shown again",
        key.role,
        clean(&key.key_id),
        clean(&key.principal_id)
    ));
    output.say(&format!(
        "use: EXEAT_KEY, or a file named in EXEAT_KEY_FILE   undo: exeat keys revoke {}",
        clean(&key.key_id)
    ));
    Ok(())
}

/// Shows a list of keys.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_list(output: Output, keys: &[KeyListed]) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&json!({ "keys": keys }));
    }
    let mut table = Table::new(&["key", "role", "workspace", "principal", "state"]);
    for key in keys {
        let state = match (&key.revoked_at, &key.expires_at) {
            (Some(at), _) => format!("revoked {}", clean(at)),
            (None, Some(at)) => format!("until {}", clean(at)),
            (None, None) => "live".to_owned(),
        };
        let workspace = key.workspace_id.as_deref().map_or_else(|| "(all)".to_owned(), clean);
        table.row([clean(&key.key_id), key.role.to_string(), workspace, clean(&key.principal_id), state]);
    }
    output.table(table, "no keys; make one with `exeat keys create --role owner`")
}

/// Shows that a key was revoked.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_revoked(output: Output, key_id: &str) -> Result<(), Failure> {
    output.answer(&json!({ "key_id": key_id, "revoked": true }), |output, _| {
        output.line(&format!("revoked {}", clean(key_id)))?;
        output.say("it is refused from the next request on; this cannot be undone");
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_a_new_key_has_exactly_the_members_scripts_rely_on() {
        let key = KeyCreated {
            key_id: "k1".into(),
            key: Key::parse("exk_k1_s").unwrap(),
            role: Role::Owner,
            workspace_id: None,
            principal_id: "p1".into(),
        };
        insta::assert_snapshot!(json!(key), @r#"{"key":"exk_k1_s","key_id":"k1","principal_id":"p1","role":"owner","workspace_id":null}"#);
    }

    #[test]
    fn an_unknown_role_lists_the_known_ones() {
        assert_eq!(role("auditor"), Ok(Role::Auditor));
        assert!(role("root").unwrap_err().contains("owner, operator"));
    }
}
