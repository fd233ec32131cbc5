//! What a replay finds is what would have been decided.

use std::sync::Arc;

use model::*;
use policy::{DefaultDecision, Rules, Snapshot, decide};
use proptest::prelude::*;
use replay::differences::Matrix;
use replay::report::Missing;
use replay::{AsOf, Draft, Entry, Ids, Options, Report, Segment, replay};
use rules::PolicySet;

use crate::log::{Asked, HIDES, Word, asked, encode, entries, id, load, set, snapshot};

const NOTHING: Word = Word("there is no such word");

fn options(as_of: AsOf<'_>) -> Options<'_> {
    Options { since: None, until: None, as_of }
}

fn replayed(entries: &[Entry], draft: &Draft, options: &Options<'_>) -> Report {
    let encoded = encode(entries);
    let segment = Segment::decode(&encoded.facts).unwrap();
    let mut report = Report::on(draft.ids().to_vec());
    replay(&segment, draft, options, || Ids::decode(&encoded.ids).ok(), &mut report);
    report
}

fn then() -> Options<'static> {
    options(AsOf::Then)
}

/// What would have been decided under other rules.
fn truth(mut snapshot: Snapshot, rules: &PolicySet, ask: &Ask, at: Time) -> Outcome {
    let pack = Arc::new(rules::compile(rules));
    snapshot.put_rules(&id("ws_a"), Some(Rules { version: 2, pack }));
    decide(&snapshot, ask, at, &[]).outcome
}

fn default() -> impl Strategy<Value = DefaultDecision> {
    prop_oneof![Just(DefaultDecision::Allow), Just(DefaultDecision::Deny)]
}

proptest! {
    #[test]
    fn the_same_rules_make_no_difference(asked in prop::collection::vec(asked(), 0..80), set in set(), default in default()) {
        let entries = entries(&snapshot(default, Some(&set)), &asked, &HIDES);
        let known = replayed(&entries, &Draft::of(&set), &then());
        prop_assert_eq!(known.matrix.changed(), 0);
        prop_assert_eq!(known.matrix.all() + known.indeterminate_rows(), asked.len() as u64);
        prop_assert!(known.by_rule.top().is_empty() && known.runs.examples.is_empty());

        let ids = set.rules.iter().map(|rule| rule.id.clone()).collect();
        let pack = replayed(&entries, &Draft::of_pack(Arc::new(rules::compile(&set)), ids), &then());
        prop_assert_eq!(pack.matrix.changed(), 0);
        prop_assert!(pack.indeterminate_rows() >= known.indeterminate_rows());
    }

    #[test]
    fn other_rules_make_the_difference_they_would_have_made(
        asked in prop::collection::vec(asked(), 0..60), old in set(), new in set(), default in default(),
    ) {
        let snapshot = snapshot(default, Some(&old));
        let entries = entries(&snapshot, &asked, &NOTHING);
        let mut want = Matrix::default();
        for (Asked { ask, at }, entry) in asked.iter().zip(&entries) {
            want.add(entry.ruling.outcome, truth(snapshot.clone(), &new, ask, *at), 1);
        }
        let report = replayed(&entries, &Draft::of(&new), &then());
        prop_assert_eq!(report.matrix, want);
        prop_assert_eq!(report.indeterminate_rows(), 0);
        for by in [&report.by_rule, &report.by_agent] {
            prop_assert!(by.top().iter().map(|(_, each)| each.count).sum::<u64>() >= want.changed());
        }
        let by_agent: u64 = report.by_agent.top().iter().map(|(_, each)| each.matrix.changed()).sum();
        prop_assert_eq!(by_agent, want.changed());
    }

    #[test]
    fn what_was_not_kept_is_never_guessed(asked in asked(), old in set(), new in set(), default in default()) {
        let snapshot = snapshot(default, Some(&old));
        let truth = truth(snapshot.clone(), &new, &asked.ask, asked.at);
        let entries = entries(&snapshot, std::slice::from_ref(&asked), &HIDES);
        let ids = new.rules.iter().map(|rule| rule.id.clone()).collect();
        for draft in [Draft::of(&new), Draft::of_pack(Arc::new(rules::compile(&new)), ids)] {
            let report = replayed(&entries, &draft, &then());
            if report.indeterminate_rows() == 0 {
                prop_assert_eq!(report.matrix.get(entries[0].ruling.outcome, truth), 1);
            }
        }
    }

    #[test]
    fn as_of_now_is_what_would_be_decided_now(
        asked in prop::collection::vec(asked(), 0..40), old in set(), new in set(), now in 0..4 * 24 * 60_i64,
    ) {
        let log = entries(&snapshot(DefaultDecision::Allow, Some(&old)), &asked, &NOTHING);
        // Since then the default has changed, and an agent was quarantined.
        let mut today = snapshot(DefaultDecision::Deny, Some(&old));
        let mut agent = today.agent(&id("ws_a"), &id("a_coder")).unwrap().clone();
        agent.quarantined_at = Some(Time::from_millis(0));
        today.put_agent(agent);
        let at = Time::from_millis(crate::log::START + now * 60_000);
        let mut want = Matrix::default();
        for (Asked { ask, .. }, entry) in asked.iter().zip(&log) {
            want.add(entry.ruling.outcome, truth(today.clone(), &new, ask, at), 1);
        }
        let as_of = AsOf::Now { snapshot: &today, workspace_id: &id("ws_a"), at };
        prop_assert_eq!(replayed(&log, &Draft::of(&new), &options(as_of)).matrix, want);
    }

    #[test]
    fn parts_merge_to_the_whole(
        asked in prop::collection::vec(asked(), 0..60), old in set(), new in set(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let entries = entries(&snapshot(DefaultDecision::Deny, Some(&old)), &asked, &HIDES);
        let draft = Draft::of(&new);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(entries.len() + 1)).collect();
        cuts.push(entries.len());
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut start = 0;
        for end in cuts {
            parts.push(replayed(&entries[start..end], &draft, &then()));
            start = end;
        }
        let mut whole = replayed(&entries, &draft, &then());
        whole.segments = parts.len() as u64;
        for parts in [parts.clone(), parts.into_iter().rev().collect()] {
            let mut merged = Report::on(draft.ids().to_vec());
            for part in parts {
                let text = serde_json::to_string(&part).unwrap();
                let read: Report = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&read, &part);
                merged.merge(&read);
            }
            prop_assert_eq!(&merged, &whole);
        }
    }

    #[test]
    fn a_window_is_the_rows_in_it(asked in prop::collection::vec(asked(), 0..40), from in 0..96_i64, to in 0..96_i64) {
        let entries = entries(&snapshot(DefaultDecision::Deny, None), &asked, &HIDES);
        let hour = |n: i64| Time::from_millis(crate::log::START + n * 3_600_000);
        let options = Options { since: Some(hour(from)), until: Some(hour(to)), as_of: AsOf::Then };
        let report = replayed(&entries, &Draft::of(&PolicySet::default()), &options);
        let inside = asked.iter().filter(|asked| asked.at >= hour(from) && asked.at < hour(to)).count();
        prop_assert_eq!(report.rows, inside as u64);
    }
}

fn get(path: &str, minute: i64, run: &str) -> Asked {
    let target = TargetUrl::parse(&format!("https://api.example.com{path}")).unwrap();
    let subject = model::ask::EgressSubject {
        target_domain: Some(target.domain().to_owned()),
        target: Some(target),
        method: Some("GET".into()),
        tunnel: None,
        credentials: Vec::new(),
    };
    let ask = Ask {
        workspace_id: id("ws_a"),
        action: Action::parse("external.read").unwrap(),
        actor: Actor::new(ActorType::Agent, "a_coder"),
        principal_id: Some(id("p_coder")),
        capability_token_id: None,
        token_required: false,
        zone: None,
        room_id: None,
        thread_id: None,
        run_id: Some(id(run)),
        step_id: None,
        subject: model::ask::Subject::Egress(subject),
        narrowing: None,
        ask_digest: None,
    };
    Asked { ask, at: Time::from_millis(crate::log::START + minute * 60_000) }
}

const OPEN: &str = "[[allow]]\nid = \"open\"\nhost = \"*.example.com\"\n";

#[test]
fn a_deny_shows_with_its_rule_runs_and_examples() {
    let old = load(OPEN);
    let asked: Vec<Asked> = (0..10).map(|n| get("/a", n, if n < 5 { "run_1" } else { "run_2" })).collect();
    let entries = entries(&snapshot(DefaultDecision::Deny, Some(&old)), &asked, &HIDES);
    let new = load(&format!(
        "{OPEN}[[deny]]\nid = \"no\"\npath = \"/a\"\nhost = \"*.example.com\"\n[[deny]]\nid = \"idle\"\ntool = \"x\"\n"
    ));
    let report = replayed(&entries, &Draft::of(&new), &then());
    assert_eq!(report.matrix.get(Outcome::Allow, Outcome::Deny), 10);
    assert_eq!(report.matrix.newly(Outcome::Deny), 10);
    let [("no", by_rule)] = report.by_rule.top()[..] else { panic!("{report:?}") };
    assert_eq!((by_rule.count, by_rule.first_seen, by_rule.last_seen), (10, asked[0].at, asked[9].at));
    let examples: Vec<&str> = by_rule.examples.iter().map(|each| each.decision_id.as_str()).collect();
    assert_eq!(examples, ["dec_00000", "dec_00001", "dec_00002"]);
    assert_eq!(report.by_agent.top()[0].0, "agent:coder");
    assert_eq!(report.by_host.top()[0].0, "api.example.com");
    assert_eq!((report.runs.failing.count(), report.runs.waiting.count()), (2, 0));
    let never: Vec<&str> = report.never_hit.iter().map(|rule| &**rule).collect();
    assert_eq!(never, ["idle", "open"]);
}

#[test]
fn an_ask_counts_once_a_day_for_who_what_and_where() {
    let asked: Vec<Asked> = (0..3).flat_map(|day| (0..5).map(move |n| get("/", day * 24 * 60 + n, "run_1"))).collect();
    let entries = entries(&snapshot(DefaultDecision::Deny, Some(&load(OPEN))), &asked, &HIDES);
    let report = replayed(&entries, &Draft::of(&PolicySet::default()), &then());
    let days: Vec<_> =
        report.approvals.days().map(|(day, each)| (day.to_owned(), each.then.count(), each.with.count())).collect();
    let day = |n: u32| (format!("2026-11-{n}"), 0, 1);
    assert_eq!(days, [day(21), day(22), day(23)]);
    assert_eq!(report.runs.waiting.count(), 1);
}

#[test]
fn a_path_that_was_not_kept_matters_only_where_a_rule_looks_at_it() {
    let entries = entries(&snapshot(DefaultDecision::Deny, Some(&load(OPEN))), &[get("/hush", 0, "run_1")], &HIDES);
    let check = |rules: &str, open: bool| {
        let named = rules.replace("]]\nhost", "]]\nid = \"a\"\nhost").replace("]]\nagent", "]]\nid = \"b\"\nagent");
        let report = replayed(&entries, &Draft::of(&load(&named)), &then());
        assert_eq!(report.indeterminate.get(&Missing::Path).copied(), open.then_some(1), "{rules}\n{report:?}");
    };
    check(OPEN, false);
    check("", false);
    check("[[allow]]\nhost = \"api.example.com\"\npath = \"/a\"\n", true);
    check("[[deny]]\nhost = \"api.example.com\"\npath = \"/a\"\n", true);
    check("[[deny]]\nhost = \"api.example.com\"\npath = \"/a\"\n[[deny]]\nagent = \"coder\"\n", false);
    // Elsewhere, so whatever the path was.
    check("[[deny]]\nhost = \"other.example.com\"\npath = \"/a\"\n", false);
    check("[[deny]]\nhost = \"api.example.com\"\npath = \"/a\"\nmethod = \"POST\"\n", false);
    check("[[deny]]\nhost = \"api.example.com\"\npath = \"/a\"\nshadow = true\n", false);
    // It asks anyway.
    check("[[ask]]\nhost = \"api.example.com\"\npath = \"/a\"\n", false);
    check(&format!("{OPEN}[[ask]]\nhost = \"api.example.com\"\npath = \"/a\"\n"), true);
}

#[test]
fn quota_and_single_use_are_not_compared() {
    let mut entries = entries(
        &snapshot(DefaultDecision::Deny, None),
        &[get("/", 0, "r"), get("/", 1, "r"), get("/", 2, "r")],
        &HIDES,
    );
    entries[0].ruling.by_quota = true;
    entries[1].ruling.by_once = true;
    let report = replayed(&entries, &Draft::of(&load(OPEN)), &then());
    assert_eq!((report.excluded.quota, report.excluded.once, report.matrix.all()), (1, 1, 1));
    assert_eq!(report.rows, 3);
}
