//! Step 2b: the token covers the action.

use model::{Action, Category, ReasonCode};

use super::{Finding, scope};
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    let Some(chain) = scope::chain(case) else { return Finding::SKIPPED };
    if !matches!(case.ask.category(), Category::Action | Category::Egress) {
        return Finding::SKIPPED;
    }
    let reasons = scope::Reasons {
        required: ReasonCode::CapabilityScopeActionTypeRequired,
        not_allowed: ReasonCode::CapabilityScopeActionNotAllowed,
    };
    let action = &case.ask.action;
    scope::check(
        chain,
        &reasons,
        |scopes| &scopes.action_types,
        // Rows of other programs may spell an action in another case or by its alias.
        |types| types.contains(action.as_str()) || types.iter().any(|each| Action::parse(each).is_ok_and(|a| a == *action)),
    )
}
