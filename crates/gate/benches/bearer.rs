//! Letting a caller in by a capability token with five caveats: when the text was checked before, when
//! it was not, and what a key costs beside them.
//!
//! `cargo bench -p gate --bench bearer`. Each call is the whole of `Gate::authenticate`: the check of the
//! text and whether the token and all above it live.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use std::collections::BTreeSet;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gate::capabilities::GrantCapabilityInput;
use gate::{Gate, InstallSecret, NewKey, create_key};
use model::capability::{Bearer, Caveat};
use model::{Mode, Role, RunId, Time, WorkspaceId, Zone};
use policy::Defaults;
use secrecy::ExposeSecret as _;
use store::{Location, Store, StoreConfig};

struct Scene {
    gate: Gate,
    key: String,
    token: String,
}

async fn scene(path: &std::path::Path) -> Scene {
    let defaults = Defaults {
        mode: Mode::Enforce,
        kill_switch: false,
        egress_max_requests_per_hour: 0,
        trusted_upstreams: Vec::new(),
    };
    let location = Location::parse(&format!("sqlite:{}", path.join("b.db").display())).unwrap();
    let store = Store::open(StoreConfig::new(location, defaults)).await.unwrap();
    let gate = Gate::new(store.clone(), InstallSecret::ephemeral().unwrap());
    let workspace_id = Some(WorkspaceId::parse("ws_bench").unwrap());
    let new = NewKey { workspace_id, role: Role::Owner, principal_id: None, expires_at: None };
    let made = create_key(&store, new).await.unwrap();
    let key = made.key.expose_secret().to_owned();
    let owner = gate.authenticate(&key, None, "r").await.unwrap();
    let input = GrantCapabilityInput {
        issued_to_principal_id: Some(made.principal_id.to_string()),
        granted_by_principal_id: Some(made.principal_id.to_string()),
        scopes: Some(serde_json::json!({"egress_domains": ["*"], "tools": ["*"]})),
        ..GrantCapabilityInput::default()
    };
    let granted = gate.grant_capability(&owner, input, None).await.unwrap().value;
    store.fresh(&owner.workspace_id).await.unwrap();
    Scene { gate, key, token: granted.token }
}

fn narrow(token: &str, caveat: &Caveat) -> String {
    Bearer::parse(token).unwrap().attenuate(caveat).unwrap()
}

/// The token with five caveats; every `n` is another text.
fn narrowed(token: &str, n: u64) -> String {
    let list = |entries: &[&str]| Some(entries.iter().map(|entry| (*entry).to_owned()).collect::<BTreeSet<_>>());
    let caveats = [
        Caveat { egress_domains: list(&["*.example.com", "example.org"]), ..Caveat::default() },
        Caveat { tools: list(&["http.request", "search"]), ..Caveat::default() },
        Caveat { run: Some(RunId::from_stored("run_01JZ8Q5W4T2V7N3M6K9H0B1C2D".to_owned())), ..Caveat::default() },
        Caveat { expires_at: Some(Time::parse("2100-01-01T00:00:00Z").unwrap()), ..Caveat::default() },
        Caveat { uses: Some(10), id: Some(format!("reader-{n}")), zone: Some(Zone::Sandbox), ..Caveat::default() },
    ];
    caveats.iter().fold(token.to_owned(), |token, caveat| narrow(&token, caveat))
}

fn bearers(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let Scene { gate, key, token } = runtime.block_on(scene(dir.path()));
    let known = narrowed(&token, 0);
    let let_in = |text: &str| runtime.block_on(gate.authenticate(text, None, "r")).unwrap().is_narrowed();
    assert!(let_in(&known));
    let mut group = c.benchmark_group("authenticate");
    group.bench_function("key", |b| b.iter(|| let_in(&key)));
    group.bench_function("five caveats, checked before", |b| b.iter(|| let_in(&known)));
    let mut n = 0;
    group.bench_function("five caveats, not checked before", |b| {
        let another = || {
            n += 1;
            narrowed(&token, n)
        };
        b.iter_batched_ref(another, |text| let_in(text), BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, bearers);
criterion_main!(benches);
