//! Dimensions that are a line cut by breakpoints: ports, minutes of the week, moments.

use std::collections::BTreeSet;

use super::classes::Classes;

/// A line from its first value on, cut where a selector begins or ends.
#[derive(Debug)]
pub(crate) struct Line {
    first: u32,
    /// Where each class begins; sorted, not empty.
    starts: Vec<i64>,
    /// One past the last value.
    end: i64,
}

impl Line {
    /// The line `from..to`, cut at the `cuts` inside it, its classes numbered from `first` on.
    pub(crate) fn new(from: i64, to: i64, mut cuts: BTreeSet<i64>, first: u32) -> Self {
        cuts.insert(from);
        let starts = cuts.into_iter().filter(|cut| (from..to).contains(cut)).collect();
        Self { first, starts, end: to }
    }

    /// One past the last class.
    pub(crate) fn end(&self) -> u32 {
        self.first + u32::try_from(self.starts.len()).unwrap_or(u32::MAX - self.first)
    }

    /// The classes of the values `from..to`, both of which are cuts or outside the line.
    pub(crate) fn span(&self, from: i64, to: i64) -> Classes {
        let class = |value: i64| {
            let at = self.starts.partition_point(|start| *start < value);
            self.first + u32::try_from(at).unwrap_or(u32::MAX - self.first)
        };
        Classes::range(class(from), class(to))
    }

    /// The values of a class: from, and up to.
    pub(crate) fn values(&self, class: u32) -> Option<(i64, i64)> {
        let at = usize::try_from(class.checked_sub(self.first)?).ok()?;
        Some((*self.starts.get(at)?, self.starts.get(at + 1).copied().unwrap_or(self.end)))
    }

    /// The values of a set, joined: from, and up to.
    pub(crate) fn spans(&self, set: &Classes) -> Vec<(i64, i64)> {
        let of = |(from, to): &(u32, u32)| Some((self.values((*from).max(self.first))?.0, self.values(to - 1)?.1));
        set.ranges().iter().filter(|(_, to)| *to > self.first).filter_map(of).collect()
    }
}
