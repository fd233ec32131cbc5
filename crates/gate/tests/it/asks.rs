//! Asks through the gate: what is answered, what is written, who may ask.

mod authorize;
mod bearers;
mod data;
mod egress;
mod fence;
pub(crate) mod identity;
mod keys;
mod logged;
mod once;
pub(crate) mod quota;
mod redaction;
mod stale;

use gate::{Caller, EgressInput, Gate};
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, ActorType, ApprovalId, Canonical, CorrelationId, RoomId, Zone};
use serde_json::{Value, json};
use store::rows::{ApprovalRow, EventRow};
use store::{Command, ObjectKind, Reads, Tx};

use crate::bed::{events, workspace};

/// A change made straight in the store.
pub(crate) struct Change<R, S> {
    pub(crate) reads: R,
    pub(crate) settle: S,
}

impl<R, S> Command for Change<R, S>
where
    R: Fn(&mut Reads) + Send + 'static,
    S: FnMut(&mut Tx<'_>) + Send + 'static,
{
    type Output = ();
    type Refusal = ();
    fn reads(&self, reads: &mut Reads) {
        (self.reads)(reads);
    }
    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), ()> {
        (self.settle)(tx);
        Ok(())
    }
}

pub(crate) fn context(room: Option<&RoomId>) -> EventContext {
    EventContext {
        workspace_id: workspace(),
        room_id: room.cloned(),
        thread_id: None,
        run_id: None,
        step_id: None,
        actor: Actor::new(ActorType::User, "human"),
        principal_id: None,
        zone: Zone::Supervised,
        correlation_id: CorrelationId::new(),
        policy_context: Canonical::empty(),
        model_context: Canonical::empty(),
        contains_secrets: false,
    }
}

/// Appends one event; `policy` names the object whose change it is.
pub(crate) async fn append(
    gate: &Gate,
    room: Option<&RoomId>,
    event_type: EventType,
    data: Value,
    policy: Option<(ObjectKind, String)>,
) {
    let (room, approval) = (room.cloned(), data["approval_id"].as_str().map(str::to_owned));
    let stream = Stream::of(&workspace(), room.as_ref());
    let moves = policy.is_some();
    let change = Change {
        reads: move |reads: &mut Reads| {
            reads.stream(stream.clone());
            reads.actor(&workspace(), &Actor::new(ActorType::User, "human"));
            if moves {
                reads.moves_head(workspace().as_str());
            }
            if let Some(id) = &approval {
                reads.row::<ApprovalRow>(&[id]);
            }
        },
        settle: move |tx: &mut Tx<'_>| {
            tx.append(&context(room.as_ref()), EventDraft::new(event_type, Canonical::from(&data)));
            if let Some((kind, id)) = &policy {
                tx.policy_changed(workspace().as_str(), *kind, id);
            }
        },
    };
    gate.store().submit(change).await.unwrap();
}

pub(crate) async fn room(gate: &Gate) -> RoomId {
    let room = RoomId::new();
    append(
        gate,
        Some(&room),
        EventType::RoomCreated,
        json!({"title": "r", "room_mode": "default", "default_lang": "en"}),
        None,
    )
    .await;
    room
}

/// A human says yes.
pub(crate) async fn approve(gate: &Gate, room: Option<&RoomId>, id: &ApprovalId) {
    let data = json!({"approval_id": id, "decision": "approve"});
    append(gate, room, EventType::ApprovalDecided, data, Some((ObjectKind::Approval, id.to_string()))).await;
}

pub(crate) async fn approval(gate: &Gate, id: &ApprovalId) -> ApprovalRow {
    gate.store().approval(&workspace(), id).await.unwrap().unwrap()
}

pub(crate) fn to(url: &str) -> EgressInput {
    EgressInput { target_url: Some(url.to_owned()), ..EgressInput::default() }
}

/// A request that nothing speaks against.
pub(crate) fn harmless(url: &str) -> EgressInput {
    EgressInput { action: Some("internal.read".to_owned()), ..to(url) }
}

/// The events after the first `skip`, in the order in which they were appended.
pub(crate) async fn events_after(gate: &Gate, skip: usize) -> Vec<EventRow> {
    let mut all = events(gate).await;
    all.split_off(skip)
}

pub(crate) fn types(events: &[EventRow]) -> Vec<&str> {
    events.iter().map(|e| e.event_type.as_str()).collect()
}

/// Every event but the first is caused by the one before it, and all share one correlation.
pub(crate) fn assert_chained(events: &[EventRow]) {
    for pair in events.windows(2) {
        assert_eq!(pair[1].causation_id.as_ref(), Some(&pair[0].event_id), "{}", pair[1].event_type);
        assert_eq!(pair[1].correlation_id, pair[0].correlation_id);
    }
}

pub(crate) async fn gateway(gate: &Gate) -> Caller {
    crate::bed::caller(gate, model::Role::Gateway, None).await
}
