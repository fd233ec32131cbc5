//! Errands: what is asked by whatever door carries the run's token, zone and hosts, and ends with the run.

use std::sync::Arc;

use gate::Errand;
use model::event::EventType;
use model::{DomainPattern, Outcome, RunId, TokenId, Zone};

use super::minted::run_event;
use super::*;
use crate::asks::identity::agent;
use crate::bed::{Bed, code, on_both};

async fn an_errand_is_asked_as_it_says(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let (agent_id, principal) = agent(&gate, Zone::Supervised).await;
    let errand = |errand| gate.errand(workspace(), principal.clone(), "r", errand);
    // The control: without anything it is the principal's own ask.
    let plain = errand(Errand::default());
    let permit = out(&gate, &plain, tunnel("https://a.test/")).await;
    let row = request_row(&gate, permit.egress_request_id()).await;
    assert_eq!(
        (row.requested_by_id.as_str(), row.requested_by_principal_id),
        (agent_id.as_str(), Some(principal.clone()))
    );

    let tied = errand(Errand { zone: Some(Zone::Sandbox), ..Errand::default() });
    let permit = out(&gate, &tied, tunnel("https://a.test/")).await;
    assert_eq!(request_row(&gate, permit.egress_request_id()).await.zone, Some(Zone::Sandbox));

    // A token that is none denies, although the rules allow.
    let token = Some(TokenId::new().to_string());
    let tied = errand(Errand { capability_token_id: token, ..Errand::default() });
    let ruled = pass(&gate, &tied, tunnel("https://a.test/")).await.unwrap();
    assert_eq!(
        (ruled.answer.decision, ruled.answer.reason_code.as_str()),
        (Outcome::Deny, "capability_token_not_found")
    );
    assert!(ruled.permit.is_none());
}

async fn an_errand_asks_for_its_hosts_only(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, "[[allow]]\nid = \"a\"\nhost = [\"a.test\", \"b.test\"]\n").await;
    let (_, principal) = agent(&gate, Zone::Supervised).await;
    let hosts: Arc<[DomainPattern]> = [DomainPattern::parse("*.a.test").unwrap()].into();
    let tied = Errand { hosts: Some(hosts), ..Errand::default() };
    let tied = gate.errand(workspace(), principal.clone(), "r", tied);
    drop(out(&gate, &tied, tunnel("https://a.test/")).await);
    assert_eq!(code(pass(&gate, &tied, tunnel("https://b.test/")).await.map(|_| ())), "host_not_declared");
    let none = Errand { hosts: Some(Vec::new().into()), ..Errand::default() };
    let none = gate.errand(workspace(), principal.clone(), "r", none);
    assert_eq!(code(pass(&gate, &none, post("http://a.test/")).await.map(|_| ())), "host_not_declared");
    // The control: it opens nothing, and without it the rules decide.
    let plain = gate.errand(workspace(), principal, "r", Errand::default());
    drop(out(&gate, &plain, tunnel("https://b.test/")).await);
    let ruled = pass(&gate, &tied, tunnel("https://x.a.test/")).await.unwrap();
    assert!(ruled.permit.is_none(), "what is declared is still for the rules to allow");
}

async fn an_errand_ends_with_its_run(bed: &Bed) {
    let gate = bed.gate().await;
    let (_, principal) = agent(&gate, Zone::Supervised).await;
    let run = RunId::new();
    run_event(&gate, &run, EventType::RunCreated).await;
    let tied = Errand { run_id: Some(run.clone()), ..Errand::default() };
    let tied = gate.errand(workspace(), principal, "r", tied);
    let tied = gate.fresh(tied).await.unwrap();
    run_event(&gate, &run, EventType::RunCompleted).await;
    assert!(gate.fresh(tied).await.is_err());
}

mod tests {
    super::on_both!(an_errand_is_asked_as_it_says, an_errand_asks_for_its_hosts_only, an_errand_ends_with_its_run,);
}
