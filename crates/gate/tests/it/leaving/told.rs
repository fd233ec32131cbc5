//! What is told of a tunnel and of how it ended, and what the sweep of approvals makes of it.

use gate::{Ending, ServerName};
use model::approval::ApprovalStatus;
use model::{DecisionId, Outcome, ReasonCode};

use super::*;
use crate::asks::approval;
use crate::bed::Bed;

const OPAQUE: &str = "[[allow]]\nid = \"ssh\"\nhost = \"a.test\"\nport = 22\ntunnel = \"opaque\"\n";

fn opaque(text: &str) -> Leave {
    Leave::tunnel(url(text), Tunnel::Opaque)
}

async fn why_tells_how_it_ended(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let permit = out(&gate, &agent, tunnel("https://a.test/")).await;
    let id = permit.egress_request_id().clone();
    let decision = DecisionId::from(id.clone());
    let fresh = gate.fresh(agent.clone()).await.unwrap();
    assert!(gate.why(&fresh, &decision).await.unwrap().unwrap().execution.is_none(), "it goes on");
    let ending = Ending { sni: Some(ServerName::Other), bytes_up: 5, ..Ending::cut("sni_mismatch") };
    permit.execute().finish(ending);
    outcome(&gate, &id).await;
    let ended = gate.why(&fresh, &decision).await.unwrap().unwrap().execution.unwrap().to_value();
    assert_eq!((&ended["outcome"], &ended["sni"], &ended["bytes_up"]), (&json!("cut"), &json!("other"), &json!(5)));
    let said = gate::execution::in_words(&ended);
    assert!(said.contains("sni_mismatch") && said.contains("What to do: "), "{said}");
    // What was only asked for was not carried out.
    let asked = crate::asks::to("https://a.test/");
    let only = gate.request_egress(&fresh, asked, None).await.unwrap().value.egress_request_id;
    assert!(gate.why(&fresh, &only.into()).await.unwrap().unwrap().execution.is_none());
    // Who is in another workspace is told nothing at all.
    let ws = model::WorkspaceId::parse("ws_other").unwrap();
    let stranger = crate::bed::caller_in(&gate, Some(ws), Role::Owner, None).await;
    assert!(gate.why(&stranger, &decision).await.unwrap().is_none());
}

async fn an_opaque_tunnel_is_told_as_one(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    rules(&gate, "[[allow]]\nid = \"tls\"\nhost = \"a.test\"\nport = 22\n").await;
    let control = pass(&gate, &agent, tunnel("https://a.test:22/")).await.unwrap();
    assert_eq!(control.answer.reason_code, ReasonCode::PolicyAllows);
    let asked = pass(&gate, &agent, opaque("https://a.test:22/")).await.unwrap();
    assert_eq!(asked.answer.decision, Outcome::RequireApproval);
    let row = request_row(&gate, &asked.answer.egress_request_id).await;
    assert_eq!(row.tunnel, Some(Tunnel::Opaque));
    let fresh = gate.fresh(agent.clone()).await.unwrap();
    let nearest = gate.why(&fresh, &row.egress_request_id.into()).await.unwrap().unwrap().nearest.unwrap();
    assert_eq!(nearest.id, "tls");
    assert_eq!(nearest.failed.len(), 1, "{nearest:?}");
    assert_eq!((nearest.failed[0].selector.as_str(), nearest.failed[0].was.as_deref()), ("tunnel", Some("opaque")));
}

async fn only_a_rule_that_settles_it_ends_its_approval(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let raised = async |leave: Leave| {
        let ruled = pass(&gate, &agent, leave).await.unwrap();
        ruled.answer.approval_id.unwrap()
    };
    let (anything, tls) = (raised(opaque("https://a.test:22/")).await, raised(tunnel("https://b.test:22/")).await);
    let request = approval(&gate, &anything).await.request.unwrap().to_value();
    assert_eq!((&request["tunnel"], &request["method"]), (&json!("opaque"), &json!("CONNECT")));
    // A rule for TLS says nothing of it.
    rules(&gate, "[[allow]]\nid = \"tls\"\nhost = [\"a.test\", \"b.test\"]\nport = 22\n").await;
    assert_eq!(gate.sweep_approvals().await.unwrap().moot, 1);
    assert_eq!(approval(&gate, &tls).await.status, ApprovalStatus::Expired);
    assert_eq!(approval(&gate, &anything).await.status, ApprovalStatus::Pending);
    rules(&gate, OPAQUE).await;
    assert_eq!(gate.sweep_approvals().await.unwrap().moot, 1);
    assert_eq!(approval(&gate, &anything).await.status, ApprovalStatus::Expired);
}

async fn a_connect_through_the_api_is_a_tunnel_for_tls(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    rules(&gate, "[[allow]]\nid = \"tls\"\nhost = \"a.test\"\nmethod = \"CONNECT\"\n").await;
    let ask =
        |method: &str| gate::EgressInput { method: Some(method.to_owned()), ..crate::asks::to("https://a.test/x") };
    let tunnel = gate.request_egress(&agent, ask("connect"), None).await.unwrap().value;
    assert_eq!(tunnel.decision, Outcome::Allow);
    assert_eq!(request_row(&gate, &tunnel.egress_request_id).await.tunnel, Some(Tunnel::Tls));
    let post = gate.request_egress(&agent, ask("POST"), None).await.unwrap().value;
    assert_eq!(post.decision, Outcome::RequireApproval);
    assert_eq!(request_row(&gate, &post.egress_request_id).await.tunnel, None);
    // The path is unseen: an allow for one does not match, a deny does.
    rules(&gate, "[[allow]]\nid = \"x\"\nhost = \"a.test\"\npath = \"/x\"\n").await;
    let unseen = gate.request_egress(&agent, ask("CONNECT"), None).await.unwrap().value;
    assert_eq!(unseen.decision, Outcome::RequireApproval);
    rules(&gate, "[[deny]]\nid = \"y\"\nhost = \"a.test\"\npath = \"/y\"\n").await;
    let unseen = gate.request_egress(&agent, ask("CONNECT"), None).await.unwrap().value;
    assert_eq!((unseen.decision, unseen.reason_code), (Outcome::Deny, ReasonCode::PolicyUnevaluable));
}

mod both {
    crate::bed::on_both!(
        why_tells_how_it_ended,
        an_opaque_tunnel_is_told_as_one,
        only_a_rule_that_settles_it_ends_its_approval,
        a_connect_through_the_api_is_a_tunnel_for_tls,
    );
}
