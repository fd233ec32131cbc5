//! Step 2b: the token covers the action.

use model::{Category, ReasonCode};

use super::{Finding, scope};
use crate::case::Case;

const ACTION_TYPES: scope::List = scope::List {
    is_empty: |scopes| scopes.action_types.is_empty(),
    required: ReasonCode::CapabilityScopeActionTypeRequired,
    not_allowed: ReasonCode::CapabilityScopeActionNotAllowed,
};

pub(super) fn run(case: &Case<'_>) -> Finding {
    match (scope::chain(case), case.ask.category()) {
        (Some(chain), Category::Action | Category::Egress) => {
            scope::check(chain, &ACTION_TYPES, |scopes| scopes.covers_action(&case.ask.action))
        }
        _ => Finding::SKIPPED,
    }
}
