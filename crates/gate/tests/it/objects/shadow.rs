//! From shadow traffic to rules: report, proposal, replay, review.

use gate::policies::{Expect, FileInput, PublishInput, ReplayInput};
use gate::shadow::{ProposeInput, ReviewInput};
use gate::{Caller, EgressInput, Gate};
use model::{Mode, Outcome, Role};
use replay::Report;
use replay::shadow::State;
use serde_json::json;

use crate::bed::{Bed, caller, code, data_of};

mod both {
    use crate::bed::on_both;
    on_both!(shadow_traffic_becomes_rules, a_replay_goes_on_where_it_stopped, what_cannot_be_replayed_is_refused);
}

fn to(url: &str, method: &str) -> EgressInput {
    EgressInput { target_url: Some(url.to_owned()), method: Some(method.to_owned()), ..EgressInput::default() }
}

fn files(text: &str) -> Option<Vec<FileInput>> {
    Some(vec![FileInput { name: "rules.toml".to_owned(), text: text.to_owned() }])
}

async fn publish(gate: &Gate, caller: &Caller, files: Option<Vec<FileInput>>) {
    let input = PublishInput { files, note: None, ..PublishInput::default() };
    gate.publish_policies(caller, input, Expect::Any).await.unwrap();
}

async fn shadow_traffic_becomes_rules(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    assert_eq!(gate.mode(&operator).mode, Mode::Shadow);
    for host in ["a", "b", "c"] {
        gate.request_egress(&operator, to(&format!("https://{host}.acme.com/x"), "GET"), None).await.unwrap();
    }
    gate.request_egress(&operator, to("https://evil.example.org/", "POST"), None).await.unwrap();
    let report = gate.shadow_report(&operator, None).await.unwrap();
    assert_eq!((report.decisions, report.open, report.ready, report.complete), (4, 4, false, true));
    assert_eq!(report.quiet_days, 0);
    assert_eq!(report.groups[0].examples.len(), 1);

    // One is to be blocked; the others become a rule.
    let evil = report.groups.iter().find(|group| group.key.host.as_deref() == Some("evil.example.org")).unwrap();
    let review = ReviewInput { groups: Some(vec![evil.id.clone()]), note: Some("exfiltration".to_owned()) };
    gate.review_would_blocks(&operator, review).await.unwrap();
    assert_eq!(data_of(&gate, "shadow.reviewed").await, [json!({"groups": [evil.id], "note": "exfiltration"})]);
    let proposal = gate.propose_policies(&operator, ProposeInput::default()).await.unwrap();
    assert_eq!((proposal.report.rules, proposal.report.groups, proposal.report.decisions), (1, 3, 3));
    assert!(proposal.files[0].text.contains("host = \"*.acme.com\""), "{}", proposal.files[0].text);
    assert!(!proposal.files[0].text.contains("evil"));

    // Replayed before it is published: three become an allow.
    let draft = || proposal.files.iter().map(|file| FileInput { name: file.name.clone(), text: file.text.clone() });
    let input = ReplayInput { files: Some(draft().collect()), ..ReplayInput::default() };
    let replayed = gate.replay_policies(&operator, input).await.unwrap();
    assert_eq!((replayed.scanned, replayed.remaining, replayed.next_cursor.as_deref()), (4, 0, None));
    assert_eq!(replayed.report.matrix.newly(Outcome::Allow), 3);
    assert_eq!(replayed.report.matrix.changed(), 3);

    publish(&gate, &operator, Some(draft().collect())).await;
    let operator = gate.fresh(operator).await.unwrap();
    let report = gate.shadow_report(&operator, None).await.unwrap();
    assert_eq!((report.open, report.resolved, report.reviewed, report.ready), (0, 3, 1, true));
    assert!(report.groups.iter().all(|group| group.state != State::Open));
    let nothing = gate.propose_policies(&operator, ProposeInput::default()).await.unwrap();
    assert!(nothing.files.is_empty());
}

async fn a_replay_goes_on_where_it_stopped(bed: &Bed) {
    // Two gates on one store are two processes: each has a segment of its own.
    let (gate, other) = (bed.shadow_gate().await, bed.shadow_gate().await);
    let operator = caller(&gate, Role::Operator, None).await;
    for n in 0..3 {
        gate.request_egress(&operator, to(&format!("https://a.acme.com/{n}"), "GET"), None).await.unwrap();
        other.request_egress(&operator, to(&format!("https://b.acme.com/{n}"), "GET"), None).await.unwrap();
    }
    other.flush_logs().await;
    let rules = "[[allow]]\nid = \"a\"\nhost = \"a.acme.com\"\n[[deny]]\nid = \"b\"\nhost = \"b.acme.com\"\n";
    let whole = ReplayInput { files: files(rules), ..ReplayInput::default() };
    let whole = gate.replay_policies(&operator, whole).await.unwrap();
    assert_eq!((whole.scanned, whole.report.segments), (6, 2));
    let first = ReplayInput { files: files(rules), limit: Some(1), ..ReplayInput::default() };
    let first = gate.replay_policies(&operator, first).await.unwrap();
    assert_eq!((first.scanned, first.remaining), (3, 3));
    let mut merged: Report = serde_json::from_value(serde_json::to_value(&first.report).unwrap()).unwrap();
    let rest = ReplayInput { files: files(rules), cursor: first.next_cursor, ..ReplayInput::default() };
    let rest = gate.replay_policies(&operator, rest).await.unwrap();
    merged.merge(&rest.report);
    let last = match rest.next_cursor {
        None => 0,
        Some(_) => rest.remaining,
    };
    assert_eq!((last, merged), (0, whole.report.clone()));
    assert_eq!(whole.report.matrix.get(Outcome::RequireApproval, Outcome::Deny), 3);
    let now = ReplayInput { files: files(rules), as_of: Some("now".to_owned()), ..ReplayInput::default() };
    assert_eq!(gate.replay_policies(&operator, now).await.unwrap().report.matrix, whole.report.matrix);
}

async fn what_cannot_be_replayed_is_refused(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let check = async |input: ReplayInput, want: &str| {
        assert_eq!(code(gate.replay_policies(&operator, input).await), want);
    };
    check(ReplayInput::default(), "invalid_request").await;
    check(ReplayInput { files: files("[[allow]]"), ..ReplayInput::default() }, "invalid_policy").await;
    let good = || ReplayInput { files: files(""), ..ReplayInput::default() };
    check(ReplayInput { since: Some("yesterday".to_owned()), ..good() }, "invalid_request").await;
    check(ReplayInput { as_of: Some("later".to_owned()), ..good() }, "invalid_request").await;
    check(ReplayInput { cursor: Some("x".to_owned()), ..good() }, "invalid_request").await;
    assert_eq!(gate.replay_policies(&operator, good()).await.unwrap().scanned, 0);
    let review = |groups: &[&str]| ReviewInput {
        groups: Some(groups.iter().map(|group| (*group).to_owned()).collect()),
        note: None,
    };
    assert_eq!(code(gate.review_would_blocks(&operator, review(&[])).await), "invalid_request");
    assert_eq!(code(gate.review_would_blocks(&operator, review(&["x"])).await), "invalid_request");
}
