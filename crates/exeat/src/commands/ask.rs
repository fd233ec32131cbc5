//! For whom something is asked, and where: the flags that all asks share.

use clap::Args;
use serde_json::Value;

use super::page;
use super::wire::{object, set};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::field;

/// Who asks, and where. Without any of it the key's own principal asks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Who asks")]
pub(super) struct AskArgs {
    /// Ask as this agent: its id, or its name
    #[arg(long, value_name = "AGENT", conflicts_with_all = ["principal", "actor"])]
    agent: Option<String>,
    /// Ask as this principal
    #[arg(long, value_name = "PRINCIPAL_ID")]
    principal: Option<String>,
    /// Ask as this actor, for example user:anna
    #[arg(long, value_name = "TYPE:ID", value_parser = actor)]
    actor: Option<(String, String)>,
    /// Show this capability token
    #[arg(long, value_name = "TOKEN_ID")]
    capability: Option<String>,
    /// The zone: sandbox, supervised or high_stakes
    #[arg(long, value_parser = ["sandbox", "supervised", "high_stakes"])]
    zone: Option<String>,
    /// In this room
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
    /// In this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// In this step
    #[arg(long, value_name = "STEP_ID")]
    step: Option<String>,
}

/// The agent with this id, else the only one with this name that is not revoked.
pub(super) async fn found(client: &Client, agent: &str) -> Result<Value, Failure> {
    let missing = match client.get(&["v1", "agents", agent], &[]).await {
        Ok(answer) => return Ok(object(&answer, "agent").clone()),
        Err(failure) if failure.exit == Exit::NotFound => failure,
        Err(failure) => return Err(failure),
    };
    let named =
        |each: &&Value| field(each, "display_name") == agent && each.get("revoked_at").is_none_or(Value::is_null);
    let all = page::all(client, &["v1", "agents"], None, "agents").await?;
    let mut named = all.iter().filter(named);
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(_), Some(_)) => Err(Failure::usage(format!("several agents are called `{agent}`"))
            .next("name one by its id: exeat agents list")),
        (None, _) => Err(missing.next("exeat agents list")),
    }
}

fn actor(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((kind @ ("service" | "user" | "agent"), id)) if !id.is_empty() => Ok((kind.to_owned(), id.to_owned())),
        _ => Err("expected service:ID, user:ID or agent:ID".to_owned()),
    }
}

impl AskArgs {
    /// Adds what is set to the body of an ask. An agent is looked up, because the gate wants its
    /// principal too.
    pub(super) async fn add_to(self, body: &mut Value, client: &Client) -> Result<(), Failure> {
        if let Some(agent) = &self.agent {
            let agent = found(client, agent).await?;
            set(body, "actor_type", "agent");
            set(body, "actor_id", field(&agent, "agent_id"));
            set(body, "principal_id", field(&agent, "principal_id"));
        }
        if let Some((kind, id)) = self.actor {
            set(body, "actor_type", kind);
            set(body, "actor_id", id);
        }
        let others = [
            ("principal_id", self.principal),
            ("capability_token_id", self.capability),
            ("zone", self.zone),
            ("room_id", self.room),
            ("run_id", self.run),
            ("step_id", self.step),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                set(body, name, value);
            }
        }
        Ok(())
    }
}
