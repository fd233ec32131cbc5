//! `exeat capabilities`: what principals may do, as tokens that can be narrowed and taken back.

mod attenuate;
mod tree;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::wire::{body, list, text};
use super::{App, moment};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field, opt};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat capabilities grant --to PRINCIPAL --by PRINCIPAL --domain '*.example.com' --action external.write --for 8h\n  exeat capabilities attenuate --token-file token --domain api.example.com --uses 3 --for 10m\n  exeat capabilities tree\n  exeat capabilities revoke TOKEN --reason \"job done\""
)]
pub enum Command {
    /// Grant a token, or delegate from one with --parent
    Grant(GrantArgs),
    /// Make a narrower token from one you hold, without asking the server
    Attenuate(attenuate::AttenuateArgs),
    /// List tokens
    List(FilterArgs),
    /// Revoke a token and everything delegated from it
    Revoke(RevokeArgs),
    /// Show who delegated what to whom
    Tree(FilterArgs),
}

/// What to grant.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The principal that gets it
    #[arg(long, value_name = "PRINCIPAL_ID")]
    to: String,
    /// The principal that gives it
    #[arg(long, value_name = "PRINCIPAL_ID")]
    by: String,
    /// Delegate from this token; never wider than it
    #[arg(long, value_name = "TOKEN_ID")]
    parent: Option<String>,
    #[command(flatten)]
    lists: ListArgs,
    /// How long it holds: `8h`, or until a time
    #[arg(long = "for", value_name = "SPAN", value_parser = moment::future)]
    until: Option<String>,
    /// Print the token itself, and not its id, for whoever is to log in with it
    #[arg(long)]
    bearer: bool,
}

/// What a token covers.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// A room, or `*`; may be repeated
    #[arg(long = "room", value_name = "ROOM_ID")]
    rooms: Vec<String>,
    /// A tool, or `*`; may be repeated
    #[arg(long = "tool", value_name = "NAME")]
    tools: Vec<String>,
    /// A domain, `*.suffix`, or `*`; may be repeated
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// An action, or `*`; may be repeated
    #[arg(long = "action", value_name = "NAME")]
    actions: Vec<String>,
    /// Data that may be read, for example resource_type:document; may be repeated
    #[arg(long = "data-read", value_name = "DATA")]
    data_read: Vec<String>,
    /// Data that may be written; may be repeated
    #[arg(long = "data-write", value_name = "DATA")]
    data_write: Vec<String>,
}

/// Whose tokens.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only of this principal
    #[arg(long, value_name = "PRINCIPAL_ID")]
    principal: Option<String>,
}

/// Which token.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The token's id
    token_id: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    match command {
        Command::Attenuate(args) => return attenuate::run(args, app),
        Command::Grant(args) => {
            let bearer = args.bearer;
            let answer = app.client()?.create(&["v1", "capabilities", "grant"], &grant(args)).await?;
            app.output.answer(&answer, |output, answer| {
                let (id, token) = (field(answer, "token_id"), field(answer, "token"));
                output.line(if bearer { &token } else { &id })?;
                output.say(&format!("granted; undo: exeat capabilities revoke {id}"));
                if !bearer {
                    output.say(&format!("to log in with it (a secret, shown this once): {token}"));
                }
                Ok(())
            })?;
        }
        Command::List(args) => {
            let answer = app.client()?.get(&["v1", "capabilities"], &[("principal_id", args.principal)]).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Revoke(RevokeArgs { token_id, reason }) => {
            let answer = app
                .client()?
                .post(
                    &["v1", "capabilities", "revoke"],
                    &body([("token_id", Some(json!(token_id))), ("reason", text(reason))]),
                )
                .await?;
            app.output.answer(&answer, |output, answer| {
                let already = answer.get("already_revoked") == Some(&Value::Bool(true));
                let told = if already {
                    "was revoked already"
                } else {
                    "revoked, with everything delegated from it; this cannot be undone"
                };
                output.line(&format!("{token_id} {told}"))
            })?;
        }
        Command::Tree(args) => {
            let (client, query) = (app.client()?, [("principal_id", args.principal)]);
            let tokens = client.get(&["v1", "capabilities"], &query).await?;
            let edges = client.get(&["v1", "capabilities", "delegations"], &query).await?;
            let both = json!({ "tokens": list(&tokens, "tokens"), "edges": list(&edges, "edges") });
            app.output.answer(&both, tree::show)?;
        }
    }
    Ok(Exit::Ok)
}

fn grant(args: GrantArgs) -> Value {
    let mut scopes = Map::new();
    let lists = [
        ("rooms", args.lists.rooms),
        ("tools", args.lists.tools),
        ("egress_domains", args.lists.domains),
        ("action_types", args.lists.actions),
    ];
    scopes.extend(
        lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name.to_owned(), json!(list))),
    );
    let data: Map<String, Value> = [("read", args.lists.data_read), ("write", args.lists.data_write)]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| (name.to_owned(), json!(list)))
        .collect();
    if !data.is_empty() {
        scopes.insert("data_access".to_owned(), Value::Object(data));
    }
    body([
        ("issued_to_principal_id", Some(json!(args.to))),
        ("granted_by_principal_id", Some(json!(args.by))),
        ("parent_token_id", text(args.parent)),
        ("scopes", Some(Value::Object(scopes))),
        ("valid_until", text(args.until)),
    ])
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["token", "to", "covers", "until", "state"]);
    for token in list(answer, "tokens") {
        table.row([
            field(token, "token_id"),
            field(token, "issued_to_principal_id"),
            covers(token),
            output.when(token, "valid_until"),
            state(token),
        ]);
    }
    output.table(table, "no tokens")
}

fn state(token: &Value) -> String {
    if opt(token, "revoked_at").is_some() { "revoked".to_owned() } else { "live".to_owned() }
}

/// The scopes in a line: `egress_domains: *.example.com; tools: *`.
fn covers(token: &Value) -> String {
    let Some(scopes) = token.get("scopes").filter(|scopes| scopes.is_object()) else { return "-".to_owned() };
    let lists = ["rooms", "tools", "egress_domains", "action_types"].map(|name| (name.to_owned(), opt(scopes, name)));
    let data = scopes.get("data_access").unwrap_or(&Value::Null);
    let data = ["read", "write"].map(|name| (format!("data {name}"), opt(data, name)));
    let parts: Vec<String> = lists
        .into_iter()
        .chain(data)
        .filter_map(|(name, list)| Some(format!("{name}: {}", list.filter(|list| !list.is_empty())?)))
        .collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}
