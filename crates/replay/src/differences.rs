//! Differences by something: a rule, an agent, a host, a tool.

use std::collections::{BTreeMap, BTreeSet};

use model::{DecisionId, Outcome, Time};
use serde::{Deserialize, Serialize};

/// LIMIT: how many names are told apart; the rows of the rest are only counted.
pub const NAMES_MAX: usize = 200;
/// LIMIT: how many examples each has.
pub const EXAMPLES_MAX: usize = 3;

/// How many rows went from which outcome to which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Matrix([[u64; 3]; 3]);

impl Matrix {
    /// Counts rows.
    pub fn add(&mut self, before: Outcome, after: Outcome, rows: u64) {
        if let Some(cell) = self.0.get_mut(place(before)).and_then(|row| row.get_mut(place(after))) {
            *cell = cell.saturating_add(rows);
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        let own = self.0.iter_mut().flatten();
        own.zip(other.0.iter().flatten()).for_each(|(own, other)| *own = own.saturating_add(*other));
    }

    /// How many rows went from one outcome to the other.
    #[must_use]
    pub fn get(&self, before: Outcome, after: Outcome) -> u64 {
        self.0.get(place(before)).and_then(|row| row.get(place(after))).copied().unwrap_or(0)
    }

    /// How many rows changed.
    #[must_use]
    pub fn changed(&self) -> u64 {
        self.all() - Outcome::ALL.iter().map(|&same| self.get(same, same)).sum::<u64>()
    }

    /// How many rows there are.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// How many rows became `after`.
    #[must_use]
    pub fn newly(&self, after: Outcome) -> u64 {
        Outcome::ALL.iter().filter(|&&before| before != after).map(|&before| self.get(before, after)).sum()
    }
}

fn place(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Allow => 0,
        Outcome::RequireApproval => 1,
        Outcome::Deny => 2,
    }
}

/// As `{"allow": {"allow": 1, "require_approval": 0, "deny": 0}, …}`: from, then to.
impl Serialize for Matrix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Outcome::ALL.iter().map(|&before| (before.as_str(), After(before, self))))
    }
}

struct After<'a>(Outcome, &'a Matrix);

impl Serialize for After<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Outcome::ALL.iter().map(|&after| (after.as_str(), self.1.get(self.0, after))))
    }
}

impl<'de> Deserialize<'de> for Matrix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = BTreeMap::<Outcome, BTreeMap<Outcome, u64>>::deserialize(deserializer)?;
        let mut matrix = Self::default();
        for (before, row) in rows {
            row.into_iter().for_each(|(after, rows)| matrix.add(before, after, rows));
        }
        Ok(matrix)
    }
}

/// One decision among many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Example {
    /// When.
    pub at: Time,
    /// Which: good for `exeat why` while the decision is kept.
    pub decision_id: DecisionId,
}

/// The rows with a difference that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// How many.
    pub count: u64,
    /// From what to what.
    pub matrix: Matrix,
    /// The first.
    pub first_seen: Time,
    /// The last.
    pub last_seen: Time,
    /// The first few.
    pub examples: BTreeSet<Example>,
}

impl Difference {
    fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.matrix.merge(&other.matrix);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        merge_examples(&mut self.examples, &other.examples);
    }
}

/// The first few of both.
pub(crate) fn merge_examples<T: Ord + Clone>(own: &mut BTreeSet<T>, other: &BTreeSet<T>) {
    own.extend(other.iter().take(EXAMPLES_MAX).cloned());
    while own.len() > EXAMPLES_MAX {
        own.pop_last();
    }
}

/// Differences by name, the ones with the most rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Differences {
    names: BTreeMap<String, Difference>,
    /// Rows of names that are not among them.
    other: u64,
}

impl Differences {
    /// Adds rows under a name.
    pub(crate) fn add(&mut self, name: &str, difference: &Difference) {
        match self.names.get_mut(name) {
            Some(own) => own.merge(difference),
            None => {
                self.names.insert(name.to_owned(), difference.clone());
                // Twice as many while counting, so that a name that grows late is not lost at once.
                if self.names.len() > 2 * NAMES_MAX {
                    self.cut();
                }
            }
        }
    }

    /// Adds another's.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.names.iter().for_each(|(name, difference)| self.add(name, difference));
        self.other = self.other.saturating_add(other.other);
    }

    /// Keeps the [`NAMES_MAX`] with the most rows.
    fn cut(&mut self) {
        let mut by_count: Vec<(u64, String)> =
            self.names.iter().map(|(name, each)| (each.count, name.clone())).collect();
        by_count.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (count, name) in by_count.into_iter().skip(NAMES_MAX) {
            self.names.remove(&name);
            self.other = self.other.saturating_add(count);
        }
    }

    /// The names, the one with the most rows first.
    #[must_use]
    pub fn top(&self) -> Vec<(&str, &Difference)> {
        let mut top: Vec<_> = self.names.iter().map(|(name, each)| (name.as_str(), each)).collect();
        top.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0)));
        top
    }

    /// How many rows have other names.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.other
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    top: Vec<Named>,
    other: u64,
}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    difference: Difference,
}

impl From<Stored> for Differences {
    fn from(stored: Stored) -> Self {
        let mut all = Self { names: BTreeMap::new(), other: stored.other };
        stored.top.iter().for_each(|named| all.add(&named.name, &named.difference));
        all
    }
}

impl From<Differences> for Stored {
    fn from(mut all: Differences) -> Self {
        all.cut();
        let top = all.top().into_iter();
        let top = top.map(|(name, each)| Named { name: name.to_owned(), difference: each.clone() }).collect();
        Self { top, other: all.other }
    }
}
