//! Publishing: what holds afterwards, what is refused, who wins.

use gate::RefusalKind;
use gate::policies::Expect;
use model::{Outcome, ReasonCode, Role};
use serde_json::json;

use super::{ask, files, publish, rule, set};
use crate::bed::{Bed, assert_sound, caller, code, data_of, head, refusal, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(
        what_is_published_holds_at_once,
        the_expected_version_decides,
        one_of_two_publishers_wins,
        what_cannot_hold_is_refused_with_its_place,
        tests_must_pass,
        nothing_of_the_text_is_in_an_event,
    );
}

async fn what_is_published_holds_at_once(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let before = ask(&gate, &operator, "a.test").await;
    assert_eq!((before.decision, before.reason_code), (Outcome::Allow, ReasonCode::DefaultAllow), "the control");
    let moved = head(&gate).await;
    let first = publish(&gate, &operator, &rule("deny", "no-a", "a.test"), Expect::Nothing).await.unwrap();
    assert_eq!((first.version, first.rules, first.files, first.unchanged, first.previous_version), (1, 1, 1, false, 0));
    assert_eq!(head(&gate).await, moved + 1);
    let denied = ask(&gate, &operator, "a.test").await;
    assert_eq!((denied.decision, denied.reason_code), (Outcome::Deny, ReasonCode::PolicyDenies));
    assert_eq!(denied.rules, ["no-a"]);
    assert_eq!(ask(&gate, &operator, "b.test").await.decision, Outcome::Allow);
    // Taking a rule back is as immediate (invariant 7).
    for n in 1..20 {
        let (text, outcome) = match n % 2 {
            1 => (rule("ask", "a", "a.test"), Outcome::RequireApproval),
            _ => (rule("deny", "no-a", "a.test"), Outcome::Deny),
        };
        let next = publish(&gate, &operator, &text, Expect::Version(n)).await.unwrap();
        assert_eq!((next.version, next.previous_version), (n + 1, n));
        assert_eq!(ask(&gate, &operator, "a.test").await.decision, outcome, "version {}", n + 1);
    }
    let kept = gate.fresh(operator.clone()).await.unwrap();
    let id = ask(&gate, &operator, "a.test").await.decision_id.unwrap();
    let row = gate.why(&kept, &id).await.unwrap().unwrap().row;
    assert_eq!((row.policy_version, row.rules.as_str()), (Some(20), r#"["a"]"#));
    assert_sound(bed, &gate).await;
}

async fn the_expected_version_decides(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let (a, b, c) = (rule("deny", "a", "a.test"), rule("deny", "b", "b.test"), rule("deny", "c", "c.test"));
    assert_eq!(code(publish(&gate, &operator, &a, Expect::Version(1)).await), "policy_version_mismatch");
    assert_eq!(publish(&gate, &operator, &a, Expect::Version(0)).await.unwrap().version, 1);
    let missing = refusal(publish(&gate, &operator, &b, Expect::Nothing).await);
    assert_eq!((missing.kind, missing.code), (RefusalKind::PreconditionRequired, "precondition_required"));
    let other = refusal(publish(&gate, &operator, &b, Expect::Version(7)).await);
    assert_eq!((other.kind, other.code), (RefusalKind::PreconditionFailed, "policy_version_mismatch"));
    assert_eq!(other.members, [("version", json!(1))]);
    assert_eq!(publish(&gate, &operator, &b, Expect::Version(1)).await.unwrap().version, 2);
    // The same set again, as when an answer was lost: nothing new, whatever was expected.
    let head_before = head(&gate).await;
    for expect in [Expect::Nothing, Expect::Version(1), Expect::Version(2), Expect::Any] {
        let again = publish(&gate, &operator, &b, expect).await.unwrap();
        assert_eq!((again.version, again.unchanged), (2, true), "{expect:?}");
    }
    assert_eq!(head(&gate).await, head_before);
    assert_eq!(publish(&gate, &operator, &c, Expect::Any).await.unwrap().version, 3);
    // A text that held before makes a version of its own.
    assert_eq!(publish(&gate, &operator, &a, Expect::Version(3)).await.unwrap().version, 4);
    assert_eq!(data_of(&gate, "policy_set.published").await.len(), 4);
}

async fn one_of_two_publishers_wins(bed: &Bed) {
    let (here, there) = (bed.gate().await, bed.gate().await);
    let operator = caller(&here, Role::Operator, None).await;
    for version in 0..12 {
        let expect = if version == 0 { Expect::Nothing } else { Expect::Version(version) };
        let texts: Vec<String> = (0..4).map(|n| rule("deny", &format!("r{version}-{n}"), "a.test")).collect();
        let (one, two, three, four) = tokio::join!(
            publish(&here, &operator, &texts[0], expect),
            publish(&there, &operator, &texts[1], expect),
            publish(&here, &operator, &texts[2], expect),
            publish(&there, &operator, &texts[3], expect),
        );
        let outcomes = [one, two, three, four];
        let won: Vec<u64> = outcomes.iter().filter_map(|each| each.as_ref().ok().map(|set| set.version)).collect();
        assert_eq!(won, [version + 1], "{outcomes:?}");
        for lost in outcomes.into_iter().filter(Result::is_err) {
            let lost = refusal(lost);
            let wanted = if version == 0 { "precondition_required" } else { "policy_version_mismatch" };
            assert_eq!((lost.code, &lost.members[0]), (wanted, &("version", json!(version + 1))));
        }
    }
    let kept = here.store().policy_versions(&workspace(), None, 100).await.unwrap();
    let numbers: Vec<i64> = kept.iter().rev().map(|row| row.version).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<i64>>(), "no gaps");
    assert_sound(bed, &here).await;
}

async fn what_cannot_hold_is_refused_with_its_place(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    publish(&gate, &operator, &rule("deny", "a", "a.test"), Expect::Nothing).await.unwrap();
    let before = head(&gate).await;
    let bad = refusal(publish(&gate, &operator, "[[deny]]\nid = \"x\"\nhots = \"a.test\"\n", Expect::Version(1)).await);
    assert_eq!((bad.kind, bad.code), (RefusalKind::Unprocessable, "invalid_policy"));
    let problem = &bad.members[0].1[0];
    assert_eq!((&problem["file"], &problem["line"]), (&json!("main.toml"), &json!(3)), "{problem}");
    let secret = format!("ghp_{}", "aB3dE5fG7h".repeat(4).get(..36).unwrap());
    let text = format!("{}reason = \"{secret}\"\n", rule("deny", "b", "b.test"));
    let bad = refusal(publish(&gate, &operator, &text, Expect::Version(1)).await);
    assert_eq!(bad.code, "invalid_policy");
    assert_eq!(bad.members[0].1[0]["line"], json!(4));
    assert!(!format!("{bad:?}").contains(&secret), "a secret is not shown");
    for names in [["a.toml", "a.toml"], ["a.toml", "../b.toml"], ["a.toml", "b.txt"]] {
        let bad = refusal(gate.publish_policies(&operator, files(&names.map(|name| (name, ""))), Expect::Any).await);
        assert_eq!((bad.code, bad.field.as_deref()), ("invalid_request", Some("/files/1/name")));
    }
    assert_eq!(code(gate.publish_policies(&operator, Default::default(), Expect::Any).await), "invalid_request");
    let large = "#".repeat(gate::policies::BYTES_MAX + 1);
    assert_eq!(code(publish(&gate, &operator, &large, Expect::Any).await), "invalid_request");
    assert_eq!(head(&gate).await, before, "nothing was written");
    assert_eq!(ask(&gate, &operator, "a.test").await.decision, Outcome::Deny, "what held still holds");
    // A set without rules is a set.
    let none = gate.publish_policies(&operator, files(&[]), Expect::Version(1)).await.unwrap();
    assert_eq!((none.version, none.rules), (2, 0));
    assert_eq!(ask(&gate, &operator, "a.test").await.decision, Outcome::Allow);
}

async fn tests_must_pass(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let test = |expect: &str| {
        format!("[[case]]\nname = \"a is denied\"\nask = {{ url = \"https://a.test\" }}\nexpect = \"{expect}\"\n")
    };
    let with = |expect: &str| {
        files(&[("main.toml", rule("deny", "a", "a.test").as_str()), ("main.test.toml", test(expect).as_str())])
    };
    let failed = refusal(gate.publish_policies(&operator, with("allow"), Expect::Nothing).await);
    assert_eq!((failed.kind, failed.code), (RefusalKind::Unprocessable, "policy_tests_failed"));
    let result = &failed.members[0].1[0];
    assert_eq!(
        (&result["name"], &result["file"], &result["line"], &result["expected"], &result["got"]),
        (&json!("a is denied"), &json!("main.test.toml"), &json!(1), &json!("allow"), &json!("deny"))
    );
    assert_eq!(ask(&gate, &operator, "a.test").await.decision, Outcome::Allow, "nothing was published");
    let passed = gate.publish_policies(&operator, with("deny"), Expect::Nothing).await.unwrap();
    assert_eq!((passed.version, passed.tests_passed, passed.files), (1, 1, 2));
    let report = gate.test_policies(&operator, Default::default()).await.unwrap();
    assert_eq!((report.passed, report.failed, report.results[0].rules.as_slice()), (1, 0, &["a".to_owned()][..]));
    let bad = refusal(gate.publish_policies(&operator, with("denny"), Expect::Any).await);
    assert_eq!((bad.code, &bad.members[0].1[0]["file"]), ("invalid_policy", &json!("main.test.toml")));
}

async fn nothing_of_the_text_is_in_an_event(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let mut input = set(&rule("deny", "the-rule", "a.test"));
    input.note = Some("first rules".to_owned());
    let first = gate.publish_policies(&operator, input, Expect::Nothing).await.unwrap();
    let told = data_of(&gate, "policy_set.published").await;
    assert_eq!(
        told,
        [json!({"version": 1, "digest": first.digest, "previous_version": 0, "rules": 1, "files": 1,
                "source": "api", "note": "first rules"})]
    );
}
