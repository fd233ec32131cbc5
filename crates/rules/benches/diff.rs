//! What the exact difference of two sets of 10,000 rules costs, and the checks of one.
//!
//! The sets mix agents, groups, hosts, methods, paths, tools and hours: a small change, a sweeping
//! rule added, every effect changed, every rule replaced, and agents and hosts that cross each other.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench fails by panicking and says what it found"
)]

use std::fmt::Write as _;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::DefaultDecision;
use rules::diff::{DiffOptions, diff};
use rules::never::Assertion;
use rules::{Effect, PolicySet, Source, check, load};

const RULES: usize = 10_000;

fn set(text: String) -> PolicySet {
    load(&[Source { name: "bench.toml".into(), text }]).unwrap().set
}

/// Rules as a large installation has them; `salt` moves every agent and host.
fn mixed(salt: usize) -> PolicySet {
    let mut text = "[groups]\nci = [\"agent:agent1\", \"agent:agent2\", \"agent:agent3\"]\n".to_owned();
    text.push_str("[tools.\"payment.send\"]\n\"/amount\" = \"number\"\n");
    for n in 0..RULES {
        let effect = ["allow", "allow", "allow", "allow", "ask", "deny"][n % 6];
        let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let (agent, host) = (spread % 1_000 + salt * 1_000, spread / 1_000 % 3_000 + salt * 3_000);
        writeln!(text, "[[{effect}]]\nid = \"r{n}\"").unwrap();
        match n % 10 {
            0..6 => writeln!(
                text,
                "agent = \"agent{agent}\"\nhost = \"*.svc{host}.example.com\"\nmethod = [\"GET\", \"POST\"]"
            ),
            6 => {
                writeln!(text, "agent = \"agent{agent}\"\nhost = \"api.svc{host}.example.com\"\npath = \"/v{}\"", n % 5)
            }
            7 => writeln!(text, "host = \"www.svc{host}.example.com\"\nmethod = \"GET\""),
            8 if n % 1_000 == 8 => writeln!(text, "group = \"ci\"\nmethod = \"DELETE\""),
            8 => writeln!(
                text,
                "agent = \"agent{agent}\"\nhost = \"svc{host}.example.org\"\nhours = \"mon-fri 08:00-18:00\""
            ),
            _ => writeln!(
                text,
                "agent = \"agent{agent}\"\ntool = \"payment.send\"\nwhen = {{ arg = \"/amount\", gt = {} }}",
                n % 97
            ),
        }
        .unwrap();
    }
    set(text)
}

/// Half about agents, half about hosts, so that every agent meets every host.
fn crossing(effects: [Effect; 2]) -> PolicySet {
    let mut text = String::new();
    for n in 0..RULES / 2 {
        writeln!(text, "[[{}]]\nid = \"a{n}\"\nagent = \"agent{n}\"", effects[0]).unwrap();
        writeln!(text, "[[{}]]\nid = \"h{n}\"\nhost = \"svc{n}.example.com\"", effects[1]).unwrap();
    }
    set(text)
}

fn turned(mut set: PolicySet) -> PolicySet {
    for rule in &mut set.rules {
        rule.effect = match rule.effect {
            Effect::Allow => Effect::Ask,
            Effect::Ask => Effect::Deny,
            Effect::Deny => Effect::Allow,
        };
    }
    set
}

fn pairs() -> Vec<(&'static str, PolicySet, PolicySet)> {
    let base = mixed(0);
    let mut small = base.clone();
    small.rules.remove(1_234);
    small.rules[5_000].effect = Effect::Deny;
    let mut sweeping = base.clone();
    sweeping.rules.extend(set("[[deny]]\nid = \"sweep\"\nmethod = \"POST\"\n".to_owned()).rules);
    let turned_base = turned(base.clone());
    vec![
        ("same", base.clone(), base.clone()),
        ("small change", base.clone(), small),
        ("sweeping deny", base.clone(), sweeping),
        ("every effect changed", base.clone(), turned_base),
        ("every rule replaced", base, mixed(1)),
        ("agents cross hosts", crossing([Effect::Allow, Effect::Deny]), crossing([Effect::Ask, Effect::Allow])),
        (
            "agents cross hosts, turned",
            crossing([Effect::Allow, Effect::Deny]),
            crossing([Effect::Deny, Effect::Allow]),
        ),
    ]
}

fn differences(c: &mut Criterion) {
    let mut group = c.benchmark_group("diff of two sets of 10,000 rules");
    group.sample_size(10);
    for (name, before, after) in pairs() {
        let begun = Instant::now();
        let found = diff(&before, &after, DiffOptions::new(None));
        let took = begun.elapsed();
        match &found {
            Ok(found) => {
                println!("{name}: {took:?}, {} regions, {} widen, {} looks", found.total, found.widening, found.effort);
            }
            Err(error) => println!("{name}: {took:?}, {error}"),
        }
        group.bench_function(name, |b| b.iter(|| diff(&before, &after, DiffOptions::new(None))));
    }
    group.finish();
}

fn checks(c: &mut Criterion) {
    let base = mixed(0);
    let begun = Instant::now();
    let found = check::findings(&base).unwrap();
    println!("findings: {:?}, {} found", begun.elapsed(), found.len());
    let mut group = c.benchmark_group("10,000 rules");
    group.sample_size(10);
    group.bench_function("findings", |b| b.iter(|| check::findings(&base)));
    let assertion = Assertion::parse("agent:nobody POST *.svc25.example.com").unwrap();
    println!("never: {:?}", assertion.check(&base, DefaultDecision::Allow, None).unwrap());
    group.bench_function("never", |b| b.iter(|| assertion.check(&base, DefaultDecision::Allow, None)));
    group.bench_function("never matches, each", |b| {
        b.iter(|| base.rules.iter().filter_map(check::never_matches).count());
    });
    group.finish();
}

criterion_group!(benches, differences, checks);
criterion_main!(benches);
