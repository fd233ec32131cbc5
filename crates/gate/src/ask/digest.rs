//! The digest of what an ask means: a `once` approval raised by an ask passes only the same one.

use model::ask::{Subject, Tunnel};
use model::{Ask, Canonical, PrincipalId};
use serde::Serialize;
use serde_json::Value;

use crate::InstallSecret;

/// The meaning of an ask. Members in the order of RFC 8785, so that plain rendering is canonical.
#[derive(Serialize)]
struct Meaning<'a> {
    action: &'a str,
    host: Option<&'a str>,
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opaque: Option<bool>,
    path: Option<&'a str>,
    port: Option<u16>,
    principal: Option<&'a PrincipalId>,
    query: Option<&'a str>,
    resource: Option<(&'a str, &'a str)>,
    scheme: Option<&'a str>,
    tool: Option<Tool<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    input: Option<Canonical>,
    name: Option<&'a str>,
}

/// The digest of `ask` by `asker`; `tool_input` is what a tool call is made with.
pub(super) fn of(secret: &InstallSecret, ask: &Ask, asker: Option<&PrincipalId>, tool_input: Option<&Value>) -> String {
    secret.digest("ask", text(ask, asker, tool_input).as_bytes())
}

fn text(ask: &Ask, asker: Option<&PrincipalId>, tool_input: Option<&Value>) -> String {
    let target = match &ask.subject {
        Subject::Egress(egress) => egress.target.as_ref(),
        _ => None,
    };
    let resource = match &ask.subject {
        Subject::DataAccess(data) => Some((data.resource_type.as_str(), data.resource_id.as_str())),
        _ => None,
    };
    let tool = match &ask.subject {
        Subject::ToolCall { tool_name, .. } => {
            Some(Tool { input: tool_input.map(Canonical::from), name: tool_name.as_deref() })
        }
        _ => None,
    };
    let meaning = Meaning {
        action: ask.action.as_str(),
        host: ask.target_domain(),
        method: ask.method(),
        opaque: (ask.tunnel() == Some(Tunnel::Opaque)).then_some(true),
        path: target.map(|t| t.path()),
        port: target.map(|t| t.port()),
        principal: asker,
        query: target.and_then(|t| t.query()),
        resource,
        scheme: target.map(|t| t.scheme()),
        tool,
    };
    // Texts, one small integer and canonical parts: this always has a JSON form.
    serde_json::to_string(&meaning).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::ask::EgressSubject;
    use model::{Action, Actor, ActorType, TargetUrl, WorkspaceId};
    use serde_json::json;

    fn egress(url: &str, method: Option<&str>) -> Ask {
        let target = TargetUrl::parse(url).unwrap();
        ask(
            "external.write",
            Subject::Egress(EgressSubject {
                target_domain: Some(target.domain().to_owned()),
                target: Some(target),
                method: method.map(str::to_owned),
                tunnel: None,
                credentials: Vec::new(),
            }),
        )
    }

    fn ask(action: &str, subject: Subject) -> Ask {
        Ask {
            workspace_id: WorkspaceId::parse("ws").unwrap(),
            action: Action::parse(action).unwrap(),
            actor: Actor::new(ActorType::User, "anon"),
            principal_id: None,
            capability_token_id: None,
            narrowing: None,
            token_required: false,
            zone: None,
            room_id: None,
            thread_id: None,
            run_id: None,
            step_id: None,
            subject,
            ask_digest: None,
        }
    }

    #[test]
    fn is_canonical_and_means_the_same_for_the_same_target() {
        let p = PrincipalId::parse("p1").unwrap();
        let plain = text(&egress("https://EXAMPLE.com./a?q=1#frag", Some("GET")), Some(&p), None);
        let value: Value = serde_json::from_str(&plain).unwrap();
        assert_eq!(Canonical::from(&value).as_str(), plain);
        assert_eq!(plain, text(&egress(" https://example.com:443/a?q=1", Some("GET")), Some(&p), None));
        for other in [
            text(&egress("https://example.com/a?q=2", Some("GET")), Some(&p), None),
            text(&egress("https://example.com/b?q=1", Some("GET")), Some(&p), None),
            text(&egress("http://example.com/a?q=1", Some("GET")), Some(&p), None),
            text(&egress("https://example.com:444/a?q=1", Some("GET")), Some(&p), None),
            text(&egress("https://example.com/a?q=1", Some("PUT")), Some(&p), None),
            text(&egress("https://example.com/a?q=1", None), Some(&p), None),
            text(&egress("https://example.com/a?q=1", Some("GET")), None, None),
        ] {
            assert_ne!(plain, other);
        }
    }

    #[test]
    fn covers_the_input_of_a_tool_whatever_the_order_of_its_members() {
        let call = ask("tool.call.x", Subject::ToolCall { tool_name: Some("x".into()), input: None });
        let a: Value = serde_json::from_str(r#"{"b":1,"a":[1.0,"\u00e9"]}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":[1,"é"],"b":1}"#).unwrap();
        assert_eq!(text(&call, None, Some(&a)), text(&call, None, Some(&b)));
        assert_ne!(text(&call, None, Some(&a)), text(&call, None, Some(&json!({"a": 1}))));
    }
}
