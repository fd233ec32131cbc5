//! `exeat runs get`: one run, calm to read: how it stands, what it did, and why it failed.

use model::Time;
use serde_json::{Value, json};

use super::super::App;
use super::super::page;
use super::super::wire::{list, object};
use super::failed::Explained;
use super::status;
use crate::failure::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, Output, WAIT, clean, field, opt};

pub(super) async fn run(id: &str, app: &App) -> Result<(), Failure> {
    let client = app.client()?;
    let answer = client.get(&["v1", "runs", id], &[]).await?;
    let steps = page::all(&client, &["v1", "runs", id, "steps"], None, "steps").await?;
    let calls = page::all(&client, &["v1", "toolcalls"], Some(id), "tool_calls").await?;
    let attempts = page::all(&client, &["v1", "runs", id, "attempts"], None, "attempts").await?;
    let all = json!({ "run": object(&answer, "run"), "steps": steps, "tool_calls": calls, "attempts": attempts });
    app.output.answer(&all, show)
}

fn show(output: &Output, all: &Value) -> Result<(), Failure> {
    let run = object(all, "run");
    let calls = list(all, "tool_calls");
    let mut lines = head(output, run);
    lines.extend(steps(list(all, "steps"), calls));
    lines.extend(attempts(output, list(all, "attempts")));
    if let Some(why) = Explained::of(run, calls) {
        lines.push(String::new());
        lines.extend(why.lines());
    }
    lines.iter().try_for_each(|line| output.line(line))?;
    let id = field(run, "run_id");
    match field(run, "status").as_str() {
        "waiting_approval" => match waits_for(calls) {
            Some(approval) => output.say(&format!("it waits: exeat approvals approve {approval}")),
            None => output.say("it waits: exeat approvals list --status pending"),
        },
        "queued" | "running" => output.say(&format!("follow it: exeat runs watch {id}")),
        _ => {}
    }
    Ok(())
}

/// The approval that the last parked tool call waits for.
fn waits_for(calls: &[Value]) -> Option<String> {
    let last = calls.iter().filter(|call| is_parked(call)).max_by_key(|call| field(call, "created_at"))?;
    opt(last.get("error")?, "approval_id")
}

/// Whether a tool call failed only because the run then waited.
fn is_parked(call: &Value) -> bool {
    call.pointer("/error/code").and_then(Value::as_str) == Some("waiting_approval")
}

fn head(output: &Output, run: &Value) -> Vec<String> {
    let title = opt(run, "title").map(|title| format!("  {title}")).unwrap_or_default();
    let mut lines = vec![format!("{BOLD}{}{BOLD:#}  {}{title}", field(run, "run_id"), status(run))];
    let mut row = |name: &str, value: Option<String>| {
        lines.extend(value.filter(|value| !value.is_empty()).map(|value| format!("  {DIM}{name:<8}{DIM:#} {value}")));
    };
    row("goal", opt(run, "goal"));
    row("room", opt(run, "room_id"));
    row("tags", opt(run, "tags"));
    row("created", Some(output.when(run, "created_at")));
    row("took", took(run, "started_at", "ended_at"));
    // What the worker always says is no news.
    let automated = run.pointer("/output/automated") == Some(&Value::Bool(true));
    row("summary", opt(run, "summary").filter(|_| !automated));
    lines
}

/// The time between two moments, in seconds.
fn took(value: &Value, from: &str, to: &str) -> Option<String> {
    let at = |name: &str| Time::parse(value.get(name)?.as_str()?).ok();
    let millis = at(to)?.as_millis().saturating_sub(at(from)?.as_millis()).max(0);
    Some(format!("{}.{:03} s", millis / 1_000, millis % 1_000))
}

fn mark(value: &Value) -> String {
    match field(value, "status").as_str() {
        "succeeded" => format!("{GOOD}✓{GOOD:#}"),
        "failed" if is_parked(value) => format!("{WAIT}…{WAIT:#}"),
        "failed" => format!("{BAD}✗{BAD:#}"),
        _ => format!("{WAIT}·{WAIT:#}"),
    }
}

/// The steps in their order, each with its tool calls in theirs.
fn steps(steps: &[Value], calls: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    if !steps.is_empty() {
        lines.push(String::new());
    }
    for step in in_order(steps) {
        let id = field(step, "step_id");
        let title = opt(step, "title").unwrap_or_else(|| field(step, "kind"));
        let own: Vec<&Value> = in_order(calls).into_iter().filter(|call| field(call, "step_id") == id).collect();
        let shown = own.last().filter(|last| is_parked(last)).unwrap_or(&step);
        lines.push(format!("  {} {title}  {DIM}{id}{DIM:#}", mark(shown)));
        for call in own {
            let (id, tool) = (field(call, "tool_call_id"), field(call, "tool_name"));
            let said = opt(call, "message").or_else(|| outcome(call));
            let said = said.map(|said| format!("  {said}")).unwrap_or_default();
            lines.push(format!("    {} {tool}{said}  {DIM}{id}{DIM:#}", mark(call)));
        }
    }
    lines
}

/// Oldest first. Of one moment, the steps of a plan are in the plan's order.
fn in_order(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<&Value> = items.iter().collect();
    let ordinal = |item: &Value| item.pointer("/input/ordinal").and_then(Value::as_u64);
    items.sort_by_key(|item| {
        (field(item, "created_at"), ordinal(item), opt(item, "step_id"), opt(item, "tool_call_id"))
    });
    items
}

/// What the decision behind a tool call that succeeded was.
fn outcome(call: &Value) -> Option<String> {
    opt(call.get("output")?, "reason_code")
}

/// The attempts; of a run that went through at once there is nothing to tell.
fn attempts(output: &Output, attempts: &[Value]) -> Vec<String> {
    let plain = |attempt: &Value| {
        attempts.len() == 1 && matches!(field(attempt, "release_reason").as_str(), "completed" | "failed" | "-")
    };
    let mut told: Vec<&Value> = attempts.iter().filter(|attempt| !plain(attempt)).collect();
    told.sort_by_key(|attempt| attempt.get("attempt_no").and_then(Value::as_i64));
    let line = |attempt: &&Value| {
        let no = field(attempt, "attempt_no");
        let who = clean(&field(attempt, "claimed_by_actor_id"));
        let ended = opt(attempt, "release_reason").unwrap_or_else(|| "has it".to_owned());
        format!("  {DIM}attempt {no}{DIM:#}  {who}  {}  {ended}", output.when(attempt, "claimed_at"))
    };
    let lines: Vec<String> = told.iter().map(line).collect();
    if lines.is_empty() { lines } else { std::iter::once(String::new()).chain(lines).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_calls_come_in_their_order() {
        let step = |id: &str, at: &str, status: &str| json!({ "step_id": id, "title": id, "created_at": at, "status": status });
        let call = |id: &str, step: &str, at: &str, status: &str| json!({ "tool_call_id": id, "step_id": step, "tool_name": "runtime.noop", "created_at": at, "status": status });
        let (first, second) = ("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:06.000Z");
        let given = [step("step_2", second, "running"), step("step_1", first, "succeeded")];
        let calls = [
            call("tc_3", "step_2", second, "running"),
            call("tc_2", "step_1", second, "succeeded"),
            call("tc_1", "step_1", first, "failed"),
        ];
        let lines = steps(&given, &calls).join("\n");
        insta::assert_snapshot!(anstream::adapter::strip_str(&lines).to_string(), @r"

          ✓ step_1  step_1
            ✗ runtime.noop  tc_1
            ✓ runtime.noop  tc_2
          · step_2  step_2
            · runtime.noop  tc_3
        ");
    }

    #[test]
    fn the_approval_waited_for_is_that_of_the_last_parked_call() {
        let parked = |at: &str, approval: &str| json!({ "created_at": at, "error": { "code": "waiting_approval", "approval_id": approval } });
        let calls = [parked("2026-01-02T03:04:06.000Z", "appr_2"), parked("2026-01-02T03:04:05.000Z", "appr_1")];
        assert_eq!(waits_for(&calls).as_deref(), Some("appr_2"));
        assert_eq!(waits_for(&[json!({ "error": { "code": "x" } })]), None);
    }
}
