//! The shadow report: would-blocks in groups, and whether it is time to enforce.

use model::Time;
use replay::shadow::{Group, State};
use serde::{Deserialize, Serialize};

use super::Looked;
use crate::{Caller, Gate, GateError};

/// What would have been blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShadowReport {
    /// From this moment on.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub since: Time,
    /// Until this moment.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub until: Time,
    /// Whether everything was read; if not there may be more.
    pub complete: bool,
    /// How many decisions were looked at.
    pub decisions: u64,
    /// How many of this time are missing from the log.
    pub dropped: u64,
    /// Would-blocks that belong to no group listed here.
    pub other: u64,
    /// How many groups are open.
    pub open: u64,
    /// How many the active rules allow by now.
    pub resolved: u64,
    /// How many somebody has looked at and left.
    pub reviewed: u64,
    /// When the last open one was seen.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub last_open_at: Option<Time>,
    /// Whole days without an open would-block, as far as this report looks back.
    pub quiet_days: u64,
    /// Whether nothing open would be blocked: the mode can be set to enforce without a reason.
    pub ready: bool,
    /// The groups, open ones first, then those with the most decisions.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub groups: Vec<Group>,
}

impl Gate {
    /// The shadow report. `caller` must come from [`Gate::fresh`].
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn shadow_report(&self, caller: &Caller, since: Option<Time>) -> Result<ShadowReport, GateError> {
        Ok(report(self.would_blocks(caller, since).await?))
    }
}

fn report(looked: Looked) -> ShadowReport {
    const DAY_MS: i64 = 24 * 3_600_000;
    let count = |state| looked.groups.iter().filter(|group| group.state == state).count() as u64;
    // What only a rule in `shadow` says goes on being let through when the mode is enforce.
    let open = || looked.groups.iter().filter(|group| group.state == State::Open && !group.key.trial);
    let last_open_at = open().map(|group| group.last_seen).max();
    let quiet_ms = looked.until.as_millis() - last_open_at.unwrap_or(looked.since).as_millis();
    ShadowReport {
        since: looked.since,
        until: looked.until,
        complete: looked.complete,
        decisions: looked.found.rows(),
        dropped: looked.found.dropped(),
        other: looked.found.other(),
        open: count(State::Open),
        resolved: count(State::Resolved),
        reviewed: count(State::Reviewed),
        last_open_at,
        quiet_days: u64::try_from(quiet_ms / DAY_MS).unwrap_or(0),
        ready: looked.complete && looked.found.other() == 0 && open().next().is_none(),
        groups: looked.groups,
    }
}
