//! Pure and total: whatever is asked, an answer, the same twice, and the snapshot is as it was.

use model::ask::{DataSubject, EgressSubject, Subject};
use model::*;
use policy::*;
use proptest::prelude::*;

use crate::world::*;

fn wild() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,40}",
        "[a-z.*:\\[\\]0-9]{0,40}",
        Just("::ffff:127.0.0.1".to_owned()),
        Just("*".repeat(300)),
        Just(String::new()),
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        proptest::option::of(wild()).prop_map(|tool_name| Subject::ToolCall { tool_name, input: None }),
        proptest::option::of(wild()).prop_map(|target_domain| Subject::Action { target_domain }),
        (proptest::option::of(wild()), proptest::option::of(wild())).prop_map(|(target_domain, method)| {
            Subject::Egress(EgressSubject {
                target: None,
                target_domain,
                method,
                tunnel: None,
                credentials: Vec::new(),
            })
        }),
        (wild(), wild(), proptest::sample::select(Label::ALL), proptest::option::of(wild())).prop_map(
            |(a, b, label, c)| {
                Subject::DataAccess(DataSubject {
                    resource_type: a.clone(),
                    resource_id: b.clone(),
                    label,
                    resource_room: c.clone().map(RoomId::from_stored),
                    resource_purposes: [a].into(),
                    purposes: [b].into(),
                    justification: c,
                })
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_whatever_is_asked(
        subject in subject(),
        texts in proptest::collection::vec(wild(), 8),
        given in any::<[bool; 4]>(),
        kind in proptest::sample::select(ActorType::ALL),
        now in any::<i64>(),
    ) {
        let mut world = base_world();
        // A token whose scopes are as wild as the ask.
        world.tokens[1].scopes.egress_domains = texts.iter().cloned().collect();
        world.tokens[1].scopes.action_types = texts.iter().cloned().collect();
        world.tokens[1].scopes.data_access.read = texts.iter().cloned().collect();
        let snapshot = world.snapshot();
        let mut ask = base_ask(Category::Action);
        ask.subject = subject;
        ask.actor = Actor::new(kind, texts[0].clone());
        if given[0] { ask.principal_id = Some(PrincipalId::from_stored(texts[1].clone())); }
        if given[1] { ask.capability_token_id = Some(TokenId::from_stored(texts[2].clone())); }
        if given[2] { ask.workspace_id = WorkspaceId::from_stored(texts[3].clone()); }
        if given[3] { ask.room_id = Some(RoomId::from_stored(texts[4].clone())); }
        ask.ask_digest = Some(texts[5].clone());

        let now = Time::from_millis(now);
        let first = decide(&snapshot, &ask, now, &[]);
        prop_assert_eq!(&first, &decide(&snapshot, &ask, now, &[]));
        prop_assert_eq!(&first, &decide(&world.snapshot(), &ask, now, &[]));
        prop_assert!(!explain(&first).to_string().is_empty());
        let kept: Decision = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        prop_assert_eq!(kept, first);
    }
}

/// A fact goes into the event log as it is, so nothing that a caller wrote may be in it.
#[test]
fn facts_never_repeat_the_caller() {
    const SECRET: &str = "sk-caller-wrote-this";
    let mut seen = 0;
    for category in [Category::ToolCall, Category::DataAccess, Category::Action, Category::Egress] {
        for field in 0..7 {
            let mut ask = base_ask(category);
            match field {
                0 => ask.actor.id = SECRET.to_owned(),
                1 => ask.principal_id = Some(id(SECRET)),
                2 => ask.capability_token_id = Some(id(SECRET)),
                3 => ask.room_id = Some(id(SECRET)),
                4 => ask.action = action(SECRET),
                5 => ask.ask_digest = Some(SECRET.to_owned()),
                _ => ask.subject = Subject::ToolCall { tool_name: Some(SECRET.to_owned()), input: None },
            }
            let mut world = base_world();
            world.settings().default_decision = Some(DefaultDecision::Deny);
            world.tokens[0].scopes = TokenScopes::default();
            let decision = decide(&world.snapshot(), &ask, at(NOW), &[]);
            assert_eq!(decision.outcome, Outcome::Deny);
            seen += decision.trace.iter().filter(|each| each.fact.is_some()).count();
            assert!(!serde_json::to_string(&decision.trace).unwrap().contains(SECRET));
        }
    }
    assert!(seen > 0);
}
