//! Step 7 for labelled data: restricted data stays in its room, confidential and personal data is for
//! a purpose it is tagged with. Data that is tagged with none has no such purpose.

use model::ask::{DataSubject, Subject};
use model::{Label, ReasonCode};

use super::Finding;
use crate::case::Case;

/// What the label says against the access; nothing when it says nothing.
pub(super) fn run(case: &Case<'_>) -> Option<Finding> {
    let Subject::DataAccess(data) = &case.ask.subject else { return None };
    match data.label {
        Label::Public | Label::Internal => None,
        Label::Restricted if data.resource_room.is_some() && data.resource_room == case.ask.room_id => None,
        Label::Restricted => {
            Some(Finding::deny(ReasonCode::DataAccessRestrictedRoomMismatch).because("label: restricted"))
        }
        Label::Confidential | Label::SensitivePii if fits_purpose(data) => None,
        Label::Confidential => {
            Some(case.needs_approval(ReasonCode::DataAccessPurposeHintMismatch).because("label: confidential"))
        }
        Label::SensitivePii => {
            Some(case.needs_approval(ReasonCode::DataAccessPurposeHintMismatch).because("label: sensitive_pii"))
        }
    }
}

fn fits_purpose(data: &DataSubject) -> bool {
    let justified = data.justification.as_deref().is_some_and(|text| !text.trim().is_empty());
    justified || !data.purposes.is_disjoint(&data.resource_purposes)
}
