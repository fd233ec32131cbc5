//! How an execution ended is recorded once, where and for whom it was allowed.

use gate::{AddressVetting, Ending, ExecutionOutcome, ServerName};
use model::Canonical;

use super::*;
use crate::bed::{Bed, assert_sound};

async fn an_end_is_one_event_after_its_allow(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let leave = Leave { context: Some(std::sync::Arc::new(json!({"task": 7}))), ..tunnel("https://a.test/") };
    let permit = out(&gate, &agent, leave).await;
    let id = permit.egress_request_id().clone();
    let execution = permit.execute();
    tokio::time::sleep(Duration::from_millis(20)).await;
    execution.finish(Ending {
        status: Some(200),
        bytes_up: 17,
        bytes_down: u64::from(u32::MAX) * 100,
        peer_ip: Some("2001:db8::1".parse().unwrap()),
        sni: Some(ServerName::Match),
        address_vetting: Some(AddressVetting::Own),
        ..Ending::of(ExecutionOutcome::Completed)
    });
    let data = outcome(&gate, &id).await;
    let ms = data["duration_ms"].as_u64().unwrap();
    assert!((20..5_000).contains(&ms), "{ms}");
    assert_eq!(
        data,
        json!({"egress_request_id": id, "outcome": "completed", "status": 200, "bytes_up": 17,
               "bytes_down": 429_496_729_500_u64, "duration_ms": ms, "peer_ip": "2001:db8::1", "sni": "match",
               "address_vetting": "own"})
    );
    let all = events(&gate).await;
    let [ended] = outcomes_of(&all, &id)[..] else { panic!("{all:?}") };
    assert_eq!(Canonical::from(&data), ended.data, "in canonical order");
    let allowed = all.iter().find(|event| event.event_type == "egress.allowed").unwrap();
    assert_eq!(ended.causation_id.as_ref(), Some(&allowed.event_id));
    assert_eq!(
        (&ended.correlation_id, &ended.actor_id, &ended.actor_principal_id, ended.zone),
        (&allowed.correlation_id, &allowed.actor_id, &allowed.actor_principal_id, allowed.zone)
    );
    assert_eq!((ended.policy_context.to_value(), allowed.policy_context.to_value()), (json!({}), json!({"task": 7})));
    assert_sound(bed, &gate).await;
}

async fn many_ends_share_transactions_and_each_is_there_once(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let mut ids = Vec::new();
    let mut open = Vec::new();
    for n in 0..60 {
        let permit = out(&gate, &agent, post("https://a.test/")).await;
        ids.push(permit.egress_request_id().clone());
        open.push((n, permit.execute()));
    }
    for (n, execution) in open {
        match n % 3 {
            0 => execution.finish(Ending::of(ExecutionOutcome::Completed)),
            1 => execution.finish(Ending::failed("connection_refused")),
            // Nobody says how it ended.
            _ => drop(execution),
        }
    }
    gate.close_gateway().await;
    assert_one_outcome_each(&gate, &ids).await;
    for (n, id) in ids.iter().enumerate() {
        let data = outcome(&gate, id).await;
        let want = [("completed", None), ("failed", Some("connection_refused")), ("cut", Some("abandoned"))][n % 3];
        assert_eq!((data["outcome"].as_str().unwrap(), data["error_code"].as_str()), want);
        assert_eq!(data.get("error_code").is_some(), want.1.is_some(), "left out when absent");
    }
    let all = events(&gate).await;
    let times: std::collections::BTreeSet<_> = ids.iter().map(|id| outcomes_of(&all, id)[0].recorded_at).collect();
    assert!(times.len() < 20, "{} transactions for 60 outcomes", times.len());
    assert_sound(bed, &gate).await;
}

async fn a_closed_gateway_lets_nothing_out(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let intent = gate.intend(&agent, post("https://a.test/")).await.unwrap();
    drop(out(&gate, &agent, post("https://a.test/")).await);
    gate.close_gateway().await;
    assert!(matches!(gate.intend(&agent, post("https://a.test/")).await, Err(GateError::Unavailable(_))));
    drop(intent);
    // Its end was told: another one sweeps at once, and finds nothing open.
    let other = bed.gate().await;
    assert_eq!(other.sweep_gateways().await.unwrap(), 0);
    let all = events(&gate).await;
    assert_eq!(all.iter().filter(|event| event.event_type == "egress.completed").count(), 1);
}

mod both {
    crate::bed::on_both!(
        an_end_is_one_event_after_its_allow,
        many_ends_share_transactions_and_each_is_there_once,
        a_closed_gateway_lets_nothing_out,
    );
}
