//! Would-blocks and the rules proposed for them.

use std::collections::BTreeSet;

use model::ask::Tunnel;
use model::decision::RuleId;
use model::*;
use policy::DefaultDecision;
use proptest::prelude::*;
use replay::propose::{Proposal, SIBLINGS_MIN};
use replay::shadow::{Group, State, Window};
use replay::{AsOf, Draft, Entry, Ids, Options, Report, Segment, WouldBlocks, propose, replay};
use rules::PolicySet;

use crate::log::{Asked, HIDES, asked, encode, entries, id, load, set, snapshot};

fn would_blocks(entries: &[Entry], active: &Draft) -> WouldBlocks {
    let encoded = encode(entries);
    let mut found = WouldBlocks::default();
    found.add(&Segment::decode(&encoded.facts).unwrap(), active, &now(), || Ids::decode(&encoded.ids).ok());
    found
}

fn now() -> Window {
    Window { since: None, until: None, now: Time::from_millis(crate::log::START) }
}

fn groups(entries: &[Entry], active: &PolicySet) -> Vec<Group> {
    would_blocks(entries, &Draft::of(active)).groups(&BTreeSet::new())
}

fn loaded(proposal: &Proposal) -> PolicySet {
    rules::load(&proposal.files).unwrap_or_else(|problems| panic!("{problems:?}\n{:?}", proposal.files)).set
}

/// What the rules make of entries.
fn outcomes(entries: &[Entry], rules: &PolicySet) -> Report {
    let encoded = encode(entries);
    let options = Options { since: None, until: None, as_of: AsOf::Then };
    let mut report = Report::on(Vec::<RuleId>::new());
    replay(&Segment::decode(&encoded.facts).unwrap(), &Draft::of(rules), &options, || None, &mut report);
    report
}

proptest! {
    #[test]
    fn groups_hold_every_would_block_once(asked in prop::collection::vec(asked(), 0..60), set in set(), default in any::<bool>()) {
        let default = if default { DefaultDecision::Allow } else { DefaultDecision::Deny };
        let entries = entries(&snapshot(default, Some(&set)), &asked, &HIDES);
        let groups = groups(&entries, &set);
        let want = entries.iter().filter(|entry| {
            let ruling = &entry.ruling;
            ruling.outcome != Outcome::Allow || ruling.trial.as_ref().is_some_and(|trial| trial.outcome > ruling.outcome)
        });
        prop_assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), want.count() as u64);
        let ids: BTreeSet<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        prop_assert_eq!(ids.len(), groups.len());
        // In two parts they are the same groups.
        let (one, other) = entries.split_at(entries.len() / 2);
        let active = Draft::of(&set);
        let mut merged = would_blocks(one, &active);
        merged.merge(would_blocks(other, &active));
        prop_assert_eq!(merged.groups(&BTreeSet::new()), groups);
    }

    #[test]
    fn a_proposal_loads_and_lets_pass_what_was_seen(asked in prop::collection::vec(asked(), 0..60), default in any::<bool>()) {
        let default = if default { DefaultDecision::Allow } else { DefaultDecision::Deny };
        let none = PolicySet::default();
        let entries = entries(&snapshot(default, None), &asked, &HIDES);
        let groups = groups(&entries, &none);
        let taken = ["seen-coder".to_owned()].into();
        let proposal = propose(&groups, &taken);
        let set = loaded(&proposal);
        prop_assert_eq!(set.rules.len() as u64, proposal.report.rules);
        prop_assert!(set.rules.iter().all(|rule| &*rule.id != "seen-coder"));

        // Everything in a group that is not left out passes.
        let left: BTreeSet<&str> = proposal.report.left_out.iter().map(|out| out.group.as_str()).collect();
        for group in &groups {
            let covered = !left.contains(group.id.as_str());
            let of_group = |entry: &&Entry| group.examples.iter().any(|example| example.decision_id == entry.id);
            let examples: Vec<Entry> = entries.iter().filter(of_group).cloned().collect();
            prop_assert!(!examples.is_empty());
            let report = outcomes(&examples, &set);
            let allowed: u64 = Outcome::ALL.iter().map(|before| report.matrix.get(*before, Outcome::Allow)).sum();
            prop_assert_eq!(allowed == examples.len() as u64, covered, "{:?}\n{}", group, proposal.files[0].text);
        }
        let after = outcomes(&entries, &set);
        prop_assert_eq!(after.matrix.newly(Outcome::Allow), proposal.report.decisions);

        // And with the rules active, those groups are resolved.
        let resolved = would_blocks(&entries, &Draft::of(&set)).groups(&BTreeSet::new());
        for group in &resolved {
            prop_assert_eq!(group.state == State::Resolved, !left.contains(group.id.as_str()));
        }

        // Every host that is named stands for one that was seen; none for all.
        for rule in &set.rules {
            for pattern in rule.hosts.iter().flatten() {
                let hosts: BTreeSet<&str> = groups.iter().filter_map(|group| group.key.host.as_deref()).collect();
                let meant = hosts.into_iter().filter(|host| pattern.matches(host)).count();
                match pattern {
                    DomainPattern::Any => prop_assert!(false, "{rule:?}"),
                    DomainPattern::Exact(_) => prop_assert_eq!(meant, 1),
                    DomainPattern::Suffix(suffix) => {
                        prop_assert_eq!(suffix, "example.com");
                        prop_assert!(meant >= SIBLINGS_MIN);
                    }
                }
            }
        }
    }
}

fn tunnel(host: &str, tunnel: Tunnel) -> Asked {
    let mut asked = visit(host, "CONNECT");
    if let model::ask::Subject::Egress(egress) = &mut asked.ask.subject {
        egress.tunnel = Some(tunnel);
    }
    asked
}

#[test]
fn what_was_reached_by_tls_is_not_proposed_for_more() {
    let entries = entries(
        &snapshot(DefaultDecision::Deny, None),
        &["a", "b", "c"].map(|name| tunnel(&format!("{name}.example.com:22"), Tunnel::Opaque)),
        &HIDES,
    );
    let groups = groups(&entries, &PolicySet::default());
    assert!(groups.len() == 3 && groups.iter().all(|group| group.key.opaque));
    let proposal = propose(&groups, &BTreeSet::new());
    assert_eq!(proposal.report.generalised, []);
    assert_eq!(outcomes(&entries, &loaded(&proposal)).matrix.newly(Outcome::Allow), 3);
    // The same hosts and ports by TLS are proposed without it, and then do not let more pass.
    let tls: Vec<Asked> = ["a", "b", "c"].map(|name| tunnel(&format!("{name}.example.com:22"), Tunnel::Tls)).into();
    let seen = crate::log::entries(&snapshot(DefaultDecision::Deny, None), &tls, &HIDES);
    let proposal = propose(&crate::shadow::groups(&seen, &PolicySet::default()), &BTreeSet::new());
    assert_eq!(outcomes(&seen, &loaded(&proposal)).matrix.newly(Outcome::Allow), 3);
    assert_eq!(outcomes(&entries, &loaded(&proposal)).matrix.newly(Outcome::Allow), 0);
}

fn visit(host: &str, method: &str) -> Asked {
    let target = TargetUrl::parse(&format!("https://{host}/")).unwrap();
    let subject = model::ask::EgressSubject {
        target_domain: Some(target.domain().to_owned()),
        target: Some(target),
        method: Some(method.into()),
        tunnel: None,
        credentials: Vec::new(),
    };
    let ask = Ask {
        workspace_id: id("ws_a"),
        action: Action::parse(if method == "GET" { "external.read" } else { "external.write" }).unwrap(),
        actor: Actor::new(ActorType::Agent, "a_coder"),
        principal_id: Some(id("p_coder")),
        capability_token_id: None,
        token_required: false,
        zone: None,
        room_id: None,
        thread_id: None,
        run_id: None,
        step_id: None,
        subject: model::ask::Subject::Egress(subject),
        narrowing: None,
        ask_digest: None,
    };
    Asked { ask, at: Time::from_millis(crate::log::START) }
}

#[test]
fn hosts_are_generalised_below_a_registrable_domain_only() {
    let check = |hosts: &[&str], want: &[&str]| {
        let asked: Vec<Asked> = hosts.iter().map(|host| visit(host, "GET")).collect();
        let entries = entries(&snapshot(DefaultDecision::Deny, None), &asked, &HIDES);
        let set = loaded(&propose(&groups(&entries, &PolicySet::default()), &BTreeSet::new()));
        let mut patterns: Vec<String> =
            set.rules.iter().flat_map(|rule| rule.hosts.iter().flatten()).map(ToString::to_string).collect();
        patterns.sort();
        assert_eq!(patterns, want, "{hosts:?}");
    };
    check(&["a.acme.com", "b.acme.com"], &["a.acme.com", "b.acme.com"]);
    check(&["a.acme.com", "b.acme.com", "c.acme.com"], &["*.acme.com"]);
    check(&["a.acme.com", "x.y.acme.com", "acme.com", "other.com"], &["*.acme.com", "other.com"]);
    // `co.uk` and `github.io` are suffixes: what is below them belongs to different people.
    check(&["a.co.uk", "b.co.uk", "c.co.uk"], &["a.co.uk", "b.co.uk", "c.co.uk"]);
    check(&["a.github.io", "b.github.io", "c.github.io"], &["a.github.io", "b.github.io", "c.github.io"]);
    // A suffix that the list does not know.
    check(
        &["a.corp.internal", "b.corp.internal", "c.corp.internal"],
        &["a.corp.internal", "b.corp.internal", "c.corp.internal"],
    );
    check(&["8.8.8.8", "8.8.4.4", "1.1.1.1"], &["1.1.1.1", "8.8.4.4", "8.8.8.8"]);
}

#[test]
fn a_proposal_reads_well() {
    let asked = [
        visit("api.acme.com", "GET"),
        visit("api.acme.com", "GET"),
        visit("hooks.acme.com", "POST"),
        visit("api.acme.com:8443", "PUT"),
        tunnel("api.acme.com:443", Tunnel::Tls),
        tunnel("git.acme.com:22", Tunnel::Opaque),
    ];
    let mut asked = asked.to_vec();
    asked[1].at = asked[1].at.plus(std::time::Duration::from_secs(86_400));
    let entries = entries(&snapshot(DefaultDecision::Deny, None), &asked, &HIDES);
    let proposal = propose(&groups(&entries, &PolicySet::default()), &BTreeSet::new());
    let want = "\
# Proposed from what was seen in shadow mode. Read each rule before you publish it:
# what should stay blocked, remove here.
[[allow]]
id = \"seen-coder\"
agent = \"coder\"
host = \"git.acme.com\"
method = \"CONNECT\"
port = 22
tunnel = \"opaque\"
reason = \"seen once on 2026-11-21\"

[[allow]]
id = \"seen-coder-2\"
agent = \"coder\"
host = \"api.acme.com\"
method = [\"CONNECT\", \"GET\"]
reason = \"seen 3 times from 2026-11-21 to 2026-11-22\"

[[allow]]
id = \"seen-coder-3\"
agent = \"coder\"
host = \"hooks.acme.com\"
method = \"POST\"
reason = \"seen once on 2026-11-21\"

[[allow]]
id = \"seen-coder-4\"
agent = \"coder\"
host = \"api.acme.com\"
method = \"PUT\"
port = 8443
reason = \"seen once on 2026-11-21\"
";
    assert_eq!(proposal.files[0].text, want);
    assert_eq!(proposal.files[0].text, rules::fmt::format("proposed.toml", want).unwrap());
}

#[test]
fn what_a_rule_forbids_is_left_to_people_and_what_was_reviewed_is_not_open() {
    let rules = load("[[deny]]\nid = \"no\"\nhost = \"api.acme.com\"\n");
    let entries = entries(
        &snapshot(DefaultDecision::Deny, Some(&rules)),
        &[visit("api.acme.com", "GET"), visit("b.acme.com", "GET")],
        &HIDES,
    );
    let found = would_blocks(&entries, &Draft::of(&rules));
    let open = found.groups(&BTreeSet::new());
    let proposal = propose(&open, &BTreeSet::new());
    assert_eq!((proposal.report.groups, proposal.report.left_out.len()), (1, 1));
    let reviewed = open.iter().map(|group| group.id.clone()).collect();
    let reviewed = found.groups(&reviewed);
    assert!(reviewed.iter().all(|group| group.state == State::Reviewed));
    assert_eq!(propose(&reviewed, &BTreeSet::new()), Proposal::default());
}
