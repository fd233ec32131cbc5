//! What would have been blocked: looked through, reviewed, made into rules. One file per operation.

mod propose;
mod report;
mod review;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::Time;
use replay::shadow::{Group, Window};
use replay::{Draft, WouldBlocks};

use crate::decision::log::read::{self, Reading};
use crate::policies::Turn;
use crate::{Caller, Gate, GateError, clock};

pub use propose::{ProposeInput, ProposeOutput};
pub use report::ShadowReport;
pub use review::{ReviewInput, Reviewed};

/// How far back would-blocks count when nobody says.
pub(crate) const SINCE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// LIMIT: how many decisions one look reads.
const ROWS_MAX: u64 = 20_000_000;
/// LIMIT: how long one look takes, but for the segment that it is in.
const TIME_MAX: Duration = Duration::from_secs(10);

/// What a look at the log found.
pub(crate) struct Looked {
    pub(crate) since: Time,
    pub(crate) until: Time,
    pub(crate) found: WouldBlocks,
    /// The groups as they stand, open ones first.
    pub(crate) groups: Vec<Group>,
    /// Whether everything was read.
    pub(crate) complete: bool,
}

impl Gate {
    /// Gathers the would-blocks since a moment and says how they stand under the active rules.
    pub(crate) async fn would_blocks(&self, caller: &Caller, since: Option<Time>) -> Result<Looked, GateError> {
        self.flush_logs().await;
        let now = clock::now();
        let since = since.unwrap_or_else(|| now.minus(SINCE));
        let until = now.plus(Duration::from_millis(1));
        let sets = caller.view.policy_sets(&caller.workspace_id).and_then(|sets| sets.active.clone());
        let active = self
            .beside(Turn::Look, move || match sets.map(|held| held.compiled) {
                Some(set) if set.is_sound() => Draft::of(&set.set),
                Some(unsound) => Draft::of_pack(unsound, Vec::new()),
                None => Draft::of(&rules::PolicySet::default()),
            })
            .await?;
        let reading = Reading {
            workspace_id: caller.workspace_id.clone(),
            since,
            until,
            after: String::new(),
            rows_max: ROWS_MAX,
            time_max: TIME_MAX,
        };
        let window = Window { since: Some(since), until: Some(until), now };
        let active = Arc::new(active);
        let work =
            move |found: &mut WouldBlocks, segment: &replay::Segment<'_>, ids: &dyn Fn() -> Option<replay::Ids>| {
                found.add(segment, &active, &window, ids);
            };
        let (found, read) = read::read(self.store(), &reading, WouldBlocks::default(), work).await?;
        let reviews = self.store().reviews(&caller.workspace_id).await?;
        let reviewed: BTreeSet<String> = reviews.into_iter().map(|row| row.group_id).collect();
        let groups = found.groups(&reviewed);
        Ok(Looked { since, until, groups, found, complete: read.last.is_none() && read.unreadable == 0 })
    }
}
