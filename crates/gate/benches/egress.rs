//! A request to leave in process, on a SQLite file, with 64 callers at once: how many per second,
//! and how much processor time each costs, the database included.
//!
//! `cargo bench -p gate --bench egress [-- SECONDS]`. The check of the same ask records nothing:
//! it is what reading, deciding and answering cost alone.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gate::{AuthorizeInput, Caller, EgressInput, Gate, InstallSecret, NewKey, create_key};
use model::{Mode, Outcome, Role, WorkspaceId};
use policy::Defaults;
use secrecy::ExposeSecret as _;
use serde_json::json;
use store::{Durability, Location, Store, StoreConfig};

const TASKS: usize = 64;

fn request() -> EgressInput {
    EgressInput {
        target_url: Some("https://api.example.com/v1/items?id=42".into()),
        action: Some("internal.read".into()),
        method: Some("GET".into()),
        actor_type: Some("user".into()),
        actor_id: Some("alice".into()),
        ..EgressInput::default()
    }
}

fn question() -> AuthorizeInput {
    AuthorizeInput {
        category: Some("egress".into()),
        action: Some("internal.read".into()),
        actor_type: Some("user".into()),
        actor_id: Some("alice".into()),
        context: Some(json!({"egress": {"target_url": "https://api.example.com/v1/items?id=42", "method": "GET"}})),
        check: true,
        ..AuthorizeInput::default()
    }
}

async fn let_in(store: &Store) -> (Gate, String) {
    let gate = Gate::new(store.clone(), InstallSecret::ephemeral().unwrap());
    let workspace_id = Some(WorkspaceId::parse("ws_bench").unwrap());
    let new = NewKey { workspace_id, role: Role::Gateway, principal_id: None, expires_at: None };
    let key = create_key(store, new).await.unwrap().key.expose_secret().to_owned();
    (gate, key)
}

/// What all threads of this process have used (Linux).
fn processor_time() -> Duration {
    let mut total = 0_u64;
    if let Ok(tasks) = std::fs::read_dir("/proc/self/task") {
        for task in tasks.flatten() {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            total += text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Duration::from_nanos(total)
}

async fn run<F, R>(name: &str, seconds: f64, work: F)
where
    F: Fn() -> R + Send + Sync + Clone + 'static,
    R: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let (started, cpu) = (Instant::now(), processor_time());
    let until = started + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (work, done) = (work.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while Instant::now() < until {
                    work().await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), (processor_time() - cpu).as_secs_f64());
    let count = done.load(Ordering::Relaxed) as f64;
    println!("{name:40} {:9.0}/s {:8.1} us of processor each", count / elapsed, cpu * 1e6 / count);
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(3.0);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (name, durability) in [("full", Durability::Full)] {
            let dir = tempfile::tempdir().unwrap();
            let location = Location::Sqlite { path: dir.path().join("bench.db"), durability };
            let defaults = Defaults {
                mode: Mode::Enforce,
                kill_switch: false,
                egress_max_requests_per_hour: 0,
                trusted_upstreams: Vec::new(),
            };
            let store = Store::open(StoreConfig::new(location, defaults)).await.unwrap();
            let (gate, key) = let_in(&store).await;
            let caller: Caller = gate.authenticate(&key, None, "r").await.unwrap();
            gate.request_egress(&caller, request(), None).await.unwrap();
            let caller = gate.authenticate(&key, None, "r").await.unwrap();

            let (g, k) = (gate.clone(), key.clone());
            run(&format!("{name}: authenticate"), seconds / 3.0, move || {
                let (gate, key) = (g.clone(), k.clone());
                async move {
                    gate.authenticate(&key, None, "r").await.unwrap();
                }
            })
            .await;
            let (g, c) = (gate.clone(), caller.clone());
            run(&format!("{name}: check, nothing recorded"), seconds / 3.0, move || {
                let (gate, caller) = (g.clone(), c.clone());
                async move {
                    let answer = gate.authorize(&caller, question()).await.unwrap();
                    assert_eq!(answer.decision, Outcome::Allow);
                }
            })
            .await;
            let g = gate.clone();
            run(&format!("{name}: request_egress, allow"), seconds, move || {
                let (gate, key) = (g.clone(), key.clone());
                async move {
                    let caller = gate.authenticate(&key, None, "r").await.unwrap();
                    let answer = gate.request_egress(&caller, request(), None).await.unwrap();
                    assert!(!answer.value.blocked);
                }
            })
            .await;
        }
    });
}
