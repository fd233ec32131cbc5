//! `exeat keys`: arguments and output. They work on the store, so that there is a first key.

use clap::{Args, Subcommand};
use gate::{GateError, RefusalKind};
use model::{KeyId, PrincipalId, Role, Time, WorkspaceId};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::json;
use store::Store;

use super::{moment, store_access};
use crate::client::Key;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, clean, now};

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

/// Runs the command on the configured store, which is made and migrated when it is not there.
///
/// `workspace` is the one named by the flag and by nothing else: a variable of the environment must
/// not quietly narrow a key that was meant for all workspaces.
///
/// # Errors
/// See [`Failure`].
pub async fn run(command: Command, config: &Config, workspace: Option<&str>, output: Output) -> Result<Exit, Failure> {
    let workspace = store_access::workspace(workspace)?;
    let store = store_access::open(config, true).await?;
    match command {
        Command::Create(args) => create(&store, args, workspace, output).await?,
        Command::List(args) => list(&store, &args, workspace.as_ref(), output).await?,
        Command::Revoke(args) => {
            let id = KeyId::parse(&args.key_id).map_err(|_| unknown(&args.key_id))?;
            gate::revoke_key(&store, &id).await.map_err(|error| gate_failure(&error))?;
            show_revoked(output, &args.key_id)?;
        }
    }
    store.drained().await;
    Ok(Exit::Ok)
}

async fn create(
    store: &Store,
    args: CreateArgs,
    workspace: Option<WorkspaceId>,
    output: Output,
) -> Result<(), Failure> {
    let principal_id = args
        .principal
        .map(|text| PrincipalId::parse(&text))
        .transpose()
        .map_err(|error| Failure::usage("--principal cannot be used").why(error.to_string()))?;
    let expires_at = args
        .expires
        .map(|text| Time::parse(&text))
        .transpose()
        .map_err(|error| Failure::usage("--expires cannot be used").why(error.to_string()))?;
    let new = gate::NewKey { workspace_id: workspace, role: args.role, principal_id, expires_at };
    let made = gate::create_key(store, new).await.map_err(|error| gate_failure(&error))?;
    let key = Key::parse(made.key.expose_secret())
        .ok_or_else(|| Failure::new(Exit::Failure, "internal", "the key that was made cannot be shown"))?;
    let created = KeyCreated {
        key_id: made.key_id.into_string(),
        key,
        role: made.role,
        workspace_id: made.workspace_id.map(WorkspaceId::into_string),
        principal_id: made.principal_id.into_string(),
    };
    show_created(output, &created)
}

async fn list(store: &Store, args: &ListArgs, workspace: Option<&WorkspaceId>, output: Output) -> Result<(), Failure> {
    let now = now();
    let rows = store.keys(workspace).await.map_err(|error| store_access::db_failure(&error))?;
    let keys: Vec<KeyListed> = rows
        .into_iter()
        .filter(|row| args.all || (row.revoked_at.is_none() && row.expires_at.is_none_or(|at| at > now)))
        .map(|row| KeyListed {
            key_id: row.key_id.into_string(),
            role: row.role,
            workspace_id: row.workspace_id.map(WorkspaceId::into_string),
            principal_id: row.principal_id.into_string(),
            created_at: row.created_at.to_string(),
            expires_at: row.expires_at.map(|at| at.to_string()),
            revoked_at: row.revoked_at.map(|at| at.to_string()),
        })
        .collect();
    show_list(output, &keys)
}

fn unknown(key_id: &str) -> Failure {
    Failure::new(Exit::NotFound, "key_not_found", format!("there is no key `{}`", clean(key_id)))
        .next("exeat keys list")
}

/// What a refusal of the gate means on the command line.
pub(crate) fn gate_failure(error: &GateError) -> Failure {
    match error {
        GateError::Refused(refusal) => {
            let exit = match refusal.kind {
                RefusalKind::Invalid => Exit::Usage,
                RefusalKind::NotFound => Exit::NotFound,
                RefusalKind::Conflict | RefusalKind::PreconditionFailed | RefusalKind::PreconditionRequired => {
                    Exit::Conflict
                }
                RefusalKind::Unprocessable => Exit::Failure,
                RefusalKind::Forbidden => Exit::NotAuthorised,
            };
            Failure::new(exit, refusal.code, refusal.detail.clone())
        }
        GateError::Unavailable(error) | GateError::Failed(error) => store_access::db_failure(error),
        other => Failure::new(Exit::Failure, "failed", other.to_string()),
    }
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
