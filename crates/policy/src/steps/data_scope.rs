//! Step 2d: the token covers the data, for this kind of access.
//!
//! `room:<room>` means the room the resource belongs to; of a resource that belongs to none, the room
//! the ask is made in (which step 2a has checked). What is not a read counts as a write.

use model::ask::Subject;
use model::scope::Resource;
use model::{Action, ReasonCode};

use super::{Finding, scope};
use crate::case::Case;

const READ: scope::List = scope::List {
    is_empty: |scopes| scopes.data_read.is_empty(),
    required: ReasonCode::CapabilityScopeDataAccessRequired,
    not_allowed: ReasonCode::CapabilityScopeDataAccessNotAllowed,
};

const WRITE: scope::List = scope::List { is_empty: |scopes| scopes.data_write.is_empty(), ..READ };

pub(super) fn run(case: &Case<'_>) -> Finding {
    let (Some(chain), Subject::DataAccess(data)) = (scope::chain(case), &case.ask.subject) else {
        return Finding::SKIPPED;
    };
    let room = data.resource_room.as_ref().or(case.ask.room_id.as_ref()).map(AsRef::as_ref);
    let resource = Resource { room, kind: &data.resource_type, id: &data.resource_id };
    if case.ask.action.as_str() == Action::DATA_READ {
        scope::check(chain, &READ, |scopes| scopes.covers_data_read(resource))
    } else {
        scope::check(chain, &WRITE, |scopes| scopes.covers_data_write(resource))
    }
}
