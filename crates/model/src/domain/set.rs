//! Many patterns at once, read per request: a lookup walks the labels of the host, not the patterns.

use super::DomainPattern;
use crate::names::Names;

/// A set of domain patterns. The cost of [`Self::covers`] grows with the labels of the host and
/// the logarithm of the number of patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainSet {
    any: bool,
    exact: Names,
    suffixes: Names,
}

impl DomainSet {
    /// Whether there is no pattern at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any && self.exact.is_empty() && self.suffixes.is_empty()
    }

    /// Whether a pattern matches the normalised `host`.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.any || self.exact.contains(host) || self.has_suffix_of(host)
    }

    /// Whether one pattern of the set matches every host that `pattern` matches.
    #[must_use]
    pub fn covers_pattern(&self, pattern: &DomainPattern) -> bool {
        match pattern {
            DomainPattern::Any => self.any,
            DomainPattern::Exact(host) => self.covers(host),
            DomainPattern::Suffix(suffix) => self.any || self.has_suffix_of(suffix),
        }
    }

    /// The set that covers exactly the hosts which both cover.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        // Two patterns are nested or disjoint, so what they share is always the narrower of them.
        let mine = self.patterns().filter(|pattern| other.covers_pattern(pattern));
        let theirs = other.patterns().filter(|pattern| self.covers_pattern(pattern));
        mine.chain(theirs).collect()
    }

    /// The patterns, in no particular order.
    pub fn patterns(&self) -> impl Iterator<Item = DomainPattern> {
        let exact = self.exact.iter().map(|host| DomainPattern::Exact(host.to_owned()));
        let suffixes = self.suffixes.iter().map(|suffix| DomainPattern::Suffix(suffix.to_owned()));
        self.any.then_some(DomainPattern::Any).into_iter().chain(exact).chain(suffixes)
    }

    fn has_suffix_of(&self, host: &str) -> bool {
        if self.suffixes.is_empty() {
            return false;
        }
        let mut rest = host;
        loop {
            if self.suffixes.contains(rest) {
                return true;
            }
            match rest.split_once('.') {
                Some((_, parent)) => rest = parent,
                None => return false,
            }
        }
    }
}

impl FromIterator<DomainPattern> for DomainSet {
    fn from_iter<I: IntoIterator<Item = DomainPattern>>(patterns: I) -> Self {
        let (mut any, mut exact, mut suffixes) = (false, Vec::new(), Vec::new());
        for pattern in patterns {
            match pattern {
                DomainPattern::Any => any = true,
                DomainPattern::Exact(host) => exact.push(host),
                DomainPattern::Suffix(suffix) => suffixes.push(suffix),
            }
        }
        Self { any, exact: exact.into_iter().collect(), suffixes: suffixes.into_iter().collect() }
    }
}
