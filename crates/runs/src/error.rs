//! Why something of a run cannot be done: the refusals that several operations share, and what a
//! run or a tool call is recorded to have failed with.

use gate::Refusal;
use model::ApprovalId;
use serde_json::{Map, Value, json};

pub(crate) fn no_run() -> Refusal {
    Refusal::not_found("run_not_found", "there is no such run")
}

pub(crate) fn no_step() -> Refusal {
    Refusal::not_found("step_not_found", "there is no such step")
}

pub(crate) fn no_tool_call() -> Refusal {
    Refusal::not_found("tool_call_not_found", "there is no such tool call")
}

pub(crate) fn already_ended() -> Refusal {
    Refusal::conflict("run_already_ended", "the run has ended")
}

pub(crate) fn not_running() -> Refusal {
    Refusal::conflict("run_not_running", "the run does not run")
}

/// Who a failure comes from that no worker reported.
pub(crate) const RUNS: &str = "runs";

/// The `error` of a tool call or run that was cut off from outside.
pub(crate) fn cut_off(code: &'static str) -> Value {
    json!({"source": RUNS, "code": code})
}

/// The `error` of a run whose approval was not given.
pub(crate) fn not_approved(code: &'static str, approval: &ApprovalId, reason: Option<&str>) -> Value {
    let mut error = Map::new();
    error.insert("source".to_owned(), json!(crate::worker::ACTOR));
    error.insert("stage".to_owned(), json!("approval"));
    error.insert("code".to_owned(), json!(code));
    error.insert("reason_code".to_owned(), json!(code));
    error.insert("approval_id".to_owned(), json!(approval));
    if let Some(reason) = reason {
        error.insert("reason".to_owned(), json!(reason));
    }
    Value::Object(error)
}
