use serde_json::{Value, json};

use super::*;
use crate::ask::{EgressSubject, Subject};
use crate::{Actor, ActorType, WorkspaceId};

fn ask() -> Ask {
    Ask {
        workspace_id: WorkspaceId::parse("ws_a").unwrap(),
        action: Action::external_write(),
        actor: Actor::new(ActorType::Agent, "coder"),
        principal_id: None,
        capability_token_id: None,
        narrowing: None,
        token_required: false,
        zone: None,
        room_id: Some(RoomId::parse("room_a").unwrap()),
        thread_id: None,
        run_id: Some(RunId::parse("run_a").unwrap()),
        step_id: None,
        subject: Subject::Egress(EgressSubject {
            target: None,
            target_domain: Some("example.com".to_owned()),
            method: Some("POST".to_owned()),
            tunnel: None,
            credentials: Vec::new(),
        }),
        ask_digest: Some("d1".to_owned()),
    }
}

fn scope(value: Value) -> ApprovalScope {
    serde_json::from_value(value).unwrap()
}

fn covers(value: Value, raised_by: Option<&str>, ask: &Ask) -> bool {
    let asker = PrincipalId::parse("p1").unwrap();
    scope(value).covers(&Action::external_write(), raised_by, ask, Some(&asker))
}

#[test]
fn reach_and_every_set_field_must_match() {
    let check = |value: Value, want: bool| assert_eq!(covers(value.clone(), None, &ask()), want, "{value}");
    check(json!({"type": "workspace"}), true);
    check(json!({"type": "room", "room_id": "room_a"}), true);
    check(json!({"type": "room", "room_id": "room_b"}), false);
    // A room or run approval that names none reaches nothing.
    check(json!({"type": "room"}), false);
    check(json!({"type": "run", "run_id": "run_a"}), true);
    check(json!({"type": "run", "run_id": "run_b"}), false);
    check(json!({"type": "run"}), false);
    check(json!({"type": "run", "room_id": "room_a"}), false);
    check(json!({"type": "once"}), true);
    check(json!({"type": "once", "room_id": "room_a", "run_id": "run_a"}), true);
    check(json!({"type": "once", "room_id": "room_b"}), false);
    check(json!({"type": "once", "run_id": "run_b"}), false);
    // Fields narrow every kind.
    for (field, yes, no) in
        [("target_domain", "example.com", "other.com"), ("method", "POST", "GET"), ("principal_id", "p1", "p2")]
    {
        for kind in
            [json!({"type": "workspace"}), json!({"type": "room", "room_id": "room_a"}), json!({"type": "once"})]
        {
            let with = |text: &str| {
                let mut value = kind.clone();
                value[field] = json!(text);
                value
            };
            check(with(yes), true);
            check(with(no), false);
        }
    }
    // A subdomain is another domain, and this ask names no tool.
    check(json!({"type": "workspace", "target_domain": "a.example.com"}), false);
    check(json!({"type": "workspace", "tool_name": "web.search"}), false);
}

#[test]
fn a_tool_name_matches_only_that_tool() {
    let call = |tool: Option<&str>| Ask {
        subject: Subject::ToolCall { tool_name: tool.map(str::to_owned), input: None },
        ..ask()
    };
    let value = json!({"type": "workspace", "tool_name": "web.search"});
    assert!(covers(value.clone(), None, &call(Some("web.search"))));
    assert!(!covers(value.clone(), None, &call(Some("web.fetch"))));
    assert!(!covers(value, None, &call(None)));
    assert!(!covers(json!({"type": "workspace", "target_domain": "example.com"}), None, &call(Some("web.search"))));
}

#[test]
fn a_once_raised_by_an_ask_passes_only_that_ask() {
    let check = |raised_by: Option<&str>, digest: Option<&str>, want: bool| {
        let ask = Ask { ask_digest: digest.map(str::to_owned), ..ask() };
        assert_eq!(covers(json!({"type": "once"}), raised_by, &ask), want, "{raised_by:?} {digest:?}");
        // The wider kinds do not ask for the digest.
        assert!(covers(json!({"type": "workspace"}), raised_by, &ask));
    };
    check(Some("d1"), Some("d1"), true);
    check(Some("d1"), Some("d2"), false);
    check(Some("d1"), None, false);
    check(None, Some("d1"), true);
    check(None, None, true);
}

#[test]
fn another_action_or_an_unknown_asker_is_not_covered() {
    let workspace = ApprovalScope::of(ScopeKind::Workspace);
    let other = Action::parse("email.send").unwrap();
    assert!(workspace.covers(&Action::external_write(), None, &ask(), None));
    assert!(!workspace.covers(&other, None, &ask(), None));
    let bound = scope(json!({"type": "workspace", "principal_id": "p1"}));
    assert!(!bound.covers(&Action::external_write(), None, &ask(), None));
}

#[test]
fn the_default_is_the_run_else_the_room_else_once() {
    let (room, run) = (RoomId::parse("room_a").unwrap(), RunId::parse("run_a").unwrap());
    let check = |room, run, want: Value| {
        let scope = ApprovalScope::default_for(room, run);
        assert_eq!(serde_json::to_value(&scope).unwrap(), want);
        assert_eq!(serde_json::from_value::<ApprovalScope>(want).unwrap(), scope);
    };
    check(Some(&room), Some(&run), json!({"type": "run", "run_id": "run_a"}));
    check(Some(&room), None, json!({"type": "room", "room_id": "room_a"}));
    check(None, None, json!({"type": "once"}));
}

#[test]
fn reads_only_the_scopes_it_knows() {
    for value in [
        json!({}),
        json!({"room_id": "room_a"}),
        json!({"type": "forever"}),
        json!({"type": "Once"}),
        json!({"type": "once", "ports": [443]}),
        json!({"type": "once", "port": 65_536}),
        json!({"type": "once", "port": "443"}),
        json!({"type": "room", "room_id": ""}),
        json!({"type": "room", "room_id": 1}),
        json!("once"),
        json!(null),
    ] {
        assert!(serde_json::from_value::<ApprovalScope>(value.clone()).is_err(), "{value}");
    }
    assert_eq!(scope(json!({"type": "once"})), ApprovalScope::of(ScopeKind::Once));
}

#[test]
fn only_pending_and_held_are_open() {
    let open: Vec<&str> = ApprovalStatus::ALL.iter().filter(|s| s.is_open()).map(|s| s.as_str()).collect();
    assert_eq!(open, ["pending", "held"]);
}
