//! Runs, steps and tool calls as rows.

use model::event::EventType;
use model::run::{RunStatus, StepStatus, ToolCallStatus};
use model::{Canonical, ToolCallId};
use serde_json::Value;

use super::Projections;
use crate::rows::{EventRow, RunRow, StepRow, ToolCallRow};

fn text(data: &Value, key: &str) -> Option<String> {
    data.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn part(data: &Value, key: &str) -> Option<Canonical> {
    data.get(key).filter(|v| !v.is_null()).map(Canonical::from)
}

/// Applies an event of a run.
pub(super) fn apply<P: Projections>(rows: &mut P, event: &EventRow, event_type: EventType) {
    match event_type {
        EventType::RunCreated => run_created(rows, event),
        EventType::StepCreated => step_created(rows, event),
        EventType::ToolInvoked => tool_invoked(rows, event),
        EventType::ToolSucceeded => tool_ended(rows, event, ToolCallStatus::Succeeded, StepStatus::Succeeded),
        EventType::ToolFailed => tool_ended(rows, event, ToolCallStatus::Failed, StepStatus::Failed),
        EventType::RunStarted => change(rows, event, |row| {
            row.status = RunStatus::Running;
            row.attempt_no += 1;
            row.started_at = row.started_at.or(Some(event.occurred_at));
        }),
        EventType::RunWaiting => change(rows, event, |row| row.status = RunStatus::WaitingApproval),
        EventType::RunResumed => change(rows, event, |row| row.status = RunStatus::Running),
        EventType::RunLeaseExpired => change(rows, event, |row| row.status = RunStatus::Queued),
        EventType::RunCompleted => ended(rows, event, RunStatus::Succeeded, StepStatus::Succeeded),
        EventType::RunFailed => ended(rows, event, RunStatus::Failed, StepStatus::Failed),
        EventType::RunCancelled => ended(rows, event, RunStatus::Cancelled, StepStatus::Failed),
        _ => {}
    }
}

fn run_created<P: Projections>(rows: &mut P, event: &EventRow) {
    let Some(run_id) = event.run_id.clone() else { return };
    let data = event.data.to_value();
    rows.put(RunRow {
        run_id,
        workspace_id: event.workspace_id.clone(),
        room_id: event.room_id.clone(),
        thread_id: event.thread_id.clone(),
        status: RunStatus::Queued,
        title: text(&data, "title"),
        goal: text(&data, "goal"),
        input: part(&data, "input"),
        output: None,
        summary: None,
        message: None,
        error: None,
        tags: part(&data, "tags").unwrap_or_else(|| Canonical::from_stored("[]".to_owned())),
        correlation_id: event.correlation_id.clone(),
        created_by_principal_id: event.actor_principal_id.clone(),
        attempt_no: 0,
        created_at: event.occurred_at,
        started_at: None,
        ended_at: None,
        updated_at: event.occurred_at,
        last_event_id: event.event_id.clone(),
    });
}

/// Lets `change` change the event's run, whose last event it then is.
fn change<P: Projections>(rows: &mut P, event: &EventRow, change: impl FnOnce(&mut RunRow)) {
    let Some(run_id) = &event.run_id else { return };
    let Some(mut row) = rows.get::<RunRow>(&[run_id.as_str()]) else { return };
    change(&mut row);
    row.updated_at = event.occurred_at;
    row.last_event_id = event.event_id.clone();
    rows.put(row);
}

fn ended<P: Projections>(rows: &mut P, event: &EventRow, status: RunStatus, steps: StepStatus) {
    let data = event.data.to_value();
    change(rows, event, |row| {
        row.status = status;
        row.ended_at = Some(event.occurred_at);
        row.summary = text(&data, "summary");
        row.output = part(&data, "output");
        row.message = text(&data, "message").or_else(|| text(&data, "reason"));
        row.error = part(&data, "error");
    });
    let Some(run_id) = &event.run_id else { return };
    // Tool calls end with events of their own; a step has none.
    for step in rows.open_parts(run_id).steps {
        if let Some(row) = rows.get::<StepRow>(&[step.as_str()]) {
            rows.put_step(StepRow { status: steps, updated_at: event.occurred_at, ..row });
        }
    }
}

fn step_created<P: Projections>(rows: &mut P, event: &EventRow) {
    let (Some(run_id), Some(step_id)) = (event.run_id.clone(), event.step_id.clone()) else { return };
    let data = event.data.to_value();
    rows.put_step(StepRow {
        step_id,
        workspace_id: event.workspace_id.clone(),
        run_id,
        kind: text(&data, "kind").unwrap_or_default(),
        title: text(&data, "title"),
        input: part(&data, "input"),
        status: StepStatus::Queued,
        created_at: event.occurred_at,
        updated_at: event.occurred_at,
        last_event_id: event.event_id.clone(),
    });
    change(rows, event, |_| {});
}

fn tool_call_id(data: &Value) -> Option<ToolCallId> {
    data.get("tool_call_id").and_then(Value::as_str).and_then(|id| ToolCallId::parse(id).ok())
}

fn tool_invoked<P: Projections>(rows: &mut P, event: &EventRow) {
    let (Some(run_id), Some(step_id)) = (event.run_id.clone(), event.step_id.clone()) else { return };
    let data = event.data.to_value();
    let Some(tool_call_id) = tool_call_id(&data) else { return };
    rows.put_tool_call(ToolCallRow {
        tool_call_id,
        workspace_id: event.workspace_id.clone(),
        run_id,
        step_id,
        tool_name: text(&data, "tool_name").unwrap_or_default(),
        title: text(&data, "title"),
        input: part(&data, "input"),
        output: None,
        message: None,
        error: None,
        status: ToolCallStatus::Running,
        created_at: event.occurred_at,
        ended_at: None,
        updated_at: event.occurred_at,
        last_event_id: event.event_id.clone(),
    });
    step_moved(rows, event, StepStatus::Running);
}

fn tool_ended<P: Projections>(rows: &mut P, event: &EventRow, status: ToolCallStatus, step: StepStatus) {
    let data = event.data.to_value();
    let Some(row) = tool_call_id(&data).and_then(|id| rows.get::<ToolCallRow>(&[id.as_str()])) else { return };
    let call = row.tool_call_id.clone();
    let run_id = row.run_id.clone();
    let step_id = row.step_id.clone();
    rows.put_tool_call(ToolCallRow {
        status,
        output: part(&data, "output"),
        message: text(&data, "message"),
        error: part(&data, "error"),
        ended_at: Some(event.occurred_at),
        updated_at: event.occurred_at,
        last_event_id: event.event_id.clone(),
        ..row
    });
    // A step runs as long as one of its tools does.
    let others = rows.open_parts(&run_id).tool_calls;
    let runs_on = others.iter().any(|other| {
        *other != call && rows.get::<ToolCallRow>(&[other.as_str()]).is_some_and(|row| row.step_id == step_id)
    });
    step_moved(rows, event, if runs_on { StepStatus::Running } else { step });
}

fn step_moved<P: Projections>(rows: &mut P, event: &EventRow, status: StepStatus) {
    let Some(step_id) = &event.step_id else { return };
    if let Some(row) = rows.get::<StepRow>(&[step_id.as_str()]) {
        rows.put_step(StepRow { status, updated_at: event.occurred_at, last_event_id: event.event_id.clone(), ..row });
    }
    change(rows, event, |_| {});
}
