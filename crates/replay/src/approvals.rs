//! How many approvals a day people would be asked for.

use std::collections::BTreeMap;

use model::{Outcome, Time};
use serde::{Deserialize, Serialize};

use crate::distinct::Distinct;

/// LIMIT: how many days are kept; the earliest are left off.
pub const DAYS_MAX: usize = 400;

/// Different (principal, action, host or tool) that needed an approval, by UTC day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Approvals {
    days: BTreeMap<String, Day>,
}

/// One day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// As it was.
    pub then: Distinct,
    /// Under the new rules.
    pub with: Distinct,
}

impl Approvals {
    pub(crate) fn add(&mut self, at: Time, before: Outcome, after: Outcome, what: [&str; 3]) {
        let day = self.days.entry(at.to_string().get(..10).unwrap_or_default().to_owned()).or_default();
        if before == Outcome::RequireApproval {
            day.then.add(&what);
        }
        if after == Outcome::RequireApproval {
            day.with.add(&what);
        }
        self.cut();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (name, day) in &other.days {
            let own = self.days.entry(name.clone()).or_default();
            own.then.merge(&day.then);
            own.with.merge(&day.with);
        }
        self.cut();
    }

    fn cut(&mut self) {
        while self.days.len() > DAYS_MAX {
            self.days.pop_first();
        }
    }

    /// The days, `2026-01-31` and so on, in order.
    pub fn days(&self) -> impl Iterator<Item = (&str, &Day)> {
        self.days.iter().map(|(name, day)| (name.as_str(), day))
    }
}
