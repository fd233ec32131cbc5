//! Step 2d: the token covers the data, for this kind of access.
//!
//! `room:<room>` means the room the resource belongs to; of a resource that belongs to none, the room
//! the ask is made in (which step 2a has checked). What is not a read counts as a write.

use std::collections::BTreeSet;

use model::ask::{DataSubject, Subject};
use model::{Action, ReasonCode};

use super::{Finding, scope};
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    let (Some(chain), Subject::DataAccess(data)) = (scope::chain(case), &case.ask.subject) else {
        return Finding::SKIPPED;
    };
    let reasons = scope::Reasons {
        required: ReasonCode::CapabilityScopeDataAccessRequired,
        not_allowed: ReasonCode::CapabilityScopeDataAccessNotAllowed,
    };
    let reads = case.ask.action.as_str() == Action::DATA_READ;
    let room = data.resource_room.as_ref().or(case.ask.room_id.as_ref()).map(AsRef::as_ref);
    scope::check(
        chain,
        &reasons,
        |scopes| if reads { &scopes.data_access.read } else { &scopes.data_access.write },
        |list| covers(list, data, room),
    )
}

fn covers(list: &BTreeSet<String>, data: &DataSubject, room: Option<&str>) -> bool {
    list.iter().any(|entry| {
        if let Some(rest) = entry.strip_prefix("resource:") {
            let id = rest.strip_prefix(data.resource_type.as_str()).and_then(|rest| rest.strip_prefix(':'));
            return id == Some(data.resource_id.as_str());
        }
        if let Some(kind) = entry.strip_prefix("resource_type:") {
            return kind == data.resource_type;
        }
        match entry.strip_prefix("room:") {
            Some(named) => Some(named) == room,
            None => *entry == data.resource_type,
        }
    })
}
