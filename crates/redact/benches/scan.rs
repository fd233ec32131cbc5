//! What scanning costs: streams of clean text, short strings, one request body.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redact::Scanner;
use serde_json::json;

const PROSE: &str = "The gate decides, records, then lets the call pass; nothing leaves without a \
    written answer. See https://docs.example.org/guide/egress?page=2#rules for the long story. \
    fn decide(ask: &Ask) -> Decision { let id = ask.id(); } 0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f\n";

fn scan(criterion: &mut Criterion) {
    let scanner = Scanner::standard();

    let stream: String = PROSE.chars().cycle().take(1 << 20).collect();
    assert!(scanner.findings(&stream).is_empty());
    let mut group = criterion.benchmark_group("throughput");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("clean_1_mib", |b| {
        b.iter(|| scanner.text(black_box(&stream)).len());
    });
    group.finish();

    let short: String = PROSE.chars().take(100).collect();
    criterion.bench_function("text_16_bytes", |b| {
        b.iter(|| scanner.text(black_box("internal.read.ok")).len());
    });
    criterion.bench_function("text_100_bytes", |b| {
        b.iter(|| scanner.text(black_box(&short)).len());
    });
    let dirty = format!("Authorization: Bearer {}", "abc123".repeat(8));
    criterion.bench_function("text_with_secret", |b| {
        b.iter(|| scanner.text(black_box(&dirty)).len());
    });

    let mut body = json!({
        "workspace_id": "ws_main", "action": "http.request", "method": "POST",
        "target_url": "https://api.example.org/v1/items?page=2", "max_tokens": 4096,
        "principal_id": "0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e5f",
        "capability_token_id": "0190b2a4-7c1e-7d3a-9f00-8a1b2c3d4e60",
        "context": { "reason": "nightly import of the catalogue", "labels": ["public", "catalogue"] },
        "headers": { "accept": "application/json", "user-agent": "importer/1.2" },
        "data": { "items": [1, 2, 3], "note": "see the runbook before changing this" }
    });
    assert!(!scanner.value(&mut body));
    criterion.bench_function("json_500_bytes", |b| {
        b.iter(|| scanner.value(black_box(&mut body)));
    });
}

criterion_group!(benches, scan);
criterion_main!(benches);
