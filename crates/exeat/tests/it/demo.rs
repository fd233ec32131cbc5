use serde_json::json;

use crate::program::{exeat, exeat_with};

#[test]
fn the_tour_tells_what_it_does() {
    let ran = exeat(&["demo"]).exits(0);
    let parts = [
        "1  Allowed",
        "egress.allowed           default_allow",
        "2  Blocked by a capability token",
        "policy.denied              capability_scope_tool_not_allowed",
        "deny: the token does not cover this tool  ← decided",
        "what would change it",
        "3  Waits for a person",
        "run.waiting",
        "approve by anna",
        "run.resumed",
        "ms after the decision",
        "4  The record",
        "every hash chain verifies",
        "runs create --egress",
    ];
    let mut rest = ran.stdout.as_str();
    for part in parts {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("no `{part}` after {rest}"));
        rest = after;
    }
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains("exk_"), "{ran:?}");
    assert_eq!(ran.stderr, "");
    // The last commands begin with the path the program was called by, however long that is.
    let (told, _) = ran.stdout.split_once("Try next").unwrap();
    let wide: Vec<&str> = told.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:?}");
}

#[test]
fn the_tour_is_one_object_for_programs() {
    let told = exeat(&["demo", "--json"]).exits(0).json();
    let run = |at: usize| {
        let run = &told["runs"][at];
        let events: Vec<&str> = run["events"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        (
            run["name"].as_str().unwrap(),
            run["status"].as_str().unwrap(),
            run["reason_code"].as_str().unwrap(),
            events.join(" "),
        )
    };
    let begin = "run.created run.started step.created";
    let asked = "tool.invoked egress.requested";
    let allowed = format!("{asked} egress.allowed tool.succeeded run.completed");
    let (name, status, reason, events) = run(0);
    assert_eq!((name, status, reason), ("allowed", "succeeded", "default_allow"));
    assert_eq!(events, format!("{begin} {allowed}"));
    let (name, status, reason, events) = run(1);
    assert_eq!((name, status, reason), ("blocked", "failed", "capability_scope_tool_not_allowed"));
    assert_eq!(events, format!("{begin} policy.denied tool.invoked tool.failed run.failed"));
    let (name, status, reason, events) = run(2);
    assert_eq!((name, status, reason), ("waits", "succeeded", "approval_allows_action"));
    let parked = "policy.requires_approval approval.requested egress.blocked tool.failed run.waiting";
    assert_eq!(events, format!("{begin} {asked} {parked} approval.decided run.resumed {allowed}"));
    assert!(told["runs"][2]["resumed_after_ms"].as_i64().unwrap() >= 0, "{told}");
    assert!(told["runs"][2]["approval_id"].as_str().unwrap().starts_with("appr_"), "{told}");
    let in_runs: usize = (0..3).map(|at| told["runs"][at]["events"].as_array().unwrap().len()).sum();
    let checked = told["verification"]["checked"].as_u64().unwrap();
    assert!(checked > in_runs as u64, "{told}");
    assert_eq!((&told["verification"]["valid"], &told["verification"]["first_mismatch"]), (&json!(true), &json!(null)));
}

#[test]
fn the_tour_needs_nothing_and_heeds_nothing() {
    let odd = [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none"),
        ("POLICY_ENFORCEMENT_MODE", "perhaps"),
        ("EXEAT_URL", "http://127.0.0.1:9"),
        ("EXEAT_KEY", "exk_not_one"),
        ("EXEAT_CONFIG", "/no/such/file"),
        ("RUN_WORKER_EMBEDDED", "false"),
    ];
    let ran = exeat_with(&odd, &["demo", "--json", "--pause", "60"]).exits(0);
    assert_eq!(ran.json()["verification"]["valid"], true);
    exeat(&["demo", "--pause", "-1"]).exits(2);
}
