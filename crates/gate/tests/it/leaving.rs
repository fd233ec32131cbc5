//! What is carried out: intended, recorded, permitted, asked again, and given an outcome exactly once.

mod asked_for;
mod commit;
mod errands;
mod leaks;
mod minted;
mod outcomes;
mod rechecked;
mod swept;
mod told;
mod waited;

use std::time::Duration;

use gate::approvals::DecideApprovalInput;
use gate::policies::Expect;
use gate::{Caller, Gate, GateError, Leave, Permit, Ruled};
use model::ask::Tunnel;
use model::{ApprovalId, EgressRequestId, GatewayId, Role, TargetUrl};
use serde_json::{Value, json};
use store::Reads;
use store::rows::{EgressRequestRow, EventRow, GatewayRow};

use crate::asks::Change;
use crate::bed::{caller, events, workspace};
use crate::policies::publish;

pub(crate) fn url(text: &str) -> TargetUrl {
    TargetUrl::parse(text).unwrap()
}

pub(crate) fn post(text: &str) -> Leave {
    Leave::request(url(text), "POST")
}

pub(crate) fn tunnel(text: &str) -> Leave {
    Leave::tunnel(url(text), Tunnel::Tls)
}

pub(crate) async fn pass(gate: &Gate, caller: &Caller, leave: Leave) -> Result<Ruled, GateError> {
    gate.commit(gate.intend(caller, leave).await?).await
}

/// A request that is let out.
pub(crate) async fn out(gate: &Gate, caller: &Caller, leave: Leave) -> Permit {
    let ruled = pass(gate, caller, leave).await.unwrap();
    ruled.permit.unwrap_or_else(|| panic!("{:?}", ruled.answer))
}

/// Publishes rules as somebody who may.
pub(crate) async fn rules(gate: &Gate, text: &str) {
    let operator = caller(gate, Role::Operator, None).await;
    publish(gate, &operator, text, Expect::Any).await.unwrap();
}

/// Rules that let everything pass to `a.test`.
pub(crate) const ALLOW: &str = "[[allow]]\nid = \"a\"\nhost = \"a.test\"\n";
/// Rules that ask for it.
pub(crate) const ASK: &str = "[[ask]]\nid = \"a\"\nhost = \"a.test\"\n";
/// Rules that deny it.
pub(crate) const DENY: &str = "[[deny]]\nid = \"a\"\nhost = \"a.test\"\n";

/// A human decides.
pub(crate) async fn decide(gate: &Gate, id: &ApprovalId, decision: &str, scope: Option<Value>) {
    let decider = caller(gate, Role::Approver, None).await;
    let input = DecideApprovalInput { decision: Some(decision.to_owned()), scope, ..DecideApprovalInput::default() };
    gate.decide_approval(&decider, id.as_str(), input).await.unwrap();
}

/// The outcomes of a request.
pub(crate) fn outcomes_of<'a>(events: &'a [EventRow], id: &EgressRequestId) -> Vec<&'a EventRow> {
    let of = |event: &&EventRow| {
        event.event_type == "egress.completed" && event.data.to_value()["egress_request_id"] == json!(id)
    };
    events.iter().filter(of).collect()
}

/// Waits until a request has an outcome, and gives its data.
pub(crate) async fn outcome(gate: &Gate, id: &EgressRequestId) -> Value {
    for _ in 0..1_000 {
        if let Some(event) = gate.store().outcome(id).await.unwrap() {
            return event.data.to_value();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} has no outcome after 10 s");
}

pub(crate) async fn request_row(gate: &Gate, id: &EgressRequestId) -> EgressRequestRow {
    gate.store().egress_request(&workspace(), id).await.unwrap().unwrap()
}

/// Makes a gateway look as if it had given no sign of life for longer than others bear.
pub(crate) async fn silence(gate: &Gate, id: &GatewayId) {
    let (of, id) = (id.clone(), id.clone());
    let change = Change {
        reads: move |reads: &mut Reads| reads.row::<GatewayRow>(&[of.as_str()]),
        settle: move |tx: &mut store::Tx<'_>| {
            let row = tx.get::<GatewayRow>(&[id.as_str()]).cloned().unwrap();
            let seen_at = tx.now().minus(Duration::from_secs(60));
            tx.put(GatewayRow { seen_at, ..row });
        },
    };
    gate.store().submit(change).await.unwrap();
}

/// How many outcomes each request that was let out has.
pub(crate) async fn assert_one_outcome_each(gate: &Gate, ids: &[EgressRequestId]) {
    let events = events(gate).await;
    for id in ids {
        assert_eq!(outcomes_of(&events, id).len(), 1, "{id}");
    }
}
