//! The life of a policy set, on both stores.

mod candidate;
mod diff;
mod folder;
mod load;
mod publish;
mod stored;
mod versions;
mod why;

use gate::policies::{Expect, FileInput, PublishInput, Published};
use gate::{AuthorizeInput, AuthorizeOutput, Caller, Gate, GateError};
use serde_json::json;

/// A set of one file.
pub(crate) fn set(text: &str) -> PublishInput {
    files(&[("main.toml", text)])
}

pub(crate) fn files(named: &[(&str, &str)]) -> PublishInput {
    PublishInput { files: Some(inputs(named)), note: None, take_over: false }
}

pub(crate) fn inputs(named: &[(&str, &str)]) -> Vec<FileInput> {
    named.iter().map(|(name, text)| FileInput { name: (*name).to_owned(), text: (*text).to_owned() }).collect()
}

/// One rule about a host.
pub(crate) fn rule(effect: &str, id: &str, host: &str) -> String {
    format!("[[{effect}]]\nid = \"{id}\"\nhost = \"{host}\"\n")
}

pub(crate) async fn publish(gate: &Gate, caller: &Caller, text: &str, expect: Expect) -> Result<Published, GateError> {
    gate.publish_policies(caller, set(text), expect).await
}

/// Asks to leave for a host, as the caller itself, on the newest policy.
pub(crate) async fn ask(gate: &Gate, caller: &Caller, host: &str) -> AuthorizeOutput {
    let caller = gate.fresh(caller.clone()).await.unwrap();
    let context = json!({"egress": {"target_url": format!("https://{host}/a"), "method": "GET"}});
    let input = AuthorizeInput {
        category: Some("egress".to_owned()),
        action: Some("internal.read".to_owned()),
        context: Some(context),
        ..AuthorizeInput::default()
    };
    gate.authorize(&caller, input).await.unwrap()
}
