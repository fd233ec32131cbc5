//! The reason codes of decisions.

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

/// Every reason that a decision can have.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ReasonList {
    /// Them, in the order of the decision's steps.
    reason_codes: Vec<Reason>,
    /// Always null: the list is whole.
    next_cursor: Option<String>,
}

/// Every reason code, what it means and what to do about it.
#[utoipa::path(get, path = "/v1/reason-codes", responses((status = 200, body = ReasonList)))]
pub(crate) async fn handle(_call: Call) -> Reply {
    let reason_codes = ReasonCode::ALL
        .iter()
        .map(|code| Reason { reason_code: code.as_str(), sentence: code.sentence(), remedy: code.remedy() })
        .collect();
    ok(&ReasonList { reason_codes, next_cursor: None })
}
