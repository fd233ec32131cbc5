//! How far a yes reaches. The ids come from the approval itself, so nobody copies them by hand.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::super::wire::set;
use crate::failure::Failure;
use crate::output::{field, opt};

/// How far a yes reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Reach {
    /// The one request or run it was raised for
    Once,
    /// Everything alike in its run
    Run,
    /// Everything alike in its room
    Room,
    /// Everything alike to its host, in the workspace
    Host,
    /// Everything alike in the workspace
    Workspace,
}

/// The scope to decide with: the approval's own, reaching as far as `reach`. What it is bound to
/// (domain, port, method, principal, tool) stays.
pub(super) fn decided(approval: &Value, reach: Reach) -> Result<Value, Failure> {
    let own = approval.get("scope").filter(|scope| scope.is_object());
    let id_of = |name: &str| opt(approval, name).or_else(|| own.and_then(|scope| opt(scope, name)));
    let domain = own.and_then(|scope| opt(scope, "target_domain"));
    let mut scope = base(reach, id_of("room_id").as_deref(), id_of("run_id").as_deref(), domain.as_deref())?;
    for name in ["target_domain", "port", "method", "principal_id", "tool_name"] {
        if let Some(value) = own.and_then(|scope| scope.get(name)).filter(|value| !value.is_null()) {
            set(&mut scope, name, value.clone());
        }
    }
    Ok(scope)
}

/// The scope to ask for.
pub(super) fn asked_for(
    reach: Reach,
    room: Option<&str>,
    run: Option<&str>,
    domain: Option<&str>,
) -> Result<Value, Failure> {
    let mut scope = base(reach, room, run, domain)?;
    if let Some(domain) = domain {
        set(&mut scope, "target_domain", domain);
    }
    Ok(scope)
}

fn base(reach: Reach, room: Option<&str>, run: Option<&str>, domain: Option<&str>) -> Result<Value, Failure> {
    let lacks = |what: &str| {
        Failure::usage(format!("it has no {what}, so it cannot be for the whole {what}"))
            .next("choose another --scope: once or workspace")
    };
    let mut scope = match reach {
        Reach::Once => json!({ "type": "once" }),
        Reach::Run => json!({ "type": "run", "run_id": run.ok_or_else(|| lacks("run"))? }),
        Reach::Room => json!({ "type": "room", "room_id": room.ok_or_else(|| lacks("room"))? }),
        Reach::Host if domain.is_none() => return Err(lacks("host")),
        Reach::Host | Reach::Workspace => json!({ "type": "workspace" }),
    };
    if reach == Reach::Once {
        for (name, id) in [("room_id", room), ("run_id", run)] {
            if let Some(id) = id {
                set(&mut scope, name, id);
            }
        }
    }
    Ok(scope)
}

/// A scope for people: `run run_1, example.com`.
pub(super) fn in_words(approval: &Value) -> String {
    let Some(scope) = approval.get("scope").filter(|scope| scope.is_object()) else { return "-".to_owned() };
    let mut words = vec![field(scope, "type")];
    words.extend(["room_id", "run_id"].iter().filter_map(|name| opt(scope, name)));
    words.extend(match (opt(scope, "target_domain"), scope.get("port").and_then(Value::as_u64)) {
        (Some(host), Some(port)) if host.contains(':') => Some(format!("[{host}]:{port}")),
        (Some(host), Some(port)) => Some(format!("{host}:{port}")),
        (None, Some(port)) => Some(format!("port {port}")),
        (host, None) => host,
    });
    words.extend(["method", "tool_name"].iter().filter_map(|name| opt(scope, name)));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_port_with_its_host() {
        for (scope, words) in [
            (json!({ "type": "workspace", "target_domain": "hello.test", "port": 8443 }), "workspace hello.test:8443"),
            (
                json!({ "type": "workspace", "target_domain": "2001:db8::1", "port": 443 }),
                "workspace [2001:db8::1]:443",
            ),
            (json!({ "type": "once", "port": 22 }), "once port 22"),
            (json!({ "type": "run", "run_id": "run_1", "target_domain": "hello.test" }), "run run_1 hello.test"),
        ] {
            assert_eq!(in_words(&json!({ "scope": scope })), words);
        }
        let approval = json!({ "scope": { "type": "workspace", "target_domain": "hello.test", "port": 8443 } });
        let once = json!({ "type": "once", "target_domain": "hello.test", "port": 8443 });
        assert_eq!(decided(&approval, Reach::Once).unwrap(), once);
    }

    #[test]
    fn keeps_what_it_is_bound_to_and_takes_the_ids_from_the_approval() {
        let approval = json!({ "run_id": "run_1", "room_id": null, "scope": { "type": "once", "target_domain": "hello.test", "principal_id": "p1" } });
        let cases = [
            (
                Reach::Once,
                json!({ "type": "once", "run_id": "run_1", "target_domain": "hello.test", "principal_id": "p1" }),
            ),
            (
                Reach::Run,
                json!({ "type": "run", "run_id": "run_1", "target_domain": "hello.test", "principal_id": "p1" }),
            ),
            (Reach::Host, json!({ "type": "workspace", "target_domain": "hello.test", "principal_id": "p1" })),
            (Reach::Workspace, json!({ "type": "workspace", "target_domain": "hello.test", "principal_id": "p1" })),
        ];
        for (reach, scope) in cases {
            assert_eq!(decided(&approval, reach).unwrap(), scope);
        }
        assert!(decided(&approval, Reach::Room).unwrap_err().what.contains("no room"));
        assert!(decided(&json!({ "scope": { "type": "once" } }), Reach::Host).is_err());
    }
}
