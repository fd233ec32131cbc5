//! Whatever the input is, there is a plan, and it is the documented one.

use std::time::Duration;

use model::{Canonical, Zone};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// The plan of `{"runtime": …}`.
#[expect(clippy::needless_pass_by_value, reason = "a case reads as what it is")]
fn of(runtime: Value) -> Plan {
    Plan::read(&json!({ "runtime": runtime }))
}

/// What the steps call: a tool's name or a flaw's code.
fn calls(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.tool.as_ref().map_or_else(|flaw| flaw.told().0, Tool::name)).collect()
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!("x"), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) })
}

/// Values of every type, none of which is a good text.
fn no_texts() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5),
        json!(1e300),
        json!(""),
        json!(" \t\n"),
        json!([]),
        json!([[["x"]], 1, null]),
        json!({}),
        json!({"": {"": null}}),
        nested(100),
    ]
}

/// Values of every type, none of which is an object.
fn no_objects() -> Vec<Value> {
    let mut values = no_texts();
    values.retain(|value| !value.is_object());
    values.extend([json!("x"), json!("x".repeat(1 << 20)), json!([{"target_url": "https://example.com/"}])]);
    values
}

fn is_noop(plan: &Plan) {
    assert_eq!(calls(plan), ["runtime.noop"]);
    assert!(!plan.listed && !plan.waits && !plan.steps[0].continue_on_error);
    assert_eq!((&plan.steps[0].input, &plan.steps[0].title), (&Value::Null, &None));
    assert_eq!(plan.policy, PolicyContext::default());
}

#[test]
fn what_is_no_runtime_is_a_noop() {
    for value in no_objects() {
        is_noop(&Plan::read(&value));
        is_noop(&of(value));
    }
    is_noop(&Plan::read(&json!({"egress": {"target_url": "https://example.com/"}})));
    is_noop(&of(json!({})));
    is_noop(&of(json!({"Egress": {"target_url": "https://example.com/"}, "unknown": 1})));
    assert_eq!(
        calls(&of(json!({"egress": {"target_url": "https://example.com/"}}))),
        ["egress.request"],
        "the control"
    );
}

#[test]
fn an_egress_is_an_object_with_a_target() {
    for value in no_objects() {
        is_noop(&of(json!({"egress": value})));
    }
    for value in no_texts() {
        is_noop(&of(json!({"egress": {"target_url": value, "action": "external.write"}})));
    }
    // Whether the target is a good one is the gate's to say.
    for text in ["https://example.com/", " x ", "ftp://example.com/", "\u{0}", &"x".repeat(1 << 20)] {
        let egress = json!({"target_url": text, "extra": [1]});
        let plan = of(json!({"egress": egress, "tool": "runtime.noop"}));
        assert_eq!(calls(&plan), ["egress.request"]);
        assert_eq!(plan.steps[0].input, egress);
    }
}

#[test]
fn a_tool_is_named() {
    for value in no_texts() {
        is_noop(&of(json!({"tool": value})));
    }
    let check = |tool: &str, call: &str| assert_eq!(calls(&of(json!({"tool": tool}))), [call], "{tool}");
    check("runtime.noop", "runtime.noop");
    check(" egress.request ", "egress.request");
    for unknown in ["Runtime.Noop", "shell.exec", "runtime.unknown", "no\u{0}op", &"x".repeat(1 << 20)] {
        check(unknown, "tool_unknown");
    }
}

#[test]
fn a_part_of_the_policy_context_of_the_wrong_type_counts_as_absent() {
    for value in no_objects() {
        assert_eq!(of(json!({"policy": value})).policy, PolicyContext::default());
    }
    let good = json!({"principal_id": "p1", "capability_token_id": "c1", "zone": "supervised"});
    let whole = PolicyContext {
        principal_id: Some("p1".to_owned()),
        capability_token_id: Some("c1".to_owned()),
        zone: Some(Zone::Supervised),
    };
    assert_eq!(of(json!({"policy": good})).policy, whole, "the control");
    for value in no_texts() {
        let with = |name: &str| {
            let mut policy = good.clone();
            policy[name] = value.clone();
            of(json!({"policy": policy})).policy
        };
        assert_eq!(with("principal_id"), PolicyContext { principal_id: None, ..whole.clone() }, "{value}");
        assert_eq!(with("capability_token_id"), PolicyContext { capability_token_id: None, ..whole.clone() });
        assert_eq!(with("zone"), PolicyContext { zone: None, ..whole.clone() });
    }
    let zone = |text: &str| of(json!({"policy": {"zone": text}})).policy.zone;
    for (text, want) in [
        ("sandbox", Some(Zone::Sandbox)),
        (" high_stakes ", Some(Zone::HighStakes)),
        ("SANDBOX", None),
        ("moon", None),
        (&"x".repeat(1 << 20), None),
    ] {
        assert_eq!(zone(text), want);
    }
    let long = "p".repeat(1 << 20);
    assert_eq!(of(json!({"policy": {"principal_id": long}})).policy.principal_id, Some(long));
}

#[test]
fn waits_only_when_told_so() {
    for value in no_texts().into_iter().chain([json!("Wait"), json!("fail"), json!("wait!"), json!(["wait"])]) {
        assert!(!of(json!({"on_approval": value})).waits, "{value}");
    }
    for value in ["wait", " wait "] {
        assert!(of(json!({"on_approval": value})).waits);
    }
}

#[test]
fn steps_are_a_list_that_is_not_empty() {
    for value in no_objects().into_iter().filter(|value| value.as_array().is_none_or(Vec::is_empty)) {
        is_noop(&of(json!({"steps": value})));
    }
    is_noop(&of(json!({"steps": {"0": {"tool": "runtime.noop"}}})));
    // With steps, the rest names no tool any more.
    let both = json!({"steps": [{"tool": "runtime.noop"}], "egress": {"target_url": "https://example.com/"}});
    let plan = of(both);
    assert_eq!((calls(&plan), plan.listed), (vec!["runtime.noop"], true));
}

#[test]
fn a_step_is_an_object_with_a_tool() {
    let good = json!({"tool": "runtime.noop"});
    for value in no_objects() {
        let plan = of(json!({"steps": [good, value, good]}));
        assert_eq!(calls(&plan), ["runtime.noop", "invalid_step", "runtime.noop"], "one bad step leaves the others");
    }
    for value in no_texts() {
        assert_eq!(calls(&of(json!({"steps": [{"tool": value}]}))), ["invalid_step"], "{value}");
    }
    assert_eq!(calls(&of(json!({"steps": [{"tool": "rm -rf"}]}))), ["tool_unknown"]);
    assert_eq!(of(json!({"steps": [{"tool": "rm -rf"}]})).steps[0].tool_name(), "runtime.unknown");
}

#[test]
fn the_other_parts_of_a_step_are_read_by_type() {
    let step = |step: Value| of(json!({"steps": [step]})).steps.remove(0);
    let plain = step(json!({"tool": "runtime.noop"}));
    assert_eq!((&plain.input, &plain.title, plain.continue_on_error), (&Value::Null, &None, false));
    for value in no_texts() {
        assert_eq!(step(json!({"tool": "runtime.noop", "title": value})).title, None);
        let went_on = step(json!({"tool": "runtime.noop", "continue_on_error": value})).continue_on_error;
        assert_eq!(went_on, value == json!(true), "{value}");
        assert_eq!(step(json!({"tool": "runtime.noop", "input": value})).input, value, "an input is any value");
    }
    assert!(!step(json!({"tool": "runtime.noop", "continue_on_error": "true"})).continue_on_error);
    assert_eq!(step(json!({"tool": "runtime.noop", "title": " a "})).title.as_deref(), Some("a"));
    let long = step(json!({"tool": "runtime.noop", "title": "é".repeat(1 << 20)})).title;
    assert_eq!(long, Some("é".repeat(300)), "whole characters");
}

#[test]
fn too_many_steps_are_one_that_says_so() {
    let many = |count: usize| of(json!({"steps": vec![json!({"tool": "runtime.noop"}); count]}));
    assert_eq!(many(STEPS_MAX).steps.len(), 1_000);
    let over = many(STEPS_MAX + 1);
    assert_eq!((calls(&over), over.listed), (vec!["too_many_steps"], true));
    assert_eq!(over.step(0).map(StepPlan::tool_name), Some("runtime.unknown"));
    assert!(over.step(1).is_none());
}

mod references {
    use super::*;

    fn steps() -> Vec<Value> {
        vec![
            json!({"status": "succeeded", "output": {"decision": "allow", "a/b": {"m~n": [10, 20]}, "": "empty"}}),
            json!({"status": "failed", "output": null}),
        ]
    }

    #[expect(clippy::needless_pass_by_value, reason = "a case reads as what it is")]
    fn resolved(value: Value) -> Result<Value, Unresolved> {
        resolve(&value, &json!({"who": "alice", "list": [1, {"x": 2}]}), &steps())
    }

    #[test]
    fn are_replaced_by_what_they_point_at() {
        let check = |pointer: &str, want: Value| assert_eq!(resolved(json!({"$ref": pointer})), Ok(want), "{pointer}");
        check("/steps/0/output/decision", json!("allow"));
        check("/steps/0/status", json!("succeeded"));
        check("/steps/1/output", json!(null));
        check("/steps/0/output/a~1b/m~0n/1", json!(20));
        check("/steps/0/output/", json!("empty"));
        check("/input/who", json!("alice"));
        check("/input/list/1/x", json!(2));
        let whole = resolved(json!({"$ref": ""})).unwrap();
        assert_eq!((&whole["input"]["who"], &whole["steps"][1]["status"]), (&json!("alice"), &json!("failed")));
        assert_eq!(
            resolved(json!({"url": {"$ref": "/input/who"}, "all": [1, [{"$ref": "/steps/0/output/decision"}]]})),
            Ok(json!({"url": "alice", "all": [1, ["allow"]]}))
        );
    }

    #[test]
    fn that_point_at_nothing_are_not_resolved() {
        for pointer in [
            "/steps/2/output",
            "/steps/-1/output",
            "/steps/00/output",
            "/steps/0/output/decision/x",
            "/steps/0/output/a/b",
            "/steps/0/Output",
            "/nothing",
            "steps/0/output",
            "#/steps/0/output",
            "/steps/99999999999999999999",
        ] {
            assert_eq!(resolved(json!({"$ref": pointer})), Err(Unresolved::NothingThere), "{pointer}");
            assert_eq!(resolved(json!([1, {"a": {"$ref": pointer}}])), Err(Unresolved::NothingThere), "{pointer}");
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for value in [
            json!({"$ref": "/nothing", "more": 1}),
            json!({"$ref": 1}),
            json!({"$ref": ["/input/who"]}),
            json!({"$REF": "/nothing"}),
            json!("$ref"),
            json!(null),
            json!([[], {}, 1.5]),
        ] {
            assert_eq!(resolved(value.clone()), Ok(value));
        }
    }

    #[test]
    fn in_what_is_brought_in_stay_what_they_are() {
        let input = json!({"trap": {"$ref": "/input/secret"}, "secret": "s"});
        let brought = resolve(&json!({"x": {"$ref": "/input/trap"}}), &input, &[]);
        assert_eq!(brought, Ok(json!({"x": {"$ref": "/input/secret"}})));
    }

    #[test]
    fn are_looked_for_to_a_depth() {
        for levels in [0, 1, 63, 64] {
            let value = nested(levels);
            assert_eq!(resolved(value.clone()), Ok(value));
        }
        for levels in [65, 66, 100] {
            assert_eq!(resolved(nested(levels)), Err(Unresolved::NothingThere), "{levels}");
        }
        let at = |levels: usize| (0..levels).fold(json!({"$ref": "/input/who"}), |inner, _| json!([inner]));
        assert!(resolved(at(64)).is_ok());
        assert_eq!(resolved(at(65)), Err(Unresolved::NothingThere));
    }

    #[test]
    fn bring_in_so_much_and_no_more() {
        let input = json!({"text": "x".repeat((1 << 20) - 2)});
        let reference = json!({"$ref": "/input/text"});
        let whole = resolve(&reference, &input, &[]).unwrap();
        assert_eq!(whole.as_str().unwrap().len(), (1 << 20) - 2, "the control: a mebibyte with its quotes");
        assert_eq!(resolve(&json!([reference, {"$ref": "/input/text"}]), &input, &[]), Err(Unresolved::TooMuch));
        assert_eq!(resolve(&json!({"$ref": "/input"}), &input, &[]), Err(Unresolved::TooMuch));
        // Short in, very long out.
        let many = vec![json!({"$ref": "/input"}); 50_000];
        let input = json!({"list": many, "text": "x".repeat(1_000)});
        assert_eq!(resolve(&input["list"], &input, &[]), Err(Unresolved::TooMuch));
    }
}

#[test]
fn a_timeout_is_a_positive_number_within_bounds() {
    const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);
    let of = |input: Value| timeout(Some(&Canonical::from(&input)));
    let seconds = |value: Value| of(json!({"runtime": {"timeout_s": value}}));
    assert_eq!(timeout(None), None);
    assert_eq!(seconds(json!(60)), Some(Duration::from_secs(60)));
    assert_eq!(seconds(json!(0.25)), Some(Duration::from_millis(250)));
    assert_eq!(seconds(json!(1e-9)), Some(Duration::from_millis(1)));
    assert_eq!(seconds(json!(2_592_000)), Some(MONTH));
    for more in [json!(2_592_001), json!(1e15), json!(1e19), json!(1e300), json!(u64::MAX)] {
        assert_eq!(seconds(more.clone()), Some(MONTH), "{more}");
    }
    for none in no_objects().into_iter().filter(|value| !value.is_number()).chain([json!(0), json!(-1), json!(-0.0)]) {
        assert_eq!(seconds(none.clone()), None, "{none}");
    }
    for elsewhere in [json!({"timeout_s": 1}), json!([{"runtime": {"timeout_s": 1}}]), json!({"runtime": [1]})] {
        assert_eq!(of(elsewhere), None);
    }
}

/// JSON of any shape, whose names are often those that a plan is read from.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        4 => prop::sample::select(vec![
            "runtime.noop", "egress.request", "wait", "sandbox", "moon", "https://example.com/", "", " ", "/steps/0",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let name = prop_oneof![
        9 => prop::sample::select(vec![
            "runtime", "egress", "target_url", "action", "method", "steps", "tool", "title", "input",
            "continue_on_error", "policy", "principal_id", "capability_token_id", "zone", "on_approval", "timeout_s",
            "$ref",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            3 => prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn there_is_always_a_plan(runtime in any_json(), bare: bool) {
        let input = if bare { runtime } else { json!({"runtime": runtime}) };
        let plan = Plan::read(&input);
        prop_assert!((1..=STEPS_MAX).contains(&plan.steps.len()));
        prop_assert!(plan.step(0).is_some() && plan.step(plan.steps.len()).is_none());
        prop_assert_eq!(&Plan::read(&input), &plan);
        for step in &plan.steps {
            prop_assert!(step.title.as_ref().is_none_or(|title| title.chars().count() <= 300));
            // Resolving never panics, and what has no reference stays.
            if let Ok(same) = resolve(&step.input, &input, &[]) {
                prop_assert!(same == step.input || step.input.to_string().contains("$ref"));
            }
        }
        if let Some(timeout) = timeout(Some(&Canonical::from(&input))) {
            prop_assert!((Duration::from_millis(1)..=Duration::from_secs(2_592_000)).contains(&timeout));
        }
    }
}
