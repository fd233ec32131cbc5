//! What scanning a clean stream costs per core, beside the automaton alone and a set of regular
//! expressions for the same literals.
//!
//! It is the thread's own time that is measured, so that a busy machine makes less of a difference.

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redact::stream::Stream;

const CHUNK: usize = 16 << 10;
const TOTAL: usize = 4 << 20;

const PROSE: &str = "The gate decides, records, then lets the call pass; nothing leaves without a \
    written answer. See https://docs.example.org/guide/egress?page=2#rules for the long story. \
    fn decide(ask: &Ask) -> Decision { let id = ask.id(); } 0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f\n";
const JSON: &str = r#"{"id":"0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f","kind":"task","labels":["skip","public"],"skill":4096,
    "owner":{"name":"Example User","url":"https://example.org/users/17"},"score":0.125,"text":"see the runbook"},"#;

/// Bytes of a fixed seed.
fn random(total: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(total + 8);
    while bytes.len() < total {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

fn base64(total: usize) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    random(total).iter().map(|byte| alphabet.get(usize::from(*byte & 63)).copied().unwrap_or_default()).collect()
}

fn repeated(text: &str) -> Vec<u8> {
    text.bytes().cycle().take(TOTAL).collect()
}

/// The processor time of this thread.
struct OwnTime;

impl OwnTime {
    fn now() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }
}

impl Measurement for OwnTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now() - start
    }

    fn add(&self, first: &Duration, second: &Duration) -> Duration {
        *first + *second
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn stream(criterion: &mut Criterion<OwnTime>) {
    let literals: Vec<&str> = redact::stream::literals().collect();
    let automaton = aho_corasick::AhoCorasick::new(&literals).expect("the literals build");
    let pattern = |literal: &&str| format!("{}[A-Za-z0-9_-]{{20,}}", regex::escape(literal));
    let expressions: Vec<String> = literals.iter().map(pattern).collect();
    let expressions = regex::bytes::RegexSet::new(&expressions).expect("the expressions build");
    for (name, bytes) in
        [("text", repeated(PROSE)), ("json", repeated(JSON)), ("binary", random(TOTAL)), ("base64", base64(TOTAL))]
    {
        let mut group = criterion.benchmark_group(format!("clean_{name}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
        group.bench_function("stream", |b| {
            b.iter(|| {
                let mut stream = Stream::new();
                let found: usize = black_box(&bytes).chunks(CHUNK).map(|chunk| stream.push(chunk).len()).sum();
                assert_eq!(found + stream.finish().len(), 0);
            });
        });
        group.bench_function("aho_corasick_same_literals", |b| {
            b.iter(|| black_box(&bytes).chunks(CHUNK).map(|chunk| automaton.find_iter(chunk).count()).sum::<usize>());
        });
        // Random base64 holds what the loose expressions take for a match, where a set may stop.
        if name != "base64" {
            group.bench_function("regex_set_same_literals", |b| {
                b.iter(|| black_box(&bytes).chunks(CHUNK).filter(|chunk| expressions.is_match(chunk)).count());
            });
        }
        group.finish();
    }
}

criterion_group!(name = benches; config = Criterion::default().with_measurement(OwnTime); targets = stream);
criterion_main!(benches);
