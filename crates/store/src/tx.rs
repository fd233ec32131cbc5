//! The batch as a command sees it: rows by key, and writes that become real together.

pub(crate) mod cache;
pub(crate) mod claim;
pub(crate) mod load;
pub(crate) mod quota;

use std::collections::{BTreeMap, HashMap};

use model::event::{EventBody, EventContext, EventDraft, Hash, RedactionLevel, Stream, chain, render_hash};
use model::{Actor, ApprovalId, EventId, PrincipalId, Time, WorkspaceId};

use crate::command::TableRow;
use crate::db::DbError;
use crate::db::sql::WriteMode;
use crate::db::writer::Write;
use crate::project;
use crate::rows::{
    ApprovalRow, DecisionRow, DecisionSegmentRow, EgressRequestRow, EventRow, PolicyHeadRow, PolicyLogRow,
    PrincipalRow, QuotaHeadRow, QuotaUseRow, StepRow, StreamHeadRow, ToolCallRow,
};
use cache::Caches;
use quota::Quota;
pub use quota::QuotaOutcome;

/// Which kind of policy object changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A principal.
    Principal,
    /// An agent.
    Agent,
    /// A capability token.
    Token,
    /// An approval.
    Approval,
    /// An entry of the action registry.
    Registry,
    /// A workspace's settings.
    Settings,
    /// A key.
    Key,
    /// A label: nothing in a snapshot, but a decision may rest on it.
    Label,
    /// A workspace's policy set, or what is tried beside it.
    PolicySet,
}

impl ObjectKind {
    pub(crate) const ALL: [(Self, &'static str); 9] = [
        (Self::Principal, "principal"),
        (Self::Agent, "agent"),
        (Self::Token, "token"),
        (Self::Approval, "approval"),
        (Self::Registry, "registry"),
        (Self::Settings, "settings"),
        (Self::Key, "key"),
        (Self::Label, "label"),
        (Self::PolicySet, "policy_set"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, text)| text)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, t)| *t == text).map(|(kind, _)| *kind)
    }
}

/// The end of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamHead {
    next_seq: i64,
    last_hash: Hash,
    stored: bool,
    moved: bool,
}

/// A policy head within a batch.
#[derive(Debug, Clone, Copy)]
struct PolicyHead {
    head: u64,
    stored: bool,
    moved: bool,
}

/// Everything a batch works on.
pub(crate) struct Work {
    now: Time,
    position: i64,
    streams: BTreeMap<Stream, StreamHead>,
    policy: BTreeMap<String, PolicyHead>,
    at_begin: BTreeMap<String, u64>,
    caches: Caches,
    actors: HashMap<(WorkspaceId, Actor), PrincipalId>,
    open_asks: HashMap<(WorkspaceId, String), ApprovalId>,
    quotas: BTreeMap<(WorkspaceId, String), Quota>,
    events: Vec<EventRow>,
    egress: Vec<EgressRequestRow>,
    decisions: Vec<DecisionRow>,
    log: Vec<PolicyLogRow>,
    uses: Vec<QuotaUseRow>,
    claimable: BTreeMap<claim::Claim, Vec<model::RunId>>,
    parts: claim::PartsIndex,
    runs_ready: bool,
    undo: Vec<Undo>,
    segments: Vec<DecisionSegmentRow>,
    segments_gone: Vec<DecisionSegmentRow>,
    after: Vec<After>,
}

/// What is done once the batch is durable.
pub(crate) type After = Box<dyn FnOnce() + Send>;

type Undo = Box<dyn FnOnce(&mut Work) + Send>;

/// A place to go back to when a command is refused.
struct Mark {
    position: i64,
    events: usize,
    egress: usize,
    decisions: usize,
    log: usize,
    uses: usize,
    segments: usize,
    segments_gone: usize,
    after: usize,
}

impl Work {
    /// Runs `settle` and takes back what it wrote when it gives an error.
    pub(crate) fn attempt<T, E>(&mut self, settle: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let mark = Mark {
            position: self.position,
            events: self.events.len(),
            egress: self.egress.len(),
            decisions: self.decisions.len(),
            log: self.log.len(),
            uses: self.uses.len(),
            segments: self.segments.len(),
            segments_gone: self.segments_gone.len(),
            after: self.after.len(),
        };
        self.undo.clear();
        let outcome = settle(&mut Tx { work: self });
        if outcome.is_err() {
            while let Some(undo) = self.undo.pop() {
                undo(self);
            }
            self.position = mark.position;
            self.events.truncate(mark.events);
            self.egress.truncate(mark.egress);
            self.decisions.truncate(mark.decisions);
            self.log.truncate(mark.log);
            self.uses.truncate(mark.uses);
            self.segments.truncate(mark.segments);
            self.segments_gone.truncate(mark.segments_gone);
            self.after.truncate(mark.after);
        }
        outcome
    }

    /// Keeps the policy heads as they are now: what asks were decided under is compared with them,
    /// not with what this batch makes of them.
    pub(crate) fn begin(&mut self) {
        self.at_begin = self.policy.iter().map(|(scope, head)| (scope.clone(), head.head)).collect();
    }

    pub(crate) fn head_at_begin(&self, scope: &str) -> u64 {
        self.at_begin.get(scope).copied().unwrap_or(0)
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn has_policy_changes(&self) -> bool {
        !self.log.is_empty()
    }

    pub(crate) fn has_ready_runs(&self) -> bool {
        self.runs_ready
    }

    /// Takes what is to be done once the batch is durable.
    pub(crate) fn take_after(&mut self) -> Vec<After> {
        std::mem::take(&mut self.after)
    }

    /// What has to be written, in an order that is the same for every batch.
    pub(crate) fn into_writes(mut self) -> Vec<Write> {
        let mut out = Vec::with_capacity(12);
        heads(
            &mut out,
            self.policy
                .into_iter()
                .filter(|(_, h)| h.moved)
                .map(|(scope, h)| (h.stored, PolicyHeadRow { scope, head: i64::try_from(h.head).unwrap_or(i64::MAX) })),
        );
        heads(
            &mut out,
            self.streams.into_iter().filter(|(_, h)| h.moved).map(|(stream, h)| {
                let row = StreamHeadRow {
                    stream_type: stream.kind.as_str().to_owned(),
                    stream_id: stream.id,
                    next_seq: h.next_seq,
                    last_event_hash: Some(render_hash(&h.last_hash)),
                };
                (h.stored, row)
            }),
        );
        heads(
            &mut out,
            self.quotas.into_iter().filter(|(_, q)| q.moved()).map(|((workspace_id, subject), q)| {
                (q.stored(), QuotaHeadRow { workspace_id, subject, next_n: q.next_n(), last_at: q.last_at() })
            }),
        );
        self.caches.writes(&mut out);
        inserts(&mut out, self.events);
        inserts(&mut out, self.egress);
        inserts(&mut out, self.decisions);
        inserts(&mut out, self.log);
        inserts(&mut out, self.uses);
        if !self.segments_gone.is_empty() {
            out.push(Write::of(WriteMode::Delete, self.segments_gone));
        }
        if !self.segments.is_empty() {
            out.push(Write::of(WriteMode::Upsert, self.segments));
        }
        out
    }
}

fn heads<T: crate::db::table::Table>(out: &mut Vec<Write>, rows: impl Iterator<Item = (bool, T)>) {
    let (stored, new): (Vec<_>, Vec<_>) = rows.partition(|(stored, _)| *stored);
    inserts(out, new.into_iter().map(|(_, row)| row).collect());
    if !stored.is_empty() {
        out.push(Write::of(WriteMode::Upsert, stored.into_iter().map(|(_, row)| row).collect::<Vec<T>>()));
    }
}

fn inserts<T: crate::db::table::Table>(out: &mut Vec<Write>, rows: Vec<T>) {
    if !rows.is_empty() {
        out.push(Write::of(WriteMode::Insert, rows));
    }
}

/// One command's view of the batch.
pub struct Tx<'w> {
    work: &'w mut Work,
}

impl Tx<'_> {
    /// The store's clock: one moment for the whole batch, never before an earlier batch's.
    #[must_use]
    pub fn now(&self) -> Time {
        self.work.now
    }

    /// A declared row, as this batch has left it so far.
    #[must_use]
    pub fn get<T: TableRow>(&self, key: &[&str]) -> Option<&T> {
        let key: Vec<String> = key.iter().map(|k| (*k).to_owned()).collect();
        T::cache(&self.work.caches).get(&key)
    }

    /// Inserts or replaces a row. Replacing needs the row to have been declared.
    pub fn put<T: TableRow>(&mut self, row: T) {
        let before = T::cache_mut(&mut self.work.caches).put(row);
        self.work.undo.push(Box::new(move |work| T::cache_mut(&mut work.caches).undo(before)));
    }

    /// Removes a declared row, or one that this batch put.
    pub fn remove<T: TableRow>(&mut self, key: &[&str]) {
        let key: Vec<String> = key.iter().map(|k| (*k).to_owned()).collect();
        if let Some(before) = T::cache_mut(&mut self.work.caches).remove(&key) {
            self.work.undo.push(Box::new(move |work| T::cache_mut(&mut work.caches).undo(before)));
        }
    }

    /// Adds the row of an egress request.
    pub fn insert_egress_request(&mut self, row: EgressRequestRow) {
        self.work.egress.push(row);
    }

    /// Does something once this batch is durable, and never when it is not. It must be quick: the
    /// recorder waits for it.
    pub fn after_commit(&mut self, work: impl FnOnce() + Send + 'static) {
        self.work.after.push(Box::new(work));
    }

    /// Writes a segment of the decision log, in place of an earlier state of it.
    pub fn put_segment(&mut self, row: DecisionSegmentRow) {
        self.work.segments.push(row);
    }

    /// Removes a segment of the decision log. Nothing but its key is looked at.
    pub fn remove_segment(&mut self, workspace_id: &WorkspaceId, segment_id: &str) {
        let now = self.now();
        self.work.segments_gone.push(DecisionSegmentRow {
            workspace_id: workspace_id.clone(),
            segment_id: segment_id.to_owned(),
            from_at: now,
            to_at: now,
            rows: 0,
            dropped: 0,
            sealed: true,
            facts: Vec::new(),
            ids: Vec::new(),
        });
    }

    /// Adds the row of a recorded decision.
    pub fn insert_decision(&mut self, row: DecisionRow) {
        self.work.decisions.push(row);
    }

    /// The principal of a declared actor, made now when there is none.
    pub fn principal_of(&mut self, workspace: &WorkspaceId, actor: &Actor) -> PrincipalId {
        let key = (workspace.clone(), actor.clone());
        if let Some(id) = self.work.actors.get(&key) {
            return id.clone();
        }
        let id = PrincipalId::new();
        self.put(PrincipalRow {
            principal_id: id.clone(),
            workspace_id: Some(workspace.clone()),
            principal_type: actor.kind,
            legacy_actor_type: Some(actor.kind),
            legacy_actor_id: Some(actor.id.clone()),
            created_at: self.now(),
            revoked_at: None,
        });
        let undo_key = key.clone();
        self.work.undo.push(Box::new(move |work| {
            work.actors.remove(&undo_key);
        }));
        self.work.actors.insert(key, id.clone());
        id
    }

    /// The principal of a declared actor, when there is one.
    #[must_use]
    pub fn known_principal_of(&self, workspace: &WorkspaceId, actor: &Actor) -> Option<&PrincipalId> {
        self.work.actors.get(&(workspace.clone(), actor.clone()))
    }

    /// The open approval raised by the declared ask, when there is one.
    #[must_use]
    pub fn open_ask(&self, workspace: &WorkspaceId, ask_key: &str) -> Option<&ApprovalRow> {
        let id = self.work.open_asks.get(&(workspace.clone(), ask_key.to_owned()))?;
        self.get::<ApprovalRow>(&[id.as_str()]).filter(|row| row.status.is_open())
    }

    /// Takes one use of a declared quota.
    pub fn take_quota(&mut self, workspace: &WorkspaceId, subject: &str, limit: u64) -> QuotaOutcome {
        let now = self.now();
        let key = (workspace.clone(), subject.to_owned());
        let Some(quota) = self.work.quotas.get_mut(&key) else { return QuotaOutcome::Exceeded };
        let before = quota.clone();
        let Some(at) = quota.take(now, limit) else { return QuotaOutcome::Exceeded };
        self.work.uses.push(QuotaUseRow {
            workspace_id: key.0.clone(),
            subject: key.1.clone(),
            n: before.next_n(),
            at,
        });
        self.work.undo.push(Box::new(move |work| {
            work.quotas.insert(key, before);
        }));
        QuotaOutcome::Taken
    }

    /// Moves a declared policy head: from the commit on, every decision that begins on any replica
    /// sees the change.
    pub fn policy_changed(&mut self, scope: &str, kind: ObjectKind, object_id: &str) {
        let head =
            self.work.policy.entry(scope.to_owned()).or_insert(PolicyHead { head: 0, stored: false, moved: false });
        let before = *head;
        head.head += 1;
        head.moved = true;
        self.work.log.push(PolicyLogRow {
            scope: scope.to_owned(),
            head: i64::try_from(head.head).unwrap_or(i64::MAX),
            object_kind: kind.as_str().to_owned(),
            object_id: object_id.to_owned(),
        });
        let scope = scope.to_owned();
        self.work.undo.push(Box::new(move |work| {
            work.policy.insert(scope, before);
        }));
    }

    /// Appends an event to its declared stream: the room's when there is a room, else the
    /// workspace's. Gives it the next sequence, its hash, and applies it to the projections.
    pub fn append(&mut self, context: &EventContext, draft: EventDraft) -> EventId {
        let stream = Stream::of(&context.workspace_id, context.room_id.as_ref());
        let principal = match &context.principal_id {
            Some(principal) => principal.clone(),
            None => self.principal_of(&context.workspace_id, &context.actor),
        };
        let row = self.chained(context, draft, stream, principal);
        let id = row.event_id.clone();
        project::apply(self, &row);
        self.work.events.push(row);
        id
    }

    fn chained(
        &mut self,
        context: &EventContext,
        draft: EventDraft,
        stream: Stream,
        principal: PrincipalId,
    ) -> EventRow {
        let work = &mut *self.work;
        let head = work.streams.entry(stream.clone()).or_insert(StreamHead {
            next_seq: 1,
            last_hash: [0; 32],
            stored: false,
            moved: false,
        });
        let before = *head;
        let seq = head.next_seq;
        let event_id = EventId::new();
        let redaction = if context.contains_secrets { RedactionLevel::Partial } else { RedactionLevel::None };
        let leaf = EventBody {
            event_id: event_id.as_str(),
            event_type: draft.event_type.as_str(),
            event_version: 1,
            occurred_at: work.now,
            workspace_id: context.workspace_id.as_str(),
            room_id: context.room_id.as_ref().map(AsRef::as_ref),
            thread_id: context.thread_id.as_ref().map(AsRef::as_ref),
            run_id: context.run_id.as_ref().map(AsRef::as_ref),
            step_id: context.step_id.as_ref().map(AsRef::as_ref),
            actor_type: context.actor.kind.as_str(),
            actor_id: &context.actor.id,
            actor_principal_id: Some(principal.as_str()),
            zone: context.zone.as_str(),
            stream_type: stream.kind.as_str(),
            stream_id: &stream.id,
            stream_seq: seq,
            correlation_id: context.correlation_id.as_str(),
            causation_id: draft.causation_id.as_ref().map(AsRef::as_ref),
            redaction_level: redaction.as_str(),
            contains_secrets: context.contains_secrets,
            policy_context: context.policy_context.as_str(),
            model_context: context.model_context.as_str(),
            display: draft.display.as_str(),
            data: draft.data.as_str(),
            idempotency_key: None,
        }
        .leaf();
        let hash = chain(&head.last_hash, &stream, seq, &leaf);
        let prev = (seq > 1).then(|| render_hash(&head.last_hash));
        *head = StreamHead { next_seq: seq + 1, last_hash: hash, stored: before.stored, moved: true };
        work.position += 1;
        let key = stream.clone();
        work.undo.push(Box::new(move |work| {
            work.streams.insert(key, before);
        }));
        EventRow {
            event_id,
            event_type: draft.event_type.as_str().to_owned(),
            event_version: 1,
            occurred_at: work.now,
            recorded_at: work.now,
            workspace_id: context.workspace_id.clone(),
            room_id: context.room_id.clone(),
            thread_id: context.thread_id.clone(),
            run_id: context.run_id.clone(),
            step_id: context.step_id.clone(),
            actor_type: context.actor.kind,
            actor_id: context.actor.id.clone(),
            actor_principal_id: Some(principal),
            zone: context.zone,
            stream_type: stream.kind.as_str().to_owned(),
            stream_id: stream.id,
            stream_seq: seq,
            correlation_id: context.correlation_id.clone(),
            causation_id: draft.causation_id,
            redaction_level: redaction.as_str().to_owned(),
            contains_secrets: context.contains_secrets,
            policy_context: context.policy_context.clone(),
            model_context: context.model_context.clone(),
            display: draft.display,
            data: draft.data,
            idempotency_key: None,
            position: work.position,
            prev_event_hash: prev,
            event_leaf: render_hash(&leaf),
            event_hash: render_hash(&hash),
        }
    }

    /// Says that the open ask `ask_key` is now the one of `approval`.
    pub(crate) fn opened_ask(&mut self, workspace: &WorkspaceId, ask_key: &str, approval: &ApprovalId) {
        let key = (workspace.clone(), ask_key.to_owned());
        let before = self.work.open_asks.insert(key.clone(), approval.clone());
        self.work.undo.push(Box::new(move |work| {
            match before {
                Some(id) => work.open_asks.insert(key, id),
                None => work.open_asks.remove(&key),
            };
        }));
    }
}

impl project::Projections for Tx<'_> {
    fn get<T: TableRow>(&self, key: &[&str]) -> Option<T> {
        Tx::get::<T>(self, key).cloned()
    }
    fn put<T: TableRow>(&mut self, row: T) {
        Tx::put(self, row);
    }
    fn opened_ask(&mut self, workspace: &WorkspaceId, ask_key: &str, approval: &ApprovalId) {
        Tx::opened_ask(self, workspace, ask_key, approval);
    }
    fn closed_ask(&mut self, run: &model::RunId, approval: &ApprovalId) {
        self.wake_waiting(run, approval);
    }
    fn put_step(&mut self, row: StepRow) {
        self.note_step(&row);
        Tx::put(self, row);
    }
    fn put_tool_call(&mut self, row: ToolCallRow) {
        self.note_tool_call(&row);
        Tx::put(self, row);
    }
    fn open_parts(&self, run: &model::RunId) -> claim::OpenParts {
        Tx::open_parts(self, run)
    }
}

/// A stored stream head that cannot be read.
pub(crate) fn bad_head() -> DbError {
    DbError::BadRow { table: "evt_stream_heads", column: "last_event_hash" }
}
