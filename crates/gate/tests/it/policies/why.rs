//! Why a decision came out so: its rules with their lines, and the one that almost matched.

use gate::decision::why::FactsKept;
use gate::policies::Expect;
use gate::{AuthorizeInput, EgressInput};
use model::{DecisionId, Outcome, Role};
use serde_json::json;

use super::{ask, publish, rule};
use crate::bed::{Bed, caller, first};

mod both {
    use crate::bed::on_both;
    on_both!(a_decision_names_its_rules_and_the_nearest_one, what_was_not_kept_is_said);
}

const RULES: &str = r#"
[[deny]]
id = "no-tests"
host = "*.test"
reason = "nothing there"

[[allow]]
id = "reads"
host = "a.test"
method = ["GET", "HEAD"]

[[deny]]
id = "later"
shadow = true
host = "b.example"
"#;

async fn a_decision_names_its_rules_and_the_nearest_one(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    publish(&gate, &operator, RULES, Expect::Nothing).await.unwrap();
    let operator = gate.fresh(operator).await.unwrap();
    let why = async |method: &str, host: &str| {
        let input = EgressInput {
            target_url: Some(format!("https://{host}/x?q=1")),
            action: Some("internal.read".to_owned()),
            method: Some(method.to_owned()),
            ..EgressInput::default()
        };
        let answer = first(gate.request_egress(&operator, input, None).await);
        gate.why(&operator, &DecisionId::from(answer.egress_request_id)).await.unwrap().unwrap()
    };
    let denied = why("POST", "a.test").await;
    assert_eq!((denied.row.decision.as_str(), denied.row.policy_version), ("deny", Some(1)));
    let by = &denied.rules[0];
    assert_eq!((by.id.as_str(), by.file.as_deref(), by.line), ("no-tests", Some("main.toml"), Some(2)));
    assert_eq!(by.reason.as_deref(), Some("nothing there"));
    assert_eq!(denied.facts, FactsKept::Kept);
    let near = denied.nearest.unwrap();
    assert_eq!((near.id.as_str(), near.line, near.failed.len()), ("reads", 7, 1));
    let failed = &near.failed[0];
    assert_eq!(
        (failed.selector.as_str(), failed.wants.as_str(), failed.was.as_deref()),
        ("method", r#"["GET", "HEAD"]"#, Some("POST"))
    );
    assert_eq!(
        near.sentence,
        r#"Rule `reads` (main.toml:7) would allow it, but its method is ["GET", "HEAD"] and it was POST."#
    );
    // A later version changes nothing about why this was.
    let tried = why("GET", "b.example").await;
    assert_eq!((tried.row.decision.as_str(), tried.rules.len()), ("allow", 0));
    assert_eq!(tried.trial.map(|other| other.outcome), Some(Outcome::Deny));
    let id = DecisionId::from_stored(denied.row.decision_id.to_string());
    publish(&gate, &operator, &format!("# moved\n\n\n{RULES}"), Expect::Version(1)).await.unwrap();
    let again = gate.why(&operator, &id).await.unwrap().unwrap();
    assert_eq!((again.rules[0].line, again.row.policy_version), (Some(2), Some(1)));
    let new = why("POST", "a.test").await;
    assert_eq!((new.rules[0].line, new.row.policy_version), (Some(5), Some(2)));
}

async fn what_was_not_kept_is_said(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let before = ask(&gate, &operator, "a.test").await.decision_id.unwrap();
    let text = "[tools.pay]\n\"/amount\" = \"number\"\n\n\
        [[deny]]\nid = \"no-pay\"\ntool = \"pay\"\n\n\
        [[allow]]\nid = \"small\"\ntool = \"pay\"\nwhen = { arg = \"/amount\", lt = 10 }\n";
    publish(&gate, &operator, text, Expect::Nothing).await.unwrap();
    let operator = gate.fresh(operator).await.unwrap();
    let call = |amount: u64| AuthorizeInput {
        category: Some("tool_call".to_owned()),
        context: Some(json!({"tool_call": {"tool_name": "pay", "input": {"amount": amount}}})),
        ..AuthorizeInput::default()
    };
    let denied = gate.authorize(&operator, call(12)).await.unwrap();
    let why = gate.why(&operator, denied.decision_id.as_ref().unwrap()).await.unwrap().unwrap();
    assert_eq!((why.facts, why.rules[0].id.as_str()), (FactsKept::Kept, "no-pay"));
    let near = why.nearest.unwrap();
    assert_eq!((near.id.as_str(), near.failed[0].selector.as_str()), ("small", "when"));
    // Before there was a set there is no version to read.
    let mut early = None;
    for _ in 0..100 {
        early = gate.why(&operator, &before).await.unwrap();
        if early.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let early = early.unwrap();
    assert_eq!((early.row.policy_version, early.facts, early.nearest), (None, FactsKept::NotKept, None));
    publish(&gate, &operator, &rule("deny", "a", "a.test"), Expect::Version(1)).await.unwrap();
}
