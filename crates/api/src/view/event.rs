//! An event of the log.

use model::{
    ActorType, Canonical, CorrelationId, EventId, PrincipalId, RoomId, RunId, StepId, ThreadId, Time, WorkspaceId, Zone,
};

use super::{answers, view};

view! {
    /// An event: what happened, its place in its stream and in the hash chain.
    Event of EventRow {
        /// Its id.
        event_id: EventId as String,
        /// What happened.
        event_type: String as String,
        /// The form of `data`.
        event_version: i64 as i64,
        /// When it happened.
        occurred_at: Time as String,
        /// When it was written; not covered by the hash.
        recorded_at: Time as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// Its room.
        room_id: Option<RoomId> as Option<String>,
        /// Its thread.
        thread_id: Option<ThreadId> as Option<String>,
        /// Its run.
        run_id: Option<RunId> as Option<String>,
        /// Its step.
        step_id: Option<StepId> as Option<String>,
        /// user, agent or service.
        actor_type: ActorType as String,
        /// The name of who acted.
        actor_id: String as String,
        /// The principal that acted.
        actor_principal_id: Option<PrincipalId> as Option<String>,
        /// The zone it happened in.
        zone: Zone as String,
        /// room, thread or workspace.
        stream_type: String as String,
        /// The stream.
        stream_id: String as String,
        /// Its place in the stream, from 1 without gaps.
        stream_seq: i64 as i64,
        /// What ties the events of one cause together.
        correlation_id: CorrelationId as String,
        /// The event that led to it.
        causation_id: Option<EventId> as Option<String>,
        /// none, partial or full.
        redaction_level: String as String,
        /// Whether a secret was found and replaced.
        contains_secrets: bool as bool,
        /// The policy context of the request.
        policy_context: Canonical as Object,
        /// The model context of the request.
        model_context: Canonical as Object,
        /// How to show it.
        display: Canonical as Object,
        /// What happened, by type.
        data: Canonical as Object,
        /// Internal.
        idempotency_key: Option<String> as Option<String>,
        /// Its place among all events: what cursors and `Last-Event-ID` are made of; not covered by the hash.
        position: i64 as i64,
        /// The hash of the event before it in its stream.
        prev_event_hash: Option<String> as Option<String>,
        /// The hash of its body.
        event_leaf: String as String,
        /// The hash of its place in the chain.
        event_hash: String as String,
    }
}

answers!(Event: one EventAnswer { event });
answers!(Event: many EventList { events });
