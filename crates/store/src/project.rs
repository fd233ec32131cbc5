//! Projections: what the events mean as rows. The recorder and `exeat db rebuild` apply the same
//! code, so that a rebuild gives the same rows.

mod approvals;
mod runs;

use model::{ApprovalId, RunId, WorkspaceId};

use crate::command::TableRow;
use crate::rows::{EventRow, RoomRow, StepRow, ToolCallRow};
use crate::tx::claim::OpenParts;
use model::event::EventType;

pub(crate) use approvals::ask_key;

/// Where projected rows are kept while events are applied.
pub(crate) trait Projections {
    /// A row by its primary key.
    fn get<T: TableRow>(&self, key: &[&str]) -> Option<T>;
    /// Inserts or replaces a row.
    fn put<T: TableRow>(&mut self, row: T);
    /// Notes which approval stands for an open ask.
    fn opened_ask(&mut self, workspace: &WorkspaceId, ask_key: &str, approval: &ApprovalId);
    /// Notes that an approval of a run is no longer open.
    fn closed_ask(&mut self, run: &RunId, approval: &ApprovalId);
    /// Puts a step and notes whether it is open.
    fn put_step(&mut self, row: StepRow);
    /// Puts a tool call and notes whether it runs.
    fn put_tool_call(&mut self, row: ToolCallRow);
    /// What is open in a run.
    fn open_parts(&self, run: &RunId) -> OpenParts;
}

/// Applies one event. Events that no projection shows change nothing.
pub(crate) fn apply<P: Projections>(rows: &mut P, event: &EventRow) {
    match EventType::parse(&event.event_type) {
        Some(EventType::RoomCreated) => room_created(rows, event),
        Some(EventType::ApprovalRequested) => approvals::requested(rows, event),
        Some(EventType::ApprovalDecided) => approvals::decided(rows, event),
        Some(EventType::ApprovalRevoked) => approvals::revoked(rows, event),
        Some(EventType::ApprovalExpired) => approvals::expired(rows, event),
        Some(EventType::ApprovalConsumed | EventType::EgressAllowed) => approvals::consumed(rows, event),
        Some(other) => runs::apply(rows, event, other),
        None => {}
    }
}

fn room_created<P: Projections>(rows: &mut P, event: &EventRow) {
    let Some(room_id) = event.room_id.clone() else { return };
    let data = event.data.to_value();
    let text = |key: &str| data.get(key).and_then(|v| v.as_str()).map(str::to_owned);
    rows.put(RoomRow {
        room_id,
        workspace_id: event.workspace_id.clone(),
        title: text("title").unwrap_or_default(),
        topic: text("topic"),
        room_mode: text("room_mode").unwrap_or_default(),
        default_lang: text("default_lang").unwrap_or_default(),
        created_at: event.occurred_at,
        updated_at: event.occurred_at,
        last_event_id: event.event_id.clone(),
    });
}
