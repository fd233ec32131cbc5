//! The reason codes of decisions, and the error codes of what was carried out.

use gate::execution::ERROR_CODES;
use model::ReasonCode;
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

/// Why something that was let out did not end well.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Fault {
    /// The code, lower_snake, as `egress.completed` has it.
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
    let error_codes = ERROR_CODES
        .iter()
        .map(|fault| Fault { error_code: fault.code, sentence: fault.sentence, remedy: fault.remedy })
        .collect();
    ok(&ReasonList { reason_codes, error_codes, next_cursor: None })
}
