//! Decisions decided again per second, in memory, from the encoded bytes of segments.
//!
//! Logs of 262,144 decisions in four segments. The usual one: 20 agents, each with 60 habits (a method, a
//! host, a path) in 95 of 100 decisions, the rest to any of 400 hosts and 1,000 paths. Another one in which
//! no two paths are the same. And the usual one under rules that change every decision. Sets of 400 and of
//! 10,000 rules.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use model::decision::Ground;
use model::{Actor, ActorType, Category, DecisionId, Mode, Outcome, PrincipalId, ReasonCode, RunId, Time};
use replay::entry::{Caller, Kept, Ruling};
use replay::{AsOf, Draft, Encoder, Entry, Ids, Options, Report, Segment, replay};

const ROWS: u32 = 262_144;
const SEGMENTS: u32 = 4;

/// Numbers that look random and are always the same.
fn spread(n: u32) -> u32 {
    let n = (n ^ 0x9e37).wrapping_mul(0x85eb_ca6b);
    (n ^ (n >> 13)).wrapping_mul(0xc2b2_ae35) >> 7
}

fn entry(n: u32, distinct: bool) -> Entry {
    let agent = spread(n) % 20;
    let habitual = spread(n + 11) % 100 < 95;
    let seed = if habitual { agent * 60 + spread(n + 5) % 60 } else { n };
    let host = spread(seed + 7) % 400;
    let path = if distinct { n } else { spread(seed + 1) % 1_000 };
    let get = spread(seed + 3) % 10 < 8;
    let external =
        if get { ReasonCode::ExternalReadRequiresApproval } else { ReasonCode::ExternalWriteRequiresApproval };
    Entry {
        id: DecisionId::from_stored(format!("egr_{:032x}", u128::from(n) << 40)),
        at: Time::from_millis(1_795_219_200_000 + i64::from(n) * 23),
        caller: Caller {
            actor: Actor::new(ActorType::Agent, format!("agent-id-{agent}")),
            principal_id: Some(PrincipalId::from_stored(format!("0199f0c2-0000-7000-8000-{agent:012}"))),
            principal_named: true,
            token_id: None,
            token_required: false,
        },
        run_id: Some(RunId::from_stored(format!("run_{:026}", n / 50))),
        resource: None,
        category: Category::Egress,
        action: Some(if get { "external.read" } else { "external.write" }.to_owned()),
        who: (ActorType::Agent, Some(format!("agent-{agent}"))),
        zone: None,
        room_id: None,
        host: Kept::Seen(format!("api{}.svc{host}.example.com", host % 3)),
        method: Kept::Seen(if get { "GET" } else { "POST" }.to_owned()),
        path: Kept::Seen(format!("/v1/items/{path}/details")),
        port: Kept::Seen(443),
        scheme: Kept::Seen("https".to_owned()),
        tool: Kept::Absent,
        input: Kept::Absent,
        label: Kept::Absent,
        purposes: Kept::Absent,
        ruling: Ruling {
            outcome: Outcome::Allow,
            reason_code: ReasonCode::PolicyAllows,
            rules: vec![format!("allow-{host}").into()],
            blocked: false,
            mode: Mode::Enforce,
            ground: Ground {
                fixed: None,
                base: Some((Outcome::RequireApproval, external)),
                base_if_allowed: None,
                approved: false,
            },
            policy_version: Some(7),
            trial: None,
            candidate: None,
            by_quota: false,
            by_once: false,
        },
    }
}

fn log(distinct: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let each = ROWS / SEGMENTS;
    let segments = (0..SEGMENTS).map(|segment| {
        let mut encoder = Encoder::new();
        (segment * each..(segment + 1) * each).for_each(|n| encoder.push(&entry(n, distinct)).unwrap());
        let encoded = encoder.encode();
        (encoded.facts, encoded.ids)
    });
    segments.collect()
}

fn rules(count: u32) -> Draft {
    let mut text = String::new();
    for n in 0..count {
        let rule = match n {
            0..400 => format!("[[allow]]\nid = \"allow-{n}\"\nhost = \"*.svc{n}.example.com\"\n"),
            _ if n % 2 == 0 => format!("[[deny]]\nid = \"deny-{n}\"\nhost = \"h{n}.example.net\"\nmethod = \"POST\"\n"),
            _ => format!("[[ask]]\nid = \"ask-{n}\"\nhost = \"*.x{n}.example.org\"\npath = \"/v1\"\n"),
        };
        text.push_str(&rule);
    }
    text.push_str("[[deny]]\nid = \"items\"\nhost = \"*.example.com\"\npath = \"/v1/items/8\"\nmethod = \"GET\"\n");
    let source = rules::Source { name: "bench.toml".into(), text };
    Draft::of(&rules::load(&[source]).unwrap().set)
}

fn decide_again(segments: &[(Vec<u8>, Vec<u8>)], draft: &Draft) -> Report {
    let mut report = Report::on(draft.ids().to_vec());
    let options = Options { since: None, until: None, as_of: AsOf::Then };
    for (facts, ids) in segments {
        replay(&Segment::decode(facts).unwrap(), draft, &options, || Ids::decode(ids).ok(), &mut report);
    }
    report
}

/// Decisions a second of one core's time, whatever else the machine does; 0 where that cannot be told.
fn a_core_second(segments: &[(Vec<u8>, Vec<u8>)], draft: &Draft) -> f64 {
    let on_cpu = || -> Option<f64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let before = on_cpu();
    for _ in 0..20 {
        black_box(decide_again(segments, draft));
    }
    let taken = before.zip(on_cpu()).map_or(f64::INFINITY, |(before, after)| (after - before) / 1e9);
    20.0 * f64::from(ROWS) / taken
}

fn benches(criterion: &mut Criterion) {
    let (usual, distinct) = (log(false), log(true));
    for count in [400, 10_000] {
        let draft = rules(count);
        let [usual, distinct] = [&usual, &distinct].map(|log| a_core_second(log, &draft) / 1e6);
        eprintln!("{count} rules: {usual:.2} million decisions a core-second, {distinct:.2} with no two paths alike");
    }
    let all = a_core_second(&usual, &Draft::of(&rules::PolicySet::default())) / 1e6;
    eprintln!("every decision changes: {all:.2} million decisions a core-second");
    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(u64::from(ROWS))).sample_size(20);
    for count in [400, 10_000] {
        let draft = rules(count);
        let report = decide_again(&usual, &draft);
        assert_eq!(report.rows, u64::from(ROWS));
        assert!((1..10_000).contains(&report.matrix.changed()), "{:?}", report.matrix);
        group.bench_function(format!("usual/{count} rules"), |b| b.iter(|| black_box(decide_again(&usual, &draft))));
        group.bench_function(format!("no two paths alike/{count} rules"), |b| {
            b.iter(|| black_box(decide_again(&distinct, &draft)));
        });
    }
    let nothing = Draft::of(&rules::PolicySet::default());
    assert_eq!(decide_again(&usual, &nothing).matrix.changed(), u64::from(ROWS));
    group.bench_function("every decision changes", |b| b.iter(|| black_box(decide_again(&usual, &nothing))));
    group.bench_function("read only", |b| {
        b.iter(|| usual.iter().map(|(facts, _)| black_box(Segment::decode(facts).unwrap()).span().rows).sum::<usize>());
    });
    group.finish();
    let bytes = |log: &[(Vec<u8>, Vec<u8>)]| {
        let [facts, ids] = log.iter().fold([0, 0], |sum, (facts, ids)| [sum[0] + facts.len(), sum[1] + ids.len()]);
        format!(
            "{:.1} bytes a decision and {:.1} of its id",
            facts as f64 / f64::from(ROWS),
            ids as f64 / f64::from(ROWS)
        )
    };
    eprintln!("usual: {}; no two paths alike: {}", bytes(&usual), bytes(&distinct));
}

criterion_group!(all, benches);
criterion_main!(all);
