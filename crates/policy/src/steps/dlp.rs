//! After step 5: a credential that is at home elsewhere does not leave, whatever rules and approvals say.
//!
//! Whoever sees the bytes finds it; here it only counts. An approval does not lift this: it was given
//! for a request, not for a secret.

use model::ReasonCode;
use model::ask::Subject;

use super::Finding;
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    match &case.ask.subject {
        Subject::Egress(egress) if !egress.credentials.is_empty() => {
            Finding::deny(ReasonCode::DlpSecretDetected).because(egress.credentials.join(", "))
        }
        Subject::Egress(_) | Subject::Action { .. } | Subject::ToolCall { .. } | Subject::DataAccess(_) => {
            Finding::SKIPPED
        }
    }
}
