//! What a decision costs, and whether it stays flat: tokens from 100 to 100,000, approvals 100 and
//! 10,000. Also what a change to a snapshot and building one from nothing cost.
//!
//! Besides criterion's figures it prints p50 and p99 of decisions timed one by one, each for another
//! token, so that the caches of the machine are as cold as in service.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench fails by panicking and says what it found"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use model::approval::{ApprovalScope, ScopeKind};
use model::ask::{EgressSubject, Subject};
use model::scope::DataScopes;
use model::*;
use policy::*;

const NOW: i64 = 1_000;

fn workspace() -> WorkspaceId {
    WorkspaceId::parse("ws_bench").unwrap()
}

/// Ids as long and as spread as real ones.
fn id<T: TryFrom<String>>(kind: u8, n: usize) -> T {
    let spread = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = format!("{kind:08x}-{:04x}-7{:03x}-8000-{spread:012x}", n & 0xffff, n >> 16 & 0xfff);
    T::try_from(text).unwrap_or_else(|_| unreachable!("the text is an id"))
}

fn host(n: usize) -> String {
    format!("api{n}.example.com")
}

/// Every fourth token is a root; the others are delegated from the one before.
fn token(n: usize) -> Token {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Token {
        token_id: id(1, n),
        workspace_id: workspace(),
        issued_to: id(2, n % 1_000),
        parent: (!n.is_multiple_of(4)).then(|| id(1, n - 1)),
        scopes: TokenScopes {
            rooms: list(&["room_a", "room_b"]),
            tools: list(&["http.request"]),
            egress_domains: list(&["*.example.com", "example.org"]),
            action_types: list(&["external.write", "internal.read"]),
            data_access: DataScopes::default(),
        },
        valid_until: Some(Time::from_millis(NOW + 1)),
        revoked_at: None,
    }
}

/// Which scope the n-th approval has, so that every principal gets some of each.
fn kind(n: usize) -> usize {
    (n + n / 1_000) % 4
}

/// Approvals of one action in every shape that asks raise.
fn approval(n: usize) -> Approval {
    let mut scope = ApprovalScope::of(match kind(n) {
        0 => ScopeKind::Workspace,
        1 => ScopeKind::Room,
        2 => ScopeKind::Run,
        _ => ScopeKind::Once,
    });
    scope.room_id = (kind(n) == 1).then(|| id(3, n));
    scope.run_id = (kind(n) == 2).then(|| id(4, n));
    scope.target_domain = Some(host(n));
    scope.principal_id = Some(id(2, n % 1_000));
    Approval {
        approval_id: id(5, n),
        workspace_id: workspace(),
        action: Action::external_write(),
        ask_digest: (kind(n) == 3).then(|| format!("{n:064x}")),
        scope,
        expires_at: Some(Time::from_millis(NOW + 1)),
    }
}

fn build(tokens: usize, approvals: usize) -> Snapshot {
    let mut snapshot = Snapshot::new(Defaults {
        mode: Mode::Enforce,
        kill_switch: false,
        egress_max_requests_per_hour: 1_000,
        trusted_upstreams: Vec::new(),
    });
    for n in 0..1_000 {
        let actor = Actor::new(ActorType::Agent, id::<AgentId>(6, n).into_string());
        snapshot.put_principal(Principal {
            principal_id: id(2, n),
            workspace_id: Some(workspace()),
            kind: ActorType::Agent,
            legacy: Some(actor),
            revoked_at: None,
        });
        snapshot.put_agent(Agent {
            agent_id: id(6, n),
            name: format!("agent-{n}").into(),
            workspace_id: Some(workspace()),
            principal_id: id(2, n),
            zone_max: Zone::Supervised,
            revoked_at: None,
            quarantined_at: None,
        });
    }
    (0..tokens).for_each(|n| snapshot.put_token(token(n)));
    (0..approvals).for_each(|n| snapshot.put_approval(approval(n)));
    snapshot
}

/// A write to the outside by a delegated token; half of them are covered by an approval.
fn ask(n: usize, tokens: usize, approvals: usize) -> Ask {
    let token = n.wrapping_mul(7_919) % tokens;
    // A workspace-wide approval of the same principal, or a host that nobody approved.
    let covered = (0..approvals).find(|a| a % 1_000 == token % 1_000 && kind(*a) == 0).filter(|_| n.is_multiple_of(2));
    let host = host(covered.unwrap_or(1_000_000));
    Ask {
        workspace_id: workspace(),
        action: Action::external_write(),
        actor: Actor::new(ActorType::Agent, id::<AgentId>(6, token % 1_000).into_string()),
        principal_id: Some(id(2, token % 1_000)),
        capability_token_id: Some(id(1, token)),
        narrowing: None,
        token_required: true,
        zone: None,
        room_id: Some(RoomId::parse("room_a").unwrap()),
        thread_id: None,
        run_id: Some(id(4, n)),
        step_id: None,
        subject: Subject::Egress(EgressSubject {
            target: Some(TargetUrl::parse(&format!("https://{host}/v1/things?x=1")).unwrap()),
            target_domain: Some(host),
            method: Some("POST".to_owned()),
            tunnel: None,
            credentials: Vec::new(),
        }),
        ask_digest: Some(format!("{n:064x}")),
    }
}

/// 10,000 rules about agents, hosts and methods, a tenth of them about what is asked for.
fn ruled(mut snapshot: Snapshot) -> Snapshot {
    use std::fmt::Write as _;
    let mut text = String::new();
    for n in 0..10_000 {
        let effect = ["allow", "ask", "deny"][n % 3];
        let host = if n % 10 == 0 { host(n / 10) } else { format!("*.svc{n}.example.org") };
        let _ = writeln!(
            text,
            "[[{effect}]]\nid = \"r{n}\"\nagent = \"agent-{}\"\nhost = \"{host}\"\nmethod = [\"POST\", \"PUT\"]\npath = \"/v1\"\n",
            n % 1_000
        );
    }
    // And a few that every ask has to look at.
    text.push_str("[[deny]]\nid = \"night\"\nzone = \"high_stakes\"\nhours = \"sat-sun\"\n");
    text.push_str("[[deny]]\nid = \"purge\"\nmethod = \"PURGE\"\n");
    let sources = [rules::Source { name: "bench.toml".to_owned(), text }];
    let loaded = rules::load(&sources).unwrap();
    let pack = std::sync::Arc::new(rules::compile(&loaded.set));
    snapshot.put_rules(&workspace(), Some(Rules { version: 1, pack }));
    snapshot
}

fn percentile(sorted: &[Duration], per_mille: usize) -> Duration {
    sorted.get(sorted.len() * per_mille / 1_000).copied().unwrap_or_default()
}

/// Times decisions one by one, and says how dear the clock is.
fn one_by_one(snapshot: &Snapshot, asks: &[Ask]) -> String {
    let now = Time::from_millis(NOW);
    let mut timed: Vec<Duration> = Vec::with_capacity(asks.len() * 4);
    for ask in asks.iter().cycle().take(asks.len() * 4) {
        // As in service the ask was just made; the snapshot's part of it is cold.
        let ask = ask.clone();
        let start = Instant::now();
        let decision = decide(black_box(snapshot), black_box(&ask), now, &[]);
        timed.push(start.elapsed());
        black_box(decision);
    }
    timed.sort_unstable();
    let mut clock: Vec<Duration> = (0..10_000).map(|_| Instant::now().elapsed()).collect();
    clock.sort_unstable();
    format!(
        "p50 {:?}  p99 {:?}  p99.9 {:?}  (the clock itself {:?})",
        percentile(&timed, 500),
        percentile(&timed, 990),
        percentile(&timed, 999),
        percentile(&clock, 500)
    )
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for tokens in [100, 1_000, 10_000, 100_000] {
        for approvals in [100, 10_000] {
            let snapshot = build(tokens, approvals);
            let asks: Vec<Ask> = (0..10_000).map(|n| ask(n, tokens, approvals)).collect();
            let lifted =
                asks.iter().filter(|ask| decide(&snapshot, ask, Time::from_millis(NOW), &[]).approval.is_some());
            let lifted = lifted.count();
            println!(
                "{tokens} tokens, {approvals} approvals, {lifted} of {} lifted: {}",
                asks.len(),
                one_by_one(&snapshot, &asks)
            );
            let mut next = asks.iter().cycle();
            group.bench_function(format!("{tokens} tokens, {approvals} approvals"), |bencher| {
                bencher.iter(|| next.next().map(|ask| decide(black_box(&snapshot), ask, Time::from_millis(NOW), &[])));
            });
        }
    }
    let snapshot = ruled(build(100_000, 10_000));
    let asks: Vec<Ask> = (0..10_000).map(|n| ask(n, 100_000, 10_000)).collect();
    println!("10,000 rules, 100,000 tokens, 10,000 approvals: {}", one_by_one(&snapshot, &asks));
    let mut next = asks.iter().cycle();
    group.bench_function("10,000 rules, 100,000 tokens, 10,000 approvals", |bencher| {
        bencher.iter(|| next.next().map(|ask| decide(black_box(&snapshot), ask, Time::from_millis(NOW), &[])));
    });
    group.finish();
}

fn changes(criterion: &mut Criterion) {
    let snapshot = build(100_000, 10_000);
    let mut group = criterion.benchmark_group("change");
    // The held snapshot stays alive, so each change copies what it touches.
    let mut n = 0;
    group.bench_function("revoke a token", |bencher| {
        bencher.iter_batched(
            || {
                n = (n + 7_919) % 100_000;
                (snapshot.clone(), Token { revoked_at: Some(Time::from_millis(NOW)), ..token(n) })
            },
            |(mut next, token)| {
                next.put_token(token);
                next
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("add an approval", |bencher| {
        bencher.iter_batched(
            || {
                n += 1;
                (snapshot.clone(), approval(100_000 + n))
            },
            |(mut next, approval)| {
                next.put_approval(approval);
                next
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("switch the kill switch", |bencher| {
        bencher.iter_batched(
            || snapshot.clone(),
            |mut next| {
                next.put_settings(&workspace(), Settings { kill_switch: true, ..Settings::default() });
                next
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn rebuild(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rebuild");
    group.sample_size(10);
    group.bench_function("100,000 tokens, 10,000 approvals", |bencher| {
        bencher.iter_batched(
            || ((0..100_000).map(token).collect::<Vec<_>>(), (0..10_000).map(approval).collect::<Vec<_>>()),
            |(tokens, approvals)| {
                let mut snapshot = build(0, 0);
                tokens.into_iter().for_each(|token| snapshot.put_token(token));
                approvals.into_iter().for_each(|approval| snapshot.put_approval(approval));
                snapshot
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decisions, changes, rebuild);
criterion_main!(benches);
