//! A gate inside this process: on a store in memory that ends with it. It decides when there is no server, and
//! beside a server it says what the command may ask that server for.

use std::fmt::Write as _;

use gate::agents::RegisterAgentInput;
use gate::{Caller, Gate, InstallSecret};
use model::{Mode, PrincipalId, WorkspaceId};
use policy::Defaults;
use rules::Source;
use store::{Location, Store, StoreConfig};

use super::amounts::Allowed;
use crate::commands::{gate_failure, store_access};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;

/// The workspace that everything here happens in.
const WORKSPACE: &str = "ws_exec";
/// Who asks when no agent is named.
const AGENT: &str = "exec";
/// What its asks are called in logs.
const REQUEST: &str = "exec";

/// What the command may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    /// These, and nothing else.
    Only(&'a [Allowed]),
    /// Anything: somebody else decides.
    Anything,
}

/// The gate, and who asks it.
pub(super) struct LocalGate {
    pub(super) gate: Gate,
    pub(super) caller: Caller,
}

impl LocalGate {
    /// Opens it.
    ///
    /// # Errors
    /// No store can be made.
    pub(super) async fn open(
        scope: Scope<'_>,
        agent: Option<&str>,
        zone: Option<&str>,
        config: &Config,
    ) -> Result<Self, Failure> {
        let defaults = Defaults {
            mode: Mode::Enforce,
            kill_switch: false,
            egress_max_requests_per_hour: 0,
            trusted_upstreams: config.egress.trusted_upstreams.clone(),
        };
        let store = Store::open(StoreConfig::new(Location::Memory, defaults)).await;
        let store = store.map_err(|error| store_access::open_failure(&error))?;
        let gate = Gate::new(store, secret(config)?);
        let workspace = WorkspaceId::from_stored(WORKSPACE.to_owned());
        let inside = gate.inside(workspace.clone(), PrincipalId::new(), REQUEST);
        let name = agent.unwrap_or(AGENT).to_owned();
        let input = RegisterAgentInput { display_name: Some(name), zone_max: zone.map(str::to_owned) };
        let text = rules(scope);
        let agent = gate.register_agent(&inside, input, None).await.map_err(|error| gate_failure(&error))?;
        if !text.is_empty() {
            let file = Source { name: "exec.toml".to_owned(), text };
            gate.publish_folder(&workspace, vec![file]).await.map_err(|error| gate_failure(&error))?;
        }
        let caller = gate.inside(workspace, agent.value.principal_id, REQUEST);
        Ok(Self { gate, caller })
    }

    /// Finishes what waits to be recorded.
    pub(super) async fn close(self) {
        self.gate.flush_logs().await;
        self.gate.store().drained().await;
    }
}

/// The secret of this install, so that the same attempt has the same digest every time; where none can be kept,
/// one that ends with this process.
fn secret(config: &Config) -> Result<InstallSecret, Failure> {
    InstallSecret::load_or_create(&config.hmac_key_file).or_else(|_| InstallSecret::ephemeral()).map_err(|error| {
        Failure::new(Exit::Failure, "install_secret", "no install secret can be made").why(error.to_string())
    })
}

/// The rules that let out what `scope` names.
///
/// A place with a port of its own may be spoken to in any protocol; without one it is HTTP and HTTPS on their
/// usual ports.
fn rules(scope: Scope<'_>) -> String {
    let mut text = String::new();
    let mut rule = |id: usize, host: &str, port: Option<&str>, opaque: bool| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "[[allow]]\nid = \"exec-{id}\"\nhost = {}", rules::write::text(host));
        if let Some(port) = port {
            let _ = writeln!(text, "port = {port}");
        }
        if opaque {
            text.push_str("tunnel = \"opaque\"\n");
        }
        text.push('\n');
    };
    match scope {
        Scope::Only(places) => {
            for (number, place) in places.iter().enumerate() {
                match place.port {
                    None => rule(number * 2, &place.host, None, false),
                    Some(port) => {
                        let port = port.to_string();
                        rule(number * 2, &place.host, Some(&port), false);
                        rule(number * 2 + 1, &place.host, Some(&port), true);
                    }
                }
            }
        }
        Scope::Anything => {
            rule(0, "*", Some("\"*\""), false);
            rule(1, "*", Some("\"*\""), true);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_becomes_a_rule_that_loads() {
        let places =
            ["a.example", "*.b.example", "c.example:22"].map(|text| super::super::amounts::allowed(text).unwrap());
        for (scope, want) in [(Scope::Only(&places), 4), (Scope::Only(&[]), 0), (Scope::Anything, 2)] {
            let text = rules(scope);
            let loaded = rules::load(&[Source { name: "exec.toml".to_owned(), text: text.clone() }]).unwrap();
            assert_eq!(loaded.set.rules.len(), want, "{text}");
        }
    }
}
