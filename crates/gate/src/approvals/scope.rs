//! The scope of an approval as callers write it: `once`, `run`, `room`, `workspace`, or an object
//! with `type` and whatever else must match.
//!
//! A room or run that is not named is the approval's own. An approval that an ask raised stays
//! bound to that ask's domain, port, principal and tool when a decider only says how far it reaches;
//! naming a member, also as null or `*`, lifts that binding.

use model::approval::{ApprovalScope, ScopeKind};
use model::target::normalise_host;
use model::{PrincipalId, RoomId, RunId};
use serde_json::{Map, Value};

use crate::Refusal;
use crate::wording;

/// Where an approval was asked for.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) room_id: Option<&'a RoomId>,
    pub(super) run_id: Option<&'a RunId>,
}

fn invalid(detail: &str, field: &str) -> Refusal {
    Refusal::invalid("invalid_scope", detail).at(field)
}

/// Reads a scope. `bound` is what an ask tied the approval to.
///
/// # Errors
/// 400 `invalid_scope` at the member at fault.
pub(super) fn read(value: &Value, place: Place<'_>, bound: Option<&ApprovalScope>) -> Result<ApprovalScope, Refusal> {
    let none = Map::new();
    let (kind, members) = match value {
        Value::String(kind) => (Some(kind.as_str()), &none),
        Value::Object(members) => (members.get("type").and_then(Value::as_str), members),
        _ => (None, &none),
    };
    let kind = kind.and_then(|text| ScopeKind::parse(text.trim())).ok_or_else(|| {
        invalid("`once`, `run`, `room` or `workspace`, or an object whose `type` is one of them", "/scope")
    })?;
    let known = ["type", "room_id", "run_id", "target_domain", "port", "method", "principal_id", "tool_name"];
    if members.keys().any(|name| !known.contains(&name.as_str())) {
        return Err(invalid("has a member that scopes do not have", "/scope"));
    }
    let mut scope = ApprovalScope::of(kind);
    scope.room_id = member(members, "room_id", |text| RoomId::parse(text).ok())?.flatten();
    scope.run_id = member(members, "run_id", |text| RunId::parse(text).ok())?.flatten();
    let method = member(members, "method", method)?;
    let port = port(members)?;
    let domain = member(members, "target_domain", |text| normalise_host(text).ok())?;
    let principal = member(members, "principal_id", |text| PrincipalId::parse(text).ok())?;
    let tool = member(members, "tool_name", |text| wording::name(Some(text)).map(str::to_owned))?;
    scope.method = method.flatten();
    scope.target_domain = domain.unwrap_or_else(|| bound.and_then(|b| b.target_domain.clone()));
    // A port belongs to its domain.
    let own_domain = bound.filter(|bound| bound.target_domain == scope.target_domain);
    scope.port = port.unwrap_or_else(|| own_domain.and_then(|b| b.port));
    scope.principal_id = principal.unwrap_or_else(|| bound.and_then(|b| b.principal_id.clone()));
    scope.tool_name = tool.unwrap_or_else(|| bound.and_then(|b| b.tool_name.clone()));
    fill(&mut scope, place)?;
    Ok(scope)
}

/// A member: `None` when it is not there, `Some(None)` when it is null or `*`.
fn member<T>(
    members: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<Option<T>>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) if text.trim() == "*" => Ok(Some(None)),
        Some(value) => {
            let parsed = value.as_str().and_then(|text| parse(text.trim()));
            parsed.map(|parsed| Some(Some(parsed))).ok_or_else(|| invalid("is not valid", &format!("/scope/{name}")))
        }
    }
}

/// The port: as [`member`], but a number.
fn port(members: &Map<String, Value>) -> Result<Option<Option<u16>>, Refusal> {
    let number = members.get("port").filter(|value| value.is_number());
    match number {
        None => member(members, "port", |_| None),
        Some(value) => match value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0) {
            Some(port) => Ok(Some(Some(port))),
            None => Err(invalid("a whole number from 1 to 65535, or `*`", "/scope/port")),
        },
    }
}

fn method(text: &str) -> Option<String> {
    let good = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    good.then(|| text.to_ascii_uppercase())
}

/// Room and run where they are needed and not named.
fn fill(scope: &mut ApprovalScope, place: Place<'_>) -> Result<(), Refusal> {
    match scope.kind {
        ScopeKind::Workspace => {}
        ScopeKind::Room => {
            scope.room_id = scope.room_id.take().or_else(|| place.room_id.cloned());
            if scope.room_id.is_none() {
                return Err(invalid("there is no room that it could reach", "/scope/room_id"));
            }
        }
        ScopeKind::Run => {
            scope.run_id = scope.run_id.take().or_else(|| place.run_id.cloned());
            if scope.run_id.is_none() {
                return Err(invalid("there is no run that it could reach", "/scope/run_id"));
            }
        }
        ScopeKind::Once => {
            scope.room_id = scope.room_id.take().or_else(|| place.room_id.cloned());
            scope.run_id = scope.run_id.take().or_else(|| place.run_id.cloned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_binds_with_its_domain() {
        let mut bound = ApprovalScope::of(ScopeKind::Workspace);
        (bound.target_domain, bound.port) = (Some("a.test".to_owned()), Some(8443));
        let place = Place { room_id: None, run_id: None };
        for (said, port) in [
            (json!("once"), Some(8443)),
            (json!({"type": "workspace", "target_domain": "A.test"}), Some(8443)),
            (json!({"type": "workspace", "port": null}), None),
            (json!({"type": "workspace", "port": 443}), Some(443)),
            (json!({"type": "workspace", "target_domain": "b.test"}), None),
            (json!({"type": "workspace", "target_domain": null}), None),
        ] {
            assert_eq!(read(&said, place, Some(&bound)).unwrap().port, port, "{said}");
        }
    }

    fn check(value: &Value, room: Option<&str>, run: Option<&str>, want: Result<Value, &str>) {
        let (room, run) = (room.map(|r| RoomId::parse(r).unwrap()), run.map(|r| RunId::parse(r).unwrap()));
        let mut bound = ApprovalScope::of(ScopeKind::Once);
        bound.target_domain = Some("a.test".to_owned());
        bound.principal_id = Some(PrincipalId::parse("p1").unwrap());
        let place = Place { room_id: room.as_ref(), run_id: run.as_ref() };
        let got = read(value, place, Some(&bound));
        match want {
            Ok(want) => assert_eq!(serde_json::to_value(got.unwrap()).unwrap(), want, "{value}"),
            Err(field) => {
                let refusal = got.unwrap_err();
                assert_eq!((refusal.code, refusal.field.as_deref()), ("invalid_scope", Some(field)), "{value}");
            }
        }
    }

    #[test]
    fn reads_scopes_and_keeps_what_binds() {
        let bound = |mut value: Value| {
            value["target_domain"] = json!("a.test");
            value["principal_id"] = json!("p1");
            value
        };
        check(&json!("workspace"), Some("room_1"), None, Ok(bound(json!({"type": "workspace"}))));
        check(&json!(" room "), Some("room_1"), None, Ok(bound(json!({"type": "room", "room_id": "room_1"}))));
        check(&json!("room"), None, None, Err("/scope/room_id"));
        check(&json!("run"), None, Some("run_1"), Ok(bound(json!({"type": "run", "run_id": "run_1"}))));
        check(&json!({"type": "run"}), Some("room_1"), None, Err("/scope/run_id"));
        check(
            &json!({"type": "run", "run_id": "run_2"}),
            None,
            None,
            Ok(bound(json!({"type": "run", "run_id": "run_2"}))),
        );
        check(
            &json!("once"),
            Some("room_1"),
            Some("run_1"),
            Ok(bound(json!({"type": "once", "room_id": "room_1", "run_id": "run_1"}))),
        );
        check(
            &json!({"type": "workspace", "target_domain": "B.Test.", "principal_id": null, "method": "post"}),
            None,
            None,
            Ok(json!({"type": "workspace", "target_domain": "b.test", "method": "POST"})),
        );
        check(
            &json!({"type": "workspace", "target_domain": "*", "principal_id": "*"}),
            None,
            None,
            Ok(json!({"type": "workspace"})),
        );
        let port = |port: Value| {
            let mut scope = json!({"type": "workspace", "target_domain": "a.test", "principal_id": "p1"});
            scope["port"] = port;
            scope
        };
        for good in [1, 443, 65_535] {
            check(&port(json!(good)), None, None, Ok(port(json!(good))));
        }
        for any in [json!(null), json!("*"), json!(" * ")] {
            check(&port(any), None, None, Ok(bound(json!({"type": "workspace"}))));
        }
        for bad in [json!(0), json!(65_536), json!(-1), json!(443.5), json!("443"), json!([443])] {
            check(&port(bad), None, None, Err("/scope/port"));
        }
        for bad in
            [json!("always"), json!({}), json!(3), json!([]), json!({"type": 1}), json!({"type": "once", "rooms": []})]
        {
            check(&bad, None, None, Err("/scope"));
        }
        check(&json!({"type": "once", "target_domain": "a b"}), None, None, Err("/scope/target_domain"));
        check(&json!({"type": "once", "method": 7}), None, None, Err("/scope/method"));
        check(&json!({"type": "once", "room_id": "a b"}), None, None, Err("/scope/room_id"));
    }
}
