//! A rolling hour, exactly: use `n` is allowed when use `n - limit` is an hour old.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Time;

const HOUR: Duration = Duration::from_secs(3_600);

/// Whether a quota had room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaOutcome {
    /// One use was taken.
    Taken,
    /// It is used up; nothing was taken.
    Exceeded,
}

/// The uses of one subject, numbered from 0, as far back as the batch needs them.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    next_n: i64,
    last_at: Time,
    uses: BTreeMap<i64, Time>,
    stored: bool,
    moved: bool,
}

impl Quota {
    pub(crate) fn fresh(now: Time) -> Self {
        Self { next_n: 0, last_at: now, uses: BTreeMap::new(), stored: false, moved: false }
    }

    pub(crate) fn stored_at(next_n: i64, last_at: Time) -> Self {
        Self { next_n, last_at, uses: BTreeMap::new(), stored: true, moved: false }
    }

    pub(crate) fn load_use(&mut self, n: i64, at: Time) {
        self.uses.insert(n, at);
    }

    /// Takes one use at `now` under `limit` per rolling hour; gives the moment it was taken at,
    /// which never goes back even when the clock does.
    pub(crate) fn take(&mut self, now: Time, limit: u64) -> Option<Time> {
        let at = if self.stored || self.moved { now.max(self.last_at) } else { now };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let allowed = match self.next_n.checked_sub(limit) {
            Some(n) if n >= 0 => {
                // LIMIT: a use that is no longer stored was pruned because it is older than an hour.
                self.uses.get(&n).is_none_or(|&then| then <= at.minus(HOUR))
            }
            _ => true,
        };
        if !allowed {
            return None;
        }
        self.uses.insert(self.next_n, at);
        self.next_n += 1;
        self.last_at = at;
        self.moved = true;
        Some(at)
    }

    pub(crate) fn next_n(&self) -> i64 {
        self.next_n
    }

    pub(crate) fn last_at(&self) -> Time {
        self.last_at
    }

    pub(crate) fn stored(&self) -> bool {
        self.stored
    }

    pub(crate) fn moved(&self) -> bool {
        self.moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_counting_every_rolling_hour(
            limit in 1_u64..6,
            gaps in proptest::collection::vec(0_u64..2_400_000, 1..60),
        ) {
            let mut quota = Quota::fresh(Time::from_millis(0));
            let (mut now, mut taken) = (Time::from_millis(0), Vec::<Time>::new());
            for gap in gaps {
                now = now.plus(Duration::from_millis(gap));
                let inside = taken.iter().filter(|&&t| t > now.minus(HOUR)).count() as u64;
                let naive = inside < limit;
                prop_assert_eq!(quota.take(now, limit).is_some(), naive);
                if naive { taken.push(now); }
            }
        }
    }
}
