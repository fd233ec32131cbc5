//! Step 2a: the token covers the room the ask is made in.

use model::ReasonCode;

use super::{Finding, scope};
use crate::case::Case;

const ROOMS: scope::List = scope::List {
    is_empty: |scopes| scopes.rooms.is_empty(),
    required: ReasonCode::CapabilityScopeRoomRequired,
    not_allowed: ReasonCode::CapabilityScopeRoomNotAllowed,
};

pub(super) fn run(case: &Case<'_>) -> Finding {
    match (scope::chain(case), &case.ask.room_id) {
        (Some(chain), Some(room)) => scope::check(chain, &ROOMS, |scopes| scopes.covers_room(room.as_str())),
        _ => Finding::SKIPPED,
    }
}
