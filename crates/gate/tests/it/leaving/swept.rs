//! A process that died leaves nothing without an outcome; one that only slept records nothing twice.

use gate::{Ending, ExecutionOutcome};

use super::*;
use crate::bed::{Bed, assert_sound};

/// What a process that died had let out.
struct Dead {
    gateway: GatewayId,
    open: Vec<EgressRequestId>,
    ended: EgressRequestId,
}

/// A gate in a runtime of its own, ended in the middle of things.
async fn dies(bed: &Bed, agent: &Caller) -> Dead {
    let (location, agent) = (bed.location.clone(), agent.clone());
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let dead = runtime.block_on(async {
            let gate = crate::bed::gate_on(&location).await;
            let agent = gate.fresh(agent).await.unwrap();
            let mut open = Vec::new();
            for n in 0..7 {
                let leave = if n % 2 == 0 { post("https://a.test/") } else { tunnel("https://a.test/") };
                let permit = out(&gate, &agent, leave).await;
                open.push(permit.egress_request_id().clone());
                std::mem::forget(permit.execute());
            }
            let done = out(&gate, &agent, post("https://a.test/")).await;
            let ended = done.egress_request_id().clone();
            done.execute().finish(Ending::of(ExecutionOutcome::Completed));
            outcome(&gate, &ended).await;
            let gateway = request_row(&gate, &ended).await.gateway_id.unwrap();
            Dead { gateway, open, ended }
        });
        runtime.shutdown_background();
        dead
    });
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap()
}

async fn a_dead_process_is_swept_once(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let dead = dies(bed, &agent).await;
    // What others have open is none of its.
    let mine = out(&gate, &agent, tunnel("https://a.test/")).await;
    let asked = crate::asks::to("https://a.test/");
    gate.request_egress(&agent, asked, None).await.unwrap();
    assert_eq!(gate.sweep_gateways().await.unwrap(), 0, "it was heard of a moment ago");
    silence(&gate, &dead.gateway).await;
    let (one, two) = tokio::join!(gate.sweep_gateways(), other.sweep_gateways());
    assert_eq!(one.unwrap() + two.unwrap(), 7);
    for id in &dead.open {
        let data = outcome(&gate, id).await;
        assert_eq!((&data["outcome"], &data["error_code"]), (&json!("unknown"), &json!("gateway_died")));
        assert_eq!((&data["bytes_up"], data.get("status")), (&json!(0), None));
    }
    assert_eq!(outcome(&gate, &dead.ended).await["outcome"], json!("completed"));
    assert_eq!(gate.sweep_gateways().await.unwrap() + other.sweep_gateways().await.unwrap(), 0);
    let all: Vec<EgressRequestId> = dead.open.iter().chain([&dead.ended]).cloned().collect();
    assert_one_outcome_each(&gate, &all).await;
    let recorded = events(&gate).await;
    assert!(outcomes_of(&recorded, mine.egress_request_id()).is_empty());
    let swept = outcomes_of(&recorded, &dead.open[0])[0];
    let allowed = recorded.iter().find(|event| event.event_type == "egress.allowed").unwrap();
    assert_eq!(
        (&swept.correlation_id, &swept.actor_principal_id),
        (&allowed.correlation_id, &allowed.actor_principal_id)
    );
    let row = gate.store().gateway(&dead.gateway).await.unwrap().unwrap();
    assert!(row.ended_at.is_some() && row.swept_at.is_some());
    gate.store().remove_expired(Duration::from_secs(60)).await.unwrap();
    assert!(gate.store().gateway(&dead.gateway).await.unwrap().is_some(), "kept for a day");
    assert_sound(bed, &gate).await;
}

async fn a_process_that_slept_records_each_outcome_once(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let before = out(&gate, &agent, tunnel("https://a.test/")).await;
    let first = before.egress_request_id().clone();
    let gateway = request_row(&gate, &first).await.gateway_id.unwrap();
    // It gives signs of life all the time; one may come between.
    let mut swept = 0;
    for _ in 0..50 {
        silence(&other, &gateway).await;
        swept = other.sweep_gateways().await.unwrap();
        if swept > 0 {
            break;
        }
    }
    assert_eq!(swept, 1);
    // It does not know yet: what it lets out now is recorded under the name that was swept.
    let late = out(&gate, &agent, post("https://a.test/")).await;
    let second = late.egress_request_id().clone();
    late.execute().finish(Ending::of(ExecutionOutcome::Completed));
    before.execute().finish(Ending::of(ExecutionOutcome::Completed));
    assert_eq!(outcome(&gate, &second).await["outcome"], json!("completed"));
    assert_eq!(outcome(&gate, &first).await["error_code"], json!("gateway_died"));
    // It goes on under a new name.
    let third = out(&gate, &agent, post("https://a.test/")).await;
    let id = third.egress_request_id().clone();
    assert_ne!(request_row(&gate, &id).await.gateway_id.unwrap(), gateway);
    third.execute().finish(Ending::of(ExecutionOutcome::Completed));
    gate.close_gateway().await;
    assert_one_outcome_each(&gate, &[first, second, id]).await;
    assert_sound(bed, &gate).await;
}

mod both {
    crate::bed::on_both!(a_dead_process_is_swept_once, a_process_that_slept_records_each_outcome_once);
}
