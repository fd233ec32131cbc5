//! The reason codes of decisions, and the error codes of what was carried out.

use gate::execution::{ERROR_CODES, ErrorCode};
use model::ReasonCode;
use runs::TOOL_CODES;
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// A reason that a decision can have.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Reason {
    /// The code, lower_snake.
    reason_code: &'static str,
    /// What it means.
    sentence: &'static str,
    /// What to do about it.
    remedy: &'static str,
}

/// Why something that was let out, or a tool, did not end well.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Fault {
    /// The code, lower_snake, as `egress.completed` or `tool.failed` has it.
    error_code: &'static str,
    /// What it means.
    sentence: &'static str,
    /// What to do about it.
    remedy: &'static str,
}

/// Every reason that a decision can have.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ReasonList {
    /// Them, in the order of the decision's steps.
    reason_codes: Vec<Reason>,
    /// What can go wrong with what was let out.
    error_codes: Vec<Fault>,
    /// What can go wrong with a tool that is a process.
    tool_codes: Vec<Fault>,
    /// Always null: the list is whole.
    next_cursor: Option<String>,
}

/// Every reason code of decisions and error code of what was let out, what it means and what to do about it.
#[utoipa::path(get, path = "/v1/reason-codes", responses((status = 200, body = ReasonList)))]
pub(crate) async fn handle(_call: Call) -> Reply {
    let reason_codes = ReasonCode::ALL
        .iter()
        .map(|code| Reason { reason_code: code.as_str(), sentence: code.sentence(), remedy: code.remedy() })
        .collect();
    let faults = |codes: &'static [ErrorCode]| {
        let fault = |code: &ErrorCode| Fault { error_code: code.code, sentence: code.sentence, remedy: code.remedy };
        codes.iter().map(fault).collect()
    };
    let (error_codes, tool_codes) = (faults(ERROR_CODES), faults(TOOL_CODES));
    ok(&ReasonList { reason_codes, error_codes, tool_codes, next_cursor: None })
}
