//! Step 3: the action registry. Known actions belong to a zone, may be irreversible, and may need a
//! yes beforehand. `external.write` has its own rule in the base step.

use model::{Action, Category, ReasonCode, Zone};

use super::Finding;
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    let ask = case.ask;
    if ask.action.as_str() == Action::EXTERNAL_WRITE || !matches!(ask.category(), Category::Action | Category::Egress) {
        return Finding::SKIPPED;
    }
    let Some(entry) = case.snapshot.registry_in(case.workspace, &ask.action) else {
        return Finding::SKIPPED;
    };
    let zone = ask.zone_or_default();
    let mut found = Finding::PASSED;
    if zone != entry.zone_required {
        found = match entry.zone_required {
            Zone::HighStakes => {
                case.needs_approval(ReasonCode::ActionZoneRequiresHighStakes).because("zone_required: high_stakes")
            }
            Zone::Supervised => Finding::deny(ReasonCode::ActionZoneMismatch).because("zone_required: supervised"),
            Zone::Sandbox => Finding::deny(ReasonCode::ActionZoneMismatch).because("zone_required: sandbox"),
        };
    }
    if !entry.reversible && zone != Zone::HighStakes {
        found = found.or_stricter(
            case.needs_approval(ReasonCode::ActionIrreversibleRequiresHighStakes).because("reversible: no"),
        );
    }
    if entry.requires_pre_approval {
        found = found
            .or_stricter(case.needs_approval(ReasonCode::ActionPreApprovalRequired).because("requires_pre_approval"));
    }
    found
}
