//! What runs once or more per decision: reading a target, looking up a scope, hashing an event, checking
//! a capability token.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use model::capability::{Bearer, Caveat, mint};
use model::event::EventBody;
use model::{CompiledScopes, RunId, TargetUrl, Time, TokenId, TokenScopes, Zone, json};

fn targets(c: &mut Criterion) {
    let mut group = c.benchmark_group("target");
    for (name, text) in [
        ("typical", "https://api.example.com/v1/messages?limit=20&cursor=abc"),
        ("upper_dot_port", "HTTPS://API.Example.COM.:8443/v1/messages"),
        ("idna", "https://api.b\u{fc}cher.example/v1/messages"),
        ("octal", "http://0251.0376.0251.0376/latest"),
        ("refused", "https://user:pass@api.example.com/v1/messages"),
    ] {
        group.bench_function(name, |b| b.iter(|| TargetUrl::parse(black_box(text)).is_ok()));
    }
    group.finish();
}

fn scopes(c: &mut Criterion) {
    let domains =
        (0..1_000).map(|n| if n % 2 == 0 { format!("*.svc{n}.example.com") } else { format!("h{n}.example.org") });
    let scopes = TokenScopes { egress_domains: domains.collect(), ..TokenScopes::default() };
    let compiled = CompiledScopes::from(&scopes);
    let mut group = c.benchmark_group("scope");
    for (name, host) in
        [("suffix", "a.b.svc500.example.com"), ("exact", "h501.example.org"), ("miss", "a.b.example.net")]
    {
        group.bench_function(name, |b| b.iter(|| compiled.covers_domain(black_box(host))));
    }
    group.bench_function("compile_1000", |b| b.iter(|| CompiledScopes::from(black_box(&scopes))));
    group.bench_function("intersect_1000", |b| b.iter(|| compiled.intersect(black_box(&compiled))));
    group.finish();
}

fn events(c: &mut Criterion) {
    let body = EventBody {
        event_id: "00000000-0000-4000-8000-000000000001",
        event_type: "egress.requested",
        event_version: 1,
        occurred_at: Time::from_millis(1_767_322_985_678),
        workspace_id: "ws_a",
        room_id: Some("room_a"),
        thread_id: None,
        run_id: None,
        step_id: None,
        actor_type: "user",
        actor_id: "anon",
        actor_principal_id: Some("p1"),
        zone: "supervised",
        stream_type: "room",
        stream_id: "room_a",
        stream_seq: 7,
        correlation_id: "c1",
        causation_id: None,
        redaction_level: "none",
        contains_secrets: false,
        policy_context: "{}",
        model_context: "{}",
        display: "{}",
        data: r#"{"action":"internal.read","egress_request_id":"egr_1","target_domain":"example.com","target_url":"https://example.com/"}"#,
        idempotency_key: None,
    };
    c.bench_function("event/leaf", |b| b.iter(|| black_box(&body).leaf()));
}

fn reading(c: &mut Criterion) {
    let ask = br#"{"target_url":"https://api.example.com/v1/messages","action":"external.write","method":"POST","room_id":"room_01","actor_type":"agent","actor_id":"coder","context":{"tool_call":{"tool_name":"http.request","n":[1,2,3.5]}}}"#;
    let mut group = c.benchmark_group("json");
    group.bench_function("strict", |b| b.iter(|| json::parse_strict(black_box(ask)).is_ok()));
    group.bench_function("library", |b| b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(ask)).is_ok()));
    group.finish();
}

/// A token as an agent would hand it on: narrowed five times.
fn tokens(c: &mut Criterion) {
    let secret = [7; 32];
    let list = |entries: &[&str]| Some(entries.iter().map(|entry| (*entry).to_owned()).collect());
    let caveats = [
        Caveat { egress_domains: list(&["*.example.com", "example.org"]), ..Caveat::default() },
        Caveat { tools: list(&["http.request", "search"]), ..Caveat::default() },
        Caveat { run: Some(RunId::new()), ..Caveat::default() },
        Caveat { expires_at: Some(Time::from_millis(1_767_322_985_678)), ..Caveat::default() },
        Caveat { uses: Some(10), id: Some("reader".to_owned()), zone: Some(Zone::Sandbox), ..Caveat::default() },
    ];
    let whole = mint(&TokenId::new(), &secret);
    let narrow = |token: String, caveat: &Caveat| Bearer::parse(&token).ok().and_then(|b| b.attenuate(caveat).ok());
    let narrowed = caveats.iter().try_fold(whole.clone(), narrow).unwrap_or_default();
    let verify = |text: &str| Bearer::parse(text).ok().and_then(|bearer| bearer.verify(&secret));
    assert_eq!(verify(&narrowed).map(|seen| seen.links.len()), Some(caveats.len()));
    let mut group = c.benchmark_group("capability");
    group.bench_function("verify_whole", |b| b.iter(|| verify(black_box(&whole))));
    group.bench_function("verify_five_caveats", |b| b.iter(|| verify(black_box(&narrowed))));
    group.bench_function("attenuate", |b| b.iter(|| narrow(whole.clone(), black_box(&caveats[0]))));
    group.finish();
}

criterion_group!(hot, targets, scopes, events, reading, tokens);
criterion_main!(hot);
