use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::against;

fn request() -> Value {
    json!({ "egress_request_id": "egr_1", "created_at": "2026-01-02T03:04:05.678Z", "policy_decision": "deny", "blocked": false, "method": "GET", "target_url": "http://hello.test/\u{1b}[2J", "policy_reason_code": "kill_switch_active" })
}

#[test]
fn egress_list_shows_shadow_and_cannot_steer_the_terminal() {
    let fake = Fake::new(&[("GET /v1/egress/requests", 200, json!({ "requests": [request()], "next_cursor": null }))]);
    let ran = against(&fake, &["egress", "list", "--decision", "deny", "--since", "1h"]).exits(0);
    assert!(ran.stdout.contains("deny (shadow)") && ran.stdout.contains("egr_1"), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
    assert!(fake.asked()[0].target.starts_with("/v1/egress/requests?decision=deny&since=2"), "{:?}", fake.asked());
    assert_eq!(against(&fake, &["egress", "list", "--json"]).json()["requests"][0], request());
}

#[test]
fn egress_get_shows_the_columns() {
    let fake = Fake::new(&[("GET /v1/egress/requests/egr_1", 200, json!({ "request": request() }))]);
    let ran = against(&fake, &["egress", "get", "egr_1"]).exits(0);
    assert!(ran.stdout.contains("policy_reason_code") && ran.stdout.contains("kill_switch_active"), "{ran:?}");
}

fn message(id: &str, event_type: &str) -> String {
    format!(
        "id: {id}\ndata: {}\n\n",
        json!({ "event_id": id, "event_type": event_type, "occurred_at": "2026-01-02T03:04:05.678Z", "data": { "action": "external.write", "target_url": "http://hello.test/" } })
    )
}

#[test]
fn tail_goes_on_after_the_last_event_when_the_stream_breaks() {
    let first = format!(": hello\n\n{}{}", message("7", "egress.allowed"), message("8", "egress.blocked"));
    let second = message("9", "egress.allowed");
    let fake = Fake::streaming("/v1/streams/events", &[&first, &second]);
    let ran = against(&fake, &["egress", "tail", "-n", "3", "--json"]).exits(0);
    let ids: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event_id"].clone()).collect();
    assert_eq!(ids, ["7", "8", "9"]);
    let asked = fake.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].target.contains("event_type=egress.allowed%2Cegress.blocked%2Cegress.completed"), "{asked:?}");
    assert_eq!(
        (asked[0].headers.get("last-event-id"), asked[1].headers.get("last-event-id").map(String::as_str)),
        (None, Some("8"))
    );
}

#[test]
fn events_tail_prints_a_line_for_each_and_ends_on_a_refusal() {
    let fake = Fake::streaming("/v1/streams/events", &[&message("7", "egress.allowed")]);
    let ran = against(&fake, &["events", "tail", "-n", "1", "--room", "room_1"]).exits(0);
    assert!(ran.stdout.contains("egress.allowed") && ran.stdout.contains("hello.test"), "{ran:?}");
    let refusing = Fake::new(&[]);
    against(&refusing, &["events", "tail"]).exits(6);
}

#[test]
fn events_list_sends_every_filter() {
    let event = json!({ "event_id": "e1", "stream_type": "room", "stream_id": "room_1", "stream_seq": 4, "event_type": "room.created", "occurred_at": "2026-01-02T03:04:05.678Z", "data": { "title": "invoices" }, "event_hash": "sha256:00" });
    let fake = Fake::new(&[
        ("GET /v1/events", 200, json!({ "events": [event], "next_cursor": null })),
        ("GET /v1/events/e1", 200, json!({ "event": event })),
    ]);
    let ran = against(
        &fake,
        &[
            "events",
            "list",
            "--stream",
            "room/room_1",
            "--from-seq",
            "3",
            "--type",
            "room.created,run.created",
            "--correlation",
            "c1",
            "--principal",
            "p1",
            "--before",
            "2026-01-03T00:00:00Z",
        ],
    )
    .exits(0);
    assert!(ran.stdout.contains("room/room_1") && ran.stdout.contains("invoices"), "{ran:?}");
    assert_eq!(
        fake.asked()[0].target,
        "/v1/events?stream_type=room&stream_id=room_1&event_type=room.created%2Crun.created&correlation_id=c1&subject_principal_id=p1&from_seq=3&before=2026-01-03T00%3A00%3A00.000Z"
    );
    assert!(against(&fake, &["events", "get", "e1"]).exits(0).stdout.contains("sha256:00"));
    against(&fake, &["events", "list", "--stream", "room_1"]).exits(2);
}

#[test]
fn why_tells_the_trace_in_words() {
    let decision = json!({ "decision_id": "dec_1", "outcome": "require_approval", "reason_code": "external_write_requires_approval", "approval_id": "appr_1", "blocked": true,
        "trace": [{ "step": "base", "result": "decided", "outcome": "require_approval", "reason_code": "external_write_requires_approval" }] });
    let fake = Fake::new(&[("GET /v1/decisions/dec_1", 200, json!({ "decision": decision }))]);
    let ran = against(&fake, &["why", "dec_1"]).exits(0);
    assert!(
        ran.stdout.contains("needs approval: a write to the outside needs an approval")
            && ran.stdout.contains("exeat approvals get appr_1"),
        "{ran:?}"
    );
    assert_eq!(against(&fake, &["why", "dec_1", "--json"]).json()["decision"], decision);
    against(&fake, &["why", "dec_2"]).exits(6);
}
