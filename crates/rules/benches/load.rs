//! What loading and compiling a set costs.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rules::{Source, compile, load};

/// Rules as people write them: an agent, a host or a tool, a method or two.
fn text(rules: usize) -> String {
    let mut text = String::from("[tools.\"payment.send\"]\n\"/amount\" = \"number\"\n\n");
    for n in 0..rules {
        let effect = ["allow", "deny", "ask"][n % 3];
        let _ = writeln!(text, "[[{effect}]]\nid = \"rule-{n}\"\nagent = \"agent-{}\"", n % 100);
        let _ = match n % 5 {
            0 => writeln!(text, "tool = \"payment.send\"\nwhen = {{ arg = \"/amount\", gt = {n} }}"),
            1 => writeln!(
                text,
                "host = [\"api{n}.example.com\", \"*.svc{n}.example.org\"]\nmethod = [\"GET\", \"HEAD\"]"
            ),
            _ => writeln!(text, "host = \"*.svc{n}.example.com\"\nmethod = \"POST\"\npath = \"/v1\""),
        };
        let _ = writeln!(text, "reason = \"because of {n}\"\n");
    }
    text
}

fn costs(c: &mut Criterion) {
    let sources = [Source { name: "bench.toml".to_owned(), text: text(10_000) }];
    let loaded = load(&sources).unwrap();
    c.bench_function("load 10,000 rules", |b| b.iter(|| load(black_box(&sources)).unwrap()));
    c.bench_function("compile 10,000 rules", |b| b.iter(|| compile(black_box(&loaded.set))));
}

criterion_group!(benches, costs);
criterion_main!(benches);
