//! Step 2a: the token covers the room the ask is made in.

use model::ReasonCode;

use super::{Finding, scope};
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    let (Some(chain), Some(room)) = (scope::chain(case), &case.ask.room_id) else {
        return Finding::SKIPPED;
    };
    let reasons = scope::Reasons {
        required: ReasonCode::CapabilityScopeRoomRequired,
        not_allowed: ReasonCode::CapabilityScopeRoomNotAllowed,
    };
    scope::check(chain, &reasons, |scopes| &scopes.rooms, |rooms| rooms.contains(room.as_str()))
}
