//! The recorder alone: durable commands per second by store, waiters and streams.
//!
//! `cargo bench -p store --bench recorder [-- SECONDS]`. Each command appends two events and adds the
//! two rows of an egress request, as an allowed one does.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench stops at the first surprise and prints figures"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{
    Actor, ActorType, Canonical, CorrelationId, DecisionId, EgressRequestId, Mode, PrincipalId, RoomId, WorkspaceId,
    Zone,
};
use policy::Defaults;
use store::rows::{DecisionRow, EgressRequestRow};
use store::{Command, Location, Reads, Store, StoreConfig, Tx};

struct Ask {
    context: EventContext,
}

impl Command for Ask {
    type Output = ();
    type Refusal = ();

    fn reads(&self, reads: &mut Reads) {
        reads.stream(Stream::of(&self.context.workspace_id, self.context.room_id.as_ref()));
        reads.expect_head("*", 0);
        reads.expect_head("ws_bench", 0);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), ()> {
        let id = EgressRequestId::new();
        let data = format!(
            r#"{{"action":"internal.read","egress_request_id":"{id}","target_domain":"api.example.com","target_url":"https://api.example.com/v1/items?id=~0011223344556677"}}"#
        );
        let first =
            tx.append(&self.context, EventDraft::new(EventType::EgressRequested, Canonical::from_stored(data.clone())));
        let allowed = EventDraft::new(EventType::EgressAllowed, Canonical::from_stored(data)).caused_by(Some(first));
        tx.append(&self.context, allowed);
        let c = &self.context;
        tx.insert_egress_request(EgressRequestRow {
            egress_request_id: id.clone(),
            workspace_id: c.workspace_id.clone(),
            room_id: c.room_id.clone(),
            run_id: None,
            step_id: None,
            requested_by_type: c.actor.kind,
            requested_by_id: c.actor.id.clone(),
            requested_by_principal_id: c.principal_id.clone(),
            zone: None,
            action: "internal.read".into(),
            method: None,
            target_url: "https://api.example.com/v1/items?id=~0011223344556677".into(),
            target_domain: "api.example.com".into(),
            policy_decision: "allow".into(),
            policy_reason_code: "default_allow".into(),
            policy_reason: None,
            enforcement_mode: Mode::Enforce,
            blocked: false,
            approval_id: None,
            correlation_id: c.correlation_id.clone(),
            created_at: tx.now(),
            gateway_id: None,
            tunnel: None,
        });
        tx.insert_decision(DecisionRow {
            decision_id: DecisionId::from(id),
            workspace_id: c.workspace_id.clone(),
            category: "egress".into(),
            action: "internal.read".into(),
            actor_type: c.actor.kind,
            actor_id: c.actor.id.clone(),
            principal_id: c.principal_id.clone(),
            decision: "allow".into(),
            reason_code: "default_allow".into(),
            enforcement_mode: Mode::Enforce,
            blocked: false,
            rules: Canonical::from_stored("[]".into()),
            trace: Canonical::from_stored(r#"[{"result":"passed","step":"agent_binding"}]"#.to_owned()),
            approval_id: None,
            policy_version: None,
            trial: None,
            candidate: None,
            correlation_id: c.correlation_id.clone(),
            created_at: tx.now(),
        });
        Ok(())
    }
}

fn context(room: Option<String>, principal: &PrincipalId) -> EventContext {
    EventContext {
        workspace_id: WorkspaceId::parse("ws_bench").unwrap(),
        room_id: room.map(RoomId::from_stored),
        thread_id: None,
        run_id: None,
        step_id: None,
        actor: Actor::new(ActorType::User, "bench"),
        principal_id: Some(principal.clone()),
        zone: Zone::Supervised,
        correlation_id: CorrelationId::new(),
        policy_context: Canonical::empty(),
        model_context: Canonical::empty(),
        contains_secrets: false,
    }
}

/// CPU time of this process so far, in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

async fn drive(store: &Store, waiters: usize, streams: usize, length: Duration) -> (f64, Duration, Duration) {
    let count = Arc::new(AtomicU64::new(0));
    let principal = PrincipalId::new();
    let until = Instant::now() + length;
    let mut tasks = Vec::new();
    for waiter in 0..waiters {
        let (store, count, principal) = (store.clone(), Arc::clone(&count), principal.clone());
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                let room = (streams > 1).then(|| format!("room_{}", waiter % streams));
                let started = Instant::now();
                store.submit(Ask { context: context(room, &principal) }).await.unwrap();
                times.push(started.elapsed());
                count.fetch_add(1, Ordering::Relaxed);
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times.sort_unstable();
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    (count.load(Ordering::Relaxed) as f64 / length.as_secs_f64(), at(0.5), at(0.99))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::args().filter_map(|a| a.parse::<u64>().ok()).next().unwrap_or(3);
    let defaults = Defaults {
        mode: Mode::Enforce,
        kill_switch: false,
        egress_max_requests_per_hour: 0,
        trusted_upstreams: Vec::new(),
    };
    println!(
        "{:<10} {:>7} {:>7} {:>12} {:>10} {:>10} {:>8}",
        "store", "waiters", "streams", "commands/s", "p50", "p99", "cpu µs"
    );
    for kind in ["sqlite", "postgres"] {
        let temp = testkit::TempStore::create().unwrap();
        let cluster = (kind == "postgres").then(|| testkit::postgres::Server::own().unwrap());
        let url = match &cluster {
            Some(cluster) => cluster.url("postgres"),
            None => temp.url(),
        };
        for (waiters, streams) in [(1, 1), (16, 1), (64, 1), (64, 64), (256, 1), (256, 64)] {
            let store = Store::open(StoreConfig::new(Location::parse(&url).unwrap(), defaults.clone())).await.unwrap();
            drive(&store, waiters, streams, Duration::from_millis(300)).await;
            let before = cpu();
            let (rate, p50, p99) = drive(&store, waiters, streams, Duration::from_secs(seconds)).await;
            let each = (cpu() - before) * 1e6 / (rate * seconds as f64);
            println!("{kind:<10} {waiters:>7} {streams:>7} {rate:>12.0} {p50:>10.2?} {p99:>10.2?} {each:>8.1}");
        }
    }
}
