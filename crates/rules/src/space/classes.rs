//! Sets of classes of one dimension, as ranges.
//!
//! Every dimension numbers its classes so that what a selector names lies together (a domain and all
//! below it, a span of ports), so a set is a handful of ranges however many classes there are.

use std::collections::HashMap;

use smallvec::SmallVec;

/// Half-open ranges of class numbers: sorted, not touching, not empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Classes(SmallVec<[(u32, u32); 2]>);

impl Classes {
    /// No class.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// The classes from `from` up to, not including, `to`.
    pub(crate) fn range(from: u32, to: u32) -> Self {
        Self::of([(from, to)])
    }

    /// One class.
    pub(crate) fn one(class: u32) -> Self {
        Self::range(class, class.saturating_add(1))
    }

    /// Any ranges: they may be empty, overlap and come in any order.
    pub(crate) fn of(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut ranges: SmallVec<[(u32, u32); 2]> = ranges.into_iter().filter(|(from, to)| from < to).collect();
        ranges.sort_unstable();
        let mut merged: SmallVec<[(u32, u32); 2]> = SmallVec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = (*end).max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// The ranges.
    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Each class.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(from, to)| *from..*to)
    }

    /// How many classes there are.
    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, class: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= class);
        after.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|(_, to)| class < *to)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    pub(crate) fn intersect(&self, other: &Self) -> Self {
        let (mut mine, mut others) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = SmallVec::new();
        while let (Some((a, b)), Some((c, d))) = (mine.peek(), others.peek()) {
            let (from, to) = (*a.max(c), *b.min(d));
            if from < to {
                both.push((from, to));
            }
            if b < d {
                mine.next()
            } else {
                others.next()
            };
        }
        Self(both)
    }

    /// What of it lies in `from..to`.
    pub(crate) fn clip(&self, from: u32, to: u32) -> Self {
        let skip = self.0.partition_point(|(_, end)| *end <= from);
        let inside = self.0.iter().skip(skip).take_while(|(start, _)| *start < to);
        Self(inside.map(|(start, end)| (*start.max(&from), *end.min(&to))).collect())
    }

    /// What is in this set and not in the other.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut left = SmallVec::new();
        for (start, to) in &self.0 {
            let mut from = *start;
            for (cut, end) in other.clip(*start, *to).0 {
                if from < cut {
                    left.push((from, cut));
                }
                from = end;
            }
            if from < *to {
                left.push((from, *to));
            }
        }
        Self(left)
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        !self.intersect(other).is_empty()
    }

    /// Whether all of `other` is in it.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(from, to)| self.0.iter().any(|(a, b)| a <= from && to <= b))
    }

    /// The last class.
    pub(crate) fn last(&self) -> Option<u32> {
        self.0.last().map(|(_, to)| to - 1)
    }
}

/// Sets by number, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    list: Vec<Classes>,
    none: Classes,
    ids: HashMap<Classes, u32, foldhash::fast::FixedState>,
}

impl Sets {
    /// The number of a set.
    pub(crate) fn id(&mut self, set: Classes) -> u32 {
        if let Some(id) = self.ids.get(&set) {
            return *id;
        }
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(set.clone());
        self.ids.insert(set, id);
        id
    }

    /// The set of a number this gave out.
    pub(crate) fn get(&self, id: u32) -> &Classes {
        usize::try_from(id).ok().and_then(|id| self.list.get(id)).unwrap_or(&self.none)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any() -> impl Strategy<Value = Classes> {
        proptest::collection::vec((0_u32..12, 0_u32..12), 0..4).prop_map(Classes::of)
    }

    proptest! {
        #[test]
        fn sets_agree_with_their_members(a in any(), b in any()) {
            let has = |set: &Classes, n: u32| set.iter().any(|each| each == n);
            for n in 0..12 {
                let (x, y) = (has(&a, n), has(&b, n));
                prop_assert_eq!(a.contains(n), x);
                prop_assert_eq!(a.union(&b).contains(n), x || y);
                prop_assert_eq!(a.intersect(&b).contains(n), x && y);
                prop_assert_eq!(a.minus(&b).contains(n), x && !y);
            }
            prop_assert_eq!(a.covers(&b), b.minus(&a).is_empty());
            prop_assert_eq!(a.overlaps(&b), b.iter().any(|n| has(&a, n)));
            prop_assert_eq!(a.len() as usize, a.iter().count());
        }
    }
}
