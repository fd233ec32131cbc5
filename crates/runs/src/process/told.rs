//! What came of a command, as what its tool gave: every end has a code, and none tells more than it may.
//!
//! | code | when |
//! |---|---|
//! | `network_egress_blocked` | it tried to leave around the gate, or was refused what it said it does not need; whatever it exited with |
//! | `timeout` | it took too long and was killed |
//! | `exit_nonzero` | it ended with another code than 0, or by a signal |
//! | `killed` | it was stopped from outside |
//! | `isolation_unavailable` | a layer of the guard does not hold here: nothing was started |
//! | `command_not_executable` | there is no such program, or it cannot be run |
//! | `event_log_failure` | what it did could not be recorded: all of it was killed |
//! | `effect_uncertain` | an earlier attempt was cut off while it ran; it is not run twice |

use confine::{ConfineError, Ended, Evidence, Exit};
use gate::GateError;
use gate::wording::Wording;
use serde_json::{Map, Value, json};

use super::launch::{LaunchError, Ran};
use crate::machine::{Event, Failure};
use crate::worker::ACTOR;

/// LIMIT: how many ids of one kind are told.
const IDS_MAX: usize = 32;

/// What came of a tool.
pub(crate) struct Outcome {
    pub(crate) event: Event,
    /// Whether a credential was left out of it.
    pub(crate) redacted: bool,
    /// The violation it is recorded with.
    pub(crate) evidence: Option<Evidence>,
}

impl Outcome {
    /// Of a tool that failed.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self { event: Event::Broken(failure), redacted: false, evidence: None }
    }
}

fn coded(code: &str, message: &str, tool: &str) -> Failure {
    Failure::coded("process", code, message, tool)
}

/// Why an attempt that was cut off is not repeated.
pub(crate) fn uncertain(tool: &str) -> Failure {
    let message = "An earlier attempt was cut off while the command ran; it is not run twice";
    coded("effect_uncertain", message, tool)
}

/// What fails a call that tried to leave around the gate: ids only, nothing of what it said.
fn blocked(evidence: &Evidence, ended: &Ended, tool: &str) -> Failure {
    let message = "The command tried to reach something around the gate, or what it did not ask for";
    let mut failure = coded("network_egress_blocked", message, tool);
    if let Some(members) = failure.error.as_object_mut() {
        members.insert("event_id".to_owned(), json!(evidence.event_id));
        members.extend(ids(ended));
    }
    failure
}

/// The recorded requests that were refused or are asked for, and the approvals.
fn ids(ended: &Ended) -> Map<String, Value> {
    let refused = || ended.rulings.asked.iter().chain(&ended.rulings.blocked);
    let requests: Vec<_> = refused().filter_map(|told| told.egress_request_id.as_ref()).take(IDS_MAX).collect();
    let approvals: Vec<_> = refused().filter_map(|told| told.approval_id.as_ref()).take(IDS_MAX).collect();
    let mut members = Map::new();
    if !requests.is_empty() {
        members.insert("egress_request_ids".to_owned(), json!(requests));
    }
    if !approvals.is_empty() {
        members.insert("approval_ids".to_owned(), json!(approvals));
    }
    members
}

/// What a command that was run gave. One that `may_be_repeated` and lacked an approval can wait for that.
pub(crate) fn event(ran: Ran, tool: &str, may_be_repeated: bool) -> Outcome {
    let Ran { ended, stdout, stderr } = ran;
    if let Some(evidence) = ended.evidence.clone() {
        let event = Event::Broken(blocked(&evidence, &ended, tool));
        return Outcome { event, redacted: false, evidence: Some(evidence) };
    }
    let (stdout, stderr) = (stdout.kept(), stderr.kept());
    let redacted = stdout.redacted || stderr.redacted;
    let mut output = Map::new();
    output.insert("ok".to_owned(), json!(ended.exit == Exit::Code(0)));
    output.insert("source".to_owned(), json!(ACTOR));
    output.insert("exit_code".to_owned(), json!(ended.exit.code()));
    if let Exit::Signal(signal) = ended.exit {
        output.insert("signal".to_owned(), json!(signal));
    }
    output.extend(stdout.members("stdout"));
    output.extend(stderr.members("stderr"));
    output.insert("rung".to_owned(), json!(ended.rung.as_str()));
    output.insert("duration_ms".to_owned(), json!(u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX)));
    output.insert("network".to_owned(), network(&ended));
    let (code, message) = match ended.exit {
        Exit::Code(0) => return Outcome { event: Event::Finished(Value::Object(output)), redacted, evidence: None },
        Exit::Code(code) => ("exit_nonzero", format!("The command ended with code {code}")),
        Exit::Signal(signal) => ("exit_nonzero", format!("The command was ended by signal {signal}")),
        Exit::TimedOut => ("timeout", "The command took too long and was killed".to_owned()),
        Exit::Killed => ("killed", "The command was stopped".to_owned()),
    };
    let mut failure = coded(code, &message, tool);
    if let Some(members) = failure.error.as_object_mut() {
        members.insert("process".to_owned(), Value::Object(output));
    }
    let asked = ended.rulings.asked.iter().find_map(|told| told.approval_id.clone());
    let event = match asked {
        Some(approval) if may_be_repeated && code == "exit_nonzero" => {
            failure.approval_id = Some(approval);
            Event::Blocked(failure)
        }
        _ => Event::Broken(failure),
    };
    Outcome { event, redacted, evidence: None }
}

/// What was asked of the gate, in numbers and ids; the requests themselves say the rest.
fn network(ended: &Ended) -> Value {
    let rulings = &ended.rulings;
    let mut members = Map::new();
    members.insert("allowed".to_owned(), json!(rulings.allowed.len()));
    members.insert("asked".to_owned(), json!(rulings.asked.len()));
    members.insert("blocked".to_owned(), json!(rulings.blocked.len()));
    members.insert("notices".to_owned(), json!(ended.notices));
    members.extend(ids(ended));
    Value::Object(members)
}

/// Why nothing came of it.
pub(crate) fn failed(error: &LaunchError, tool: &str) -> Failure {
    let error = match error {
        LaunchError::Folder(_) | LaunchError::Pipes(_) => {
            return coded("worker_error", &format!("The command was not run: {error}"), tool);
        }
        LaunchError::Confine(error) => error,
    };
    let code = error.code();
    match error {
        ConfineError::IsolationUnavailable { layer, reason, fix } => {
            let mut failure = coded(code, &format!("Isolation is not available: {}", layer.as_str()), tool);
            if let Some(members) = failure.error.as_object_mut() {
                members.insert("layer".to_owned(), json!(layer.as_str()));
                members.insert("reason".to_owned(), json!(reason));
                members.extend(fix.as_ref().map(|fix| ("fix".to_owned(), json!(fix))));
            }
            failure
        }
        ConfineError::Plan(_) | ConfineError::Command { .. } => {
            let message = Wording::new().clean(&format!("The command was not run: {error}"));
            coded(code, &message, tool)
        }
        ConfineError::EventLog | ConfineError::Gate(GateError::Unavailable(_) | GateError::Failed(_)) => {
            coded("event_log_failure", "What the command did could not be recorded: all of it was killed", tool)
        }
        ConfineError::Gate(_) => coded(code, "The gate refused the command", tool),
    }
}
