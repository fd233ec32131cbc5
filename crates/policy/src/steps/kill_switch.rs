//! Step 5: the kill switch stops `external.write`, whatever was approved.

use model::{Action, ReasonCode};

use super::Finding;
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    if case.ask.action.as_str() != Action::EXTERNAL_WRITE {
        Finding::SKIPPED
    } else if case.snapshot.defaults().kill_switch {
        Finding::deny(ReasonCode::KillSwitchActive).because("switched on for the install")
    } else if case.settings.kill_switch {
        Finding::deny(ReasonCode::KillSwitchActive).because("switched on for the workspace")
    } else {
        Finding::PASSED
    }
}
