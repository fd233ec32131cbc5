//! Events: what is written down, its canonical form and its place in the hash chain.
//!
//! The hashed body and the chain are the contract's, section 4, byte for byte. `recorded_at` and
//! `position` are the only columns of `evt_events` that no hash covers.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::text_enum::text_enum;
use crate::{
    Actor, Canonical, CorrelationId, EventId, PrincipalId, RoomId, RunId, StepId, ThreadId, Time, WorkspaceId, Zone,
};

text_enum! {
    /// The catalogue of events.
    pub enum EventType {
        /// A room was made.
        RoomCreated = "room.created",
        /// An agent was registered.
        AgentRegistered = "agent.registered",
        /// An agent was quarantined.
        AgentQuarantined = "agent.quarantined",
        /// An agent was let out of quarantine.
        AgentUnquarantined = "agent.unquarantined",
        /// An agent was revoked.
        AgentRevoked = "agent.revoked",
        /// A capability token was granted.
        CapabilityGranted = "agent.capability.granted",
        /// A capability token was revoked.
        CapabilityRevoked = "agent.capability.revoked",
        /// A delegation was refused.
        DelegationAttempted = "agent.delegation.attempted",
        /// The gate said deny.
        PolicyDenied = "policy.denied",
        /// The gate said require_approval.
        PolicyRequiresApproval = "policy.requires_approval",
        /// An approval was asked for.
        ApprovalRequested = "approval.requested",
        /// An approval was decided.
        ApprovalDecided = "approval.decided",
        /// A yes was taken back.
        ApprovalRevoked = "approval.revoked",
        /// An approval ran out of time or of reason.
        ApprovalExpired = "approval.expired",
        /// A `once` approval was used.
        ApprovalConsumed = "approval.consumed",
        /// A request to leave was made.
        EgressRequested = "egress.requested",
        /// It was allowed.
        EgressAllowed = "egress.allowed",
        /// It was not (in shadow: would not have been).
        EgressBlocked = "egress.blocked",
        /// A request that left has ended.
        EgressCompleted = "egress.completed",
        /// The hourly quota was used up.
        QuotaExceeded = "quota.exceeded",
        /// Access to data was denied.
        DataAccessDenied = "data.access.denied",
        /// The purpose did not match.
        DataPurposeMismatch = "data.access.purpose_hint_mismatch",
        /// The purpose did not match and a justification was given.
        DataJustified = "data.access.justified",
        /// The purpose did not match and no justification was given.
        DataUnjustified = "data.access.unjustified",
        /// A principal was made.
        PrincipalCreated = "principal.created",
        /// A principal was revoked.
        PrincipalRevoked = "principal.revoked",
        /// A key was made.
        KeyCreated = "key.created",
        /// A key was revoked.
        KeyRevoked = "key.revoked",
        /// The action registry was changed.
        RegistryChanged = "registry.changed",
        /// A label was set.
        LabelChanged = "label.changed",
        /// Mode, kill switch, defaults or quota were changed.
        SettingsChanged = "settings.changed",
        /// A policy set was published.
        PolicySetPublished = "policy_set.published",
        /// A policy set was rolled back.
        PolicySetRolledBack = "policy_set.rolled_back",
        /// Somebody looked at would-blocks and left them as they are.
        ShadowReviewed = "shadow.reviewed",
        /// A run was made.
        RunCreated = "run.created",
        /// A run was started.
        RunStarted = "run.started",
        /// A run succeeded.
        RunCompleted = "run.completed",
        /// A run failed.
        RunFailed = "run.failed",
        /// A run waits for a human.
        RunWaiting = "run.waiting",
        /// A run goes on.
        RunResumed = "run.resumed",
        /// A run was cancelled.
        RunCancelled = "run.cancelled",
        /// A worker lost its run.
        RunLeaseExpired = "run.lease_expired",
        /// A step was made.
        StepCreated = "step.created",
        /// A tool was called.
        ToolInvoked = "tool.invoked",
        /// A tool call is carried out by this service, for a worker from outside.
        ToolExecuting = "tool.executing",
        /// A tool call succeeded.
        ToolSucceeded = "tool.succeeded",
        /// A tool call failed.
        ToolFailed = "tool.failed",
        /// A tool tried to get out another way.
        EgressViolation = "security.egress_violation",
        /// A credential was refused.
        AuthFailed = "auth.failed",
        /// A caller was not entitled.
        AuthzDenied = "authz.denied",
    }
}

text_enum! {
    /// What a stream belongs to.
    pub enum StreamType {
        /// A room's stream.
        Room = "room",
        /// A thread's stream.
        Thread = "thread",
        /// A workspace's stream.
        Workspace = "workspace",
    }
}

text_enum! {
    /// How much of what a caller supplied was replaced before it was stored.
    pub enum RedactionLevel {
        /// Nothing.
        None = "none",
        /// Secrets were replaced.
        Partial = "partial",
        /// Everything was replaced.
        Full = "full",
    }
}

/// A stream: where an event is appended, in order and without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stream {
    /// Room, thread or workspace.
    #[serde(rename = "stream_type")]
    pub kind: StreamType,
    /// The id of the room, thread or workspace.
    #[serde(rename = "stream_id")]
    pub id: String,
}

impl Stream {
    /// The stream of what happens in `room`, else in `workspace`.
    #[must_use]
    pub fn of(workspace: &WorkspaceId, room: Option<&RoomId>) -> Self {
        match room {
            Some(room) => Self { kind: StreamType::Room, id: room.as_str().to_owned() },
            None => Self { kind: StreamType::Workspace, id: workspace.as_str().to_owned() },
        }
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// Where and on whose behalf something happens: what all events of one command share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventContext {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The room; it also chooses the stream.
    pub room_id: Option<RoomId>,
    /// The thread.
    pub thread_id: Option<ThreadId>,
    /// The run.
    pub run_id: Option<RunId>,
    /// The step.
    pub step_id: Option<StepId>,
    /// Who acts.
    pub actor: Actor,
    /// The principal given; without one the store takes the actor's, made on first use.
    pub principal_id: Option<PrincipalId>,
    /// The zone; `supervised` when none was given.
    pub zone: Zone,
    /// What ties the events together.
    pub correlation_id: CorrelationId,
    /// The request's policy context, redacted.
    pub policy_context: Canonical,
    /// The request's model context, redacted.
    pub model_context: Canonical,
    /// Whether something secret was replaced in what the caller supplied.
    pub contains_secrets: bool,
}

/// An event before the store gives it its time, principal, sequence and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// What happened.
    pub event_type: EventType,
    /// The event that caused it.
    pub causation_id: Option<EventId>,
    /// The particulars, redacted and canonical.
    pub data: Canonical,
    /// What a console may show, redacted and canonical.
    pub display: Canonical,
}

impl EventDraft {
    /// A draft with empty display and no cause.
    #[must_use]
    pub fn new(event_type: EventType, data: Canonical) -> Self {
        Self { event_type, causation_id: None, data, display: Canonical::empty() }
    }

    /// The same, caused by `event`.
    #[must_use]
    pub fn caused_by(mut self, event: Option<EventId>) -> Self {
        self.causation_id = event;
        self
    }
}

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Renders a hash as the contract does: `sha256:` and lower-case hex.
#[must_use]
pub fn render_hash(hash: &Hash) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    data_encoding::HEXLOWER.encode_append(hash, &mut text);
    text
}

/// Reads what [`render_hash`] renders.
#[must_use]
pub fn parse_hash(text: &str) -> Option<Hash> {
    let hex = text.strip_prefix("sha256:")?;
    data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// The hashed body of an event, borrowed from wherever its fields live.
#[derive(Debug, Clone, Copy)]
pub struct EventBody<'a> {
    /// Its id.
    pub event_id: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// The version of its data, 1.
    pub event_version: i64,
    /// When it happened.
    pub occurred_at: Time,
    /// The workspace.
    pub workspace_id: &'a str,
    /// The room.
    pub room_id: Option<&'a str>,
    /// The thread.
    pub thread_id: Option<&'a str>,
    /// The run.
    pub run_id: Option<&'a str>,
    /// The step.
    pub step_id: Option<&'a str>,
    /// The actor's kind.
    pub actor_type: &'a str,
    /// The actor's name.
    pub actor_id: &'a str,
    /// The principal.
    pub actor_principal_id: Option<&'a str>,
    /// The zone.
    pub zone: &'a str,
    /// The stream's kind.
    pub stream_type: &'a str,
    /// The stream's id.
    pub stream_id: &'a str,
    /// The place in the stream, from 1.
    pub stream_seq: i64,
    /// The correlation.
    pub correlation_id: &'a str,
    /// The cause.
    pub causation_id: Option<&'a str>,
    /// How much was redacted.
    pub redaction_level: &'a str,
    /// Whether something secret was found.
    pub contains_secrets: bool,
    /// Canonical JSON.
    pub policy_context: &'a str,
    /// Canonical JSON.
    pub model_context: &'a str,
    /// Canonical JSON.
    pub display: &'a str,
    /// Canonical JSON.
    pub data: &'a str,
    /// For internal use.
    pub idempotency_key: Option<&'a str>,
}

impl EventBody<'_> {
    /// The RFC 8785 text of the body: keys in code-point order, the JSON columns as they are.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(
            640 + self.data.len() + self.policy_context.len() + self.model_context.len() + self.display.len(),
        );
        out.push_str("{\"actor_id\":");
        push_text(&mut out, self.actor_id);
        push_field(&mut out, "actor_principal_id", self.actor_principal_id);
        push_field(&mut out, "actor_type", Some(self.actor_type));
        push_field(&mut out, "causation_id", self.causation_id);
        out.push_str(if self.contains_secrets { ",\"contains_secrets\":true" } else { ",\"contains_secrets\":false" });
        push_field(&mut out, "correlation_id", Some(self.correlation_id));
        push_raw(&mut out, "data", self.data);
        push_raw(&mut out, "display", self.display);
        push_field(&mut out, "event_id", Some(self.event_id));
        push_field(&mut out, "event_type", Some(self.event_type));
        let _ = write!(out, ",\"event_version\":{},\"hash_version\":1", self.event_version);
        push_field(&mut out, "idempotency_key", self.idempotency_key);
        push_raw(&mut out, "model_context", self.model_context);
        let _ = write!(out, ",\"occurred_at\":\"{}\"", self.occurred_at);
        push_raw(&mut out, "policy_context", self.policy_context);
        push_field(&mut out, "redaction_level", Some(self.redaction_level));
        push_field(&mut out, "room_id", self.room_id);
        push_field(&mut out, "run_id", self.run_id);
        push_field(&mut out, "step_id", self.step_id);
        push_field(&mut out, "stream_id", Some(self.stream_id));
        let _ = write!(out, ",\"stream_seq\":{}", self.stream_seq);
        push_field(&mut out, "stream_type", Some(self.stream_type));
        push_field(&mut out, "thread_id", self.thread_id);
        push_field(&mut out, "workspace_id", Some(self.workspace_id));
        push_field(&mut out, "zone", Some(self.zone));
        out.push('}');
        out
    }

    /// The event's leaf: SHA-256 of 0x00 and the body (an RFC 6962 leaf hash).
    #[must_use]
    pub fn leaf(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update([0_u8]);
        hasher.update(self.render().as_bytes());
        hasher.finalize().into()
    }
}

/// Chains a leaf: SHA-256 of 0x02, the hash before (zeros at 1), SHA-256 of the stream's name, the
/// sequence as 8 bytes big-endian, and the leaf.
#[must_use]
pub fn chain(prev: &Hash, stream: &Stream, stream_seq: i64, leaf: &Hash) -> Hash {
    let name = Sha256::digest(stream.to_string().as_bytes());
    let mut hasher = Sha256::new();
    hasher.update([2_u8]);
    hasher.update(prev);
    hasher.update(name);
    hasher.update(stream_seq.to_be_bytes());
    hasher.update(leaf);
    hasher.finalize().into()
}

fn push_raw(out: &mut String, key: &str, json: &str) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    out.push_str(json);
}

fn push_field(out: &mut String, key: &str, value: Option<&str>) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    match value {
        Some(text) => push_text(out, text),
        None => out.push_str("null"),
    }
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push_str(text);
    } else {
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\u{8}' => out.push_str("\\b"),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\u{c}' => out.push_str("\\f"),
                '\r' => out.push_str("\\r"),
                c if c < ' ' => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
    }
    out.push('"');
}
