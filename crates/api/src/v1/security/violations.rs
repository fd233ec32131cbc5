//! A violation that a guard beside a client saw: recorded as the client's own word.
//!
//! What was tried is told in kinds only, so that nothing of what a command was given gets into the log this way:
//! every member has its alphabet and length, and nothing else is taken.

use std::collections::{BTreeMap, BTreeSet};

use gate::wording::{Wording, name};
use gate::{Gate, ViolationOf};
use http::StatusCode;
use model::{Canonical, EventId, RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{Call, json as answer};
use crate::problem::{Problem, Reply};

/// LIMIT: how many attempts one report has.
const ATTEMPTS_MAX: usize = 32;
/// LIMIT: the longest word of an attempt, in bytes.
const WORD_BYTES_MAX: usize = 40;

/// What a guard saw of one command.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViolationReport {
    /// The tool, where it is one, at most 200 bytes.
    tool_name: Option<String>,
    /// The run it is part of; an agent names its own only.
    run_id: Option<String>,
    /// The step of that run.
    step_id: Option<String>,
    /// What was tried.
    summary: ViolationSummary,
}

/// What was tried around the gate.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViolationSummary {
    /// 1 to 32 of them; order and repetition mean nothing.
    attempts: Vec<ReportedAttempt>,
    /// Whether there were more.
    #[serde(default)]
    overflow: bool,
    /// How strongly the command was held: `A` or `B`.
    rung: Option<ReportedRung>,
}

/// How strongly a command was held.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, utoipa::ToSchema)]
pub(crate) enum ReportedRung {
    A,
    B,
}

/// One attempt, in kinds: no address, name, path or payload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportedAttempt {
    /// `connect`, `send`, `socket`, `bind`, `resolve`, or the name of a system call.
    op: String,
    /// The address family, or `none`.
    family: String,
    /// The protocol, or `none`.
    protocol: String,
    /// Where to, by kind.
    destination: ReportedDestination,
    /// The port, where there is one.
    port: Option<u16>,
}

/// Where an attempt was directed, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReportedDestination {
    None,
    Public,
    Private,
    LinkLocal,
    Loopback,
    Multicast,
    Broadcast,
    Reserved,
    Name,
    HostSocket,
    AbstractSocket,
    Process,
    Kernel,
}

/// What was recorded.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ViolationAnswer {
    /// The event `security.egress_violation`.
    #[schema(value_type = String)]
    event_id: EventId,
}

/// Records what a guard beside the caller saw a command try, as the caller's own word: the event is the
/// caller's principal's.
#[utoipa::path(
    post,
    path = "/v1/security/violations",
    request_body = ViolationReport,
    responses(
        (status = 201, body = ViolationAnswer),
        (status = 400, description = "`invalid_request`"),
        (status = 404, description = "`run_not_found`, `step_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let report: ViolationReport = call.body().await?;
    let attempts = report.summary.canonical()?;
    let tool_name = report.tool_name.as_deref().map(|text| {
        name(Some(text)).ok_or_else(|| Problem::invalid("/tool_name", "1 to 200 bytes without control characters"))
    });
    let tool_name = tool_name.transpose()?;
    if let Some(run) = &report.run_id {
        own(&call, run).await?;
    }
    let (run, step) = (report.run_id.as_deref(), report.step_id.as_deref());
    let workspace = &call.caller.workspace_id;
    let place = call.gate().place(workspace, None, None, run, step, &mut Wording::new()).await?;
    let of = ViolationOf { tool_name, cause: None, correlation_id: None };
    let violation = call.gate().violation(&call.caller, &place, of);
    let summary = recorded(call.gate(), &attempts, &report.summary);
    let event_id = call.gate().record_violation(&violation, &summary).await?;
    answer(StatusCode::CREATED, &ViolationAnswer { event_id })
}

/// The summary of the event: as one that this server's own guard writes, and marked as a report.
fn recorded(gate: &Gate, attempts: &BTreeSet<ReportedAttempt>, summary: &ViolationSummary) -> Value {
    let overflow = summary.overflow;
    let canonical = Canonical::from(&json!({"attempts": attempts, "overflow": overflow}));
    let mut classes: BTreeMap<ReportedDestination, u64> = BTreeMap::new();
    for attempt in attempts {
        *classes.entry(attempt.destination).or_default() += 1;
    }
    json!({
        "attempts": attempts,
        "classes": classes,
        "digest": gate.attempts_hmac(canonical.as_str().as_bytes()),
        "overflow": overflow,
        "reported": true,
        "rung": summary.rung,
    })
}

/// Whether the run is there and the caller may say something about it.
async fn own(call: &Call, run: &str) -> Result<(), Problem> {
    let row = match RunId::parse(run) {
        Ok(id) => call.store().run(&call.caller.workspace_id, &id).await?,
        Err(_) => None,
    };
    row.filter(|row| call.sees(row.created_by_principal_id.as_ref()))
        .map(|_| ())
        .ok_or_else(|| Problem::not_found("run_not_found", "there is no such run"))
}

impl ViolationSummary {
    /// Sorted, each once.
    fn canonical(&self) -> Result<BTreeSet<ReportedAttempt>, Problem> {
        if self.attempts.is_empty() || self.attempts.len() > ATTEMPTS_MAX {
            return Err(Problem::invalid("/summary/attempts", "1 to 32 attempts"));
        }
        for (at, attempt) in self.attempts.iter().enumerate() {
            let words = [("op", &attempt.op), ("family", &attempt.family), ("protocol", &attempt.protocol)];
            if let Some((member, _)) = words.into_iter().find(|(_, word)| !is_word(word)) {
                let field = format!("/summary/attempts/{at}/{member}");
                return Err(Problem::invalid(field, "1 to 40 lower-case letters, digits and `_`"));
            }
        }
        Ok(self.attempts.iter().cloned().collect())
    }
}

fn is_word(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= WORD_BYTES_MAX && text.bytes().all(good)
}
