//! Run inputs of every shape: each run ends, as the contract says, and its error repeats nothing that
//! a caller may have meant to keep.

use model::Role;
use model::run::RunStatus;
use serde_json::{Value, json};

use crate::bed::{Bed, assert_at_rest, assert_sound, caller, cycle, events, on_both, queued, row};

/// What no error may repeat.
const HUSH: &str = "hush-4711";

enum Ends {
    Well,
    /// Failed with this `code` or `reason_code`.
    With(&'static str),
}

fn egress(egress: Value) -> Value {
    json!({"runtime": {"egress": egress}})
}

fn target(url: &str) -> Value {
    egress(json!({"target_url": url}))
}

fn policy(policy: Value) -> Value {
    json!({"runtime": {"policy": policy}})
}

fn noops() -> Vec<Value> {
    let nested =
        (0..120).fold(json!(1), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({"runtime": inner}) });
    let long = "x".repeat(1 << 20);
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5e300),
        json!(""),
        json!("text"),
        json!(long),
        json!([]),
        json!([1, [2, [3]]]),
        json!([{"runtime": {"egress": {"target_url": "ftp://example.com/"}}}]),
        json!({}),
        nested,
        json!({"runtime": null}),
        json!({"runtime": 7}),
        json!({"runtime": []}),
        json!({"runtime": long}),
        json!({"runtime": {"tool": ["egress.request"], "steps": {}, "on_approval": 1, "timeout_s": "soon"}}),
        json!({"runtime": {"timeout_s": -1}}),
        egress(json!(null)),
        egress(json!("https://example.com/")),
        egress(json!(["https://example.com/"])),
        egress(json!({})),
        egress(json!({"target_url": 1})),
        egress(json!({"target_url": [" "]})),
        egress(json!({"target_url": " \n "})),
        policy(json!("sandbox")),
        policy(json!([1])),
        policy(json!({"zone": "moon"})),
        policy(json!({"zone": {"name": "sandbox"}})),
        policy(json!({"principal_id": 1, "capability_token_id": [], "zone": null})),
        policy(json!({"principal_id": "", "capability_token_id": " "})),
    ]
}

fn failures() -> Vec<(Value, &'static str)> {
    let long = "x".repeat(1 << 20);
    let steps = |steps: Value| json!({"runtime": {"steps": steps}});
    let with = |name: &str, value: &str| egress(json!({"target_url": "https://example.com/", name: value}));
    vec![
        (target(&format!("ftp://example.com/{HUSH}")), "invalid_target_url"),
        (target(&format!("https://user:{HUSH}@example.com/")), "invalid_target_url"),
        (target(&format!("https://{HUSH}@example.com/")), "invalid_target_url"),
        (target(HUSH), "invalid_target_url"),
        (target(&format!("javascript:alert('{HUSH}')")), "invalid_target_url"),
        (target(&format!("https://exa mple.com/{HUSH}")), "invalid_target_url"),
        (target(&format!("http:///{HUSH}")), "invalid_target_url"),
        (target(&format!("https://example.com/{HUSH}{long}")), "invalid_target_url"),
        (target(&format!("http://127.0.0.1/?token={HUSH}")), "destination_denied"),
        (
            egress(json!({"target_url": format!("https://example.com/?token={HUSH}"), "action": "external.write"})),
            "external_write_requires_approval",
        ),
        (with("action", &format!("no action {HUSH}")), "invalid_request"),
        (with("method", &format!("G ET {HUSH}")), "invalid_request"),
        (policy(json!({"principal_id": HUSH})), "principal_not_found"),
        (policy(json!({"principal_id": format!("{HUSH}\n{long}")})), "invalid_request"),
        (policy(json!({"capability_token_id": format!("cap {HUSH}")})), "invalid_request"),
        // Which token was shown is recorded, as its id is no secret.
        (policy(json!({"capability_token_id": "unknown"})), "capability_token_not_found"),
        (policy(json!({"capability_token_id": long})), "invalid_request"),
        (json!({"runtime": {"tool": HUSH}}), "tool_unknown"),
        (json!({"runtime": {"tool": long}}), "tool_unknown"),
        (steps(json!([HUSH])), "invalid_step"),
        (steps(json!([[[HUSH]], 1, null])), "invalid_step"),
        (steps(json!([{"tool": {"name": HUSH}}])), "invalid_step"),
        (steps(json!([{"tool": HUSH}])), "tool_unknown"),
        (steps(json!(vec![json!({"tool": "runtime.noop"}); 1_001])), "too_many_steps"),
        (steps(json!([{"tool": "egress.request"}])), "invalid_target_url"),
        (steps(json!([{"tool": "egress.request", "input": [HUSH]}])), "invalid_target_url"),
        (steps(json!([{"tool": "runtime.noop", "input": {"$ref": format!("/{HUSH}")}}])), "reference_not_found"),
    ]
}

async fn every_shape_ends(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let mut cases: Vec<(Value, Ends)> = noops().into_iter().map(|input| (input, Ends::Well)).collect();
    // A secret in a query is no failure, and goes nowhere either.
    cases.push((target(&format!("https://example.com/?api_key={HUSH}")), Ends::Well));
    cases.extend(failures().into_iter().map(|(input, code)| (input, Ends::With(code))));
    let mut made = Vec::new();
    for (input, ends) in cases {
        let shown: String = input.to_string().chars().take(120).collect();
        made.push((queued(&runs, &owner, input).await, ends, shown));
    }
    let count = u64::try_from(made.len()).unwrap();
    let failing = u64::try_from(failures().len()).unwrap();
    let done = cycle(&runs).await;
    let sums = (done.claimed, done.completed, done.failed, done.waiting, done.skipped);
    assert_eq!(sums, (count, count - failing, failing, 0, 0));

    for (run, ends, shown) in &made {
        let row = row(&runs, run).await;
        match ends {
            Ends::Well => assert_eq!(row.status, RunStatus::Succeeded, "{shown}: {:?}", row.error),
            Ends::With(code) => {
                assert_eq!(row.status, RunStatus::Failed, "{shown}");
                let error = row.error.as_ref().unwrap().to_value();
                let told = error["code"].as_str().or(error["reason_code"].as_str());
                assert_eq!(told, Some(*code), "{shown}: {error}");
                assert_eq!(error["source"], "run_worker", "{shown}");
                assert!(row.message.as_ref().is_some_and(|text| !text.is_empty()), "{shown}");
                assert!(error.to_string().len() + row.message.unwrap().len() < 2_000, "{shown}");
            }
        }
        assert_eq!(row.attempt_no, 1, "{shown}");
        // Only what the caller itself sent says it again.
        for event in &events(&runs, run).await[1..] {
            let said = format!("{} {}", event.data.as_str(), event.policy_context.as_str());
            assert!(!said.contains(HUSH), "{shown}: {} {said}", event.event_type);
        }
    }
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(every_shape_ends);
}
