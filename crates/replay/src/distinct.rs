//! How many different things there were, in bounded space, so that parts can be merged: exact up to
//! [`EXACT_MAX`], an estimate (some five percent off) beyond it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::stable;

/// LIMIT: up to this many different things are counted exactly.
pub const EXACT_MAX: usize = 512;

/// Hashes are cut to what a double holds exactly, for JSON.
const HASH_BITS: u32 = 52;

/// A count of different things: their smallest hashes. Adding and merging in any order give the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Distinct {
    smallest: BTreeSet<u64>,
    /// There were more than are kept.
    over: bool,
}

impl Distinct {
    /// Adds a thing, told apart by its parts.
    pub fn add(&mut self, parts: &[&str]) {
        self.add_hash(stable::hash(parts) >> (64 - HASH_BITS));
    }

    fn add_hash(&mut self, hash: u64) {
        if self.smallest.len() >= EXACT_MAX && self.smallest.last().is_some_and(|last| hash > *last) {
            self.over = true;
            return;
        }
        self.smallest.insert(hash);
        if self.smallest.len() > EXACT_MAX {
            self.smallest.pop_last();
            self.over = true;
        }
    }

    /// Adds what another has seen.
    pub fn merge(&mut self, other: &Self) {
        other.smallest.iter().for_each(|hash| self.add_hash(*hash));
        self.over |= other.over;
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        let kept = self.smallest.len() as u64;
        match self.smallest.last() {
            Some(&last) if self.over && last > 0 => {
                let estimate = u128::from(kept.saturating_sub(1)) << HASH_BITS;
                u64::try_from(estimate / u128::from(last)).unwrap_or(u64::MAX).max(kept)
            }
            _ => kept,
        }
    }

    /// Whether [`Self::count`] is exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.over
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    count: u64,
    exact: bool,
    sketch: Vec<u64>,
}

impl From<Stored> for Distinct {
    fn from(stored: Stored) -> Self {
        let mut distinct = Self::default();
        stored.sketch.into_iter().for_each(|hash| distinct.add_hash(hash));
        distinct.over |= !stored.exact;
        distinct
    }
}

impl From<Distinct> for Stored {
    fn from(distinct: Distinct) -> Self {
        Self { count: distinct.count(), exact: distinct.is_exact(), sketch: distinct.smallest.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u32>) -> Distinct {
        let mut distinct = Distinct::default();
        range.for_each(|n| distinct.add(&["run", &n.to_string()]));
        distinct
    }

    #[test]
    fn counts_exactly_and_then_about() {
        assert_eq!((of(0..500).count(), of(0..500).is_exact()), (500, true));
        let many = of(0..50_000);
        assert!(!many.is_exact());
        assert!((40_000..60_000).contains(&many.count()), "{}", many.count());
    }

    #[test]
    fn parts_merge_to_the_whole_also_through_json() {
        for end in [10, 600, 5_000] {
            let mut merged = of(0..end / 2);
            let rest = serde_json::to_string(&of(end / 3..end)).unwrap();
            merged.merge(&serde_json::from_str(&rest).unwrap());
            assert_eq!(merged, of(0..end), "{end}");
        }
    }
}
