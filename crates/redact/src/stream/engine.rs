//! The literals of the listed credentials, and where they are in what a call brings.

use std::sync::LazyLock;

use super::grams::{GRAM, Grams};
use super::view::View;
use crate::credential::TABLE;
use crate::hit::Hit;
use crate::rule::Rule;
use crate::rules::RULES;

/// A literal and the rule it wakes.
pub(super) struct Wake {
    pub(super) literal: &'static str,
    pub(super) rule: &'static Rule,
    pub(super) kind: &'static str,
    /// The place of the kind in the table.
    pub(super) order: usize,
    /// Whether a byte outside [`super::breaks::TOKEN`] ends what the rule reads.
    pub(super) ends_at_break: bool,
}

impl Wake {
    /// Whether a credential may begin at `hit`, judged by what stands before it.
    pub(super) fn begins(&self, hit: Hit<'_>) -> bool {
        let inside_identifier = self.rule.is_prefix() && hit.before(hit.start) == Some(b'-');
        !inside_identifier && self.rule.begins(hit, self.literal)
    }

    /// How many bytes must be there before the literal is seen.
    fn reach(&self) -> usize {
        self.literal.len().max(GRAM)
    }

    fn is_at(&self, text: &[u8], start: usize) -> bool {
        let found = text.get(start..start + self.literal.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(self.literal.as_bytes()))
    }
}

pub(super) struct Engine {
    grams: Grams,
    wakes: Vec<Wake>,
    /// The longest literal, in bytes.
    longest: usize,
}

impl Engine {
    /// The engine for all listed kinds, built on first use.
    pub(super) fn standard() -> &'static Self {
        static STANDARD: LazyLock<Engine> = LazyLock::new(Engine::new);
        &STANDARD
    }

    fn new() -> Self {
        let rules = || RULES.iter().flat_map(|table| table.iter());
        let listed = TABLE.iter().enumerate().filter_map(|(order, credential)| {
            let rule = rules().find(|rule| rule.name.replace('-', "_") == credential.kind)?;
            Some((order, credential.kind, rule))
        });
        let wakes: Vec<Wake> = listed
            .flat_map(|(order, kind, rule)| {
                let ends_at_break = rule.parts().is_some();
                rule.literals.iter().map(move |literal| Wake { literal, rule, kind, order, ends_at_break })
            })
            .collect();
        let longest = wakes.iter().map(Wake::reach).max().unwrap_or_default();
        Self { grams: Grams::of(&wakes), wakes, longest }
    }

    /// Calls `see` for every literal that ends in the chunk (a very short one: with the byte behind it), with where it begins in the stream.
    /// `before` is how much of `view.joined` is older than the chunk.
    pub(super) fn each_in(&'static self, view: &View<'_>, before: usize, mut see: impl FnMut(&'static Wake, u64)) {
        let reach = self.longest.saturating_sub(1);
        let first = before.saturating_sub(reach);
        let seam = view.joined.get(first..view.joined.len().min(before + reach)).unwrap_or_default();
        if before > 0 {
            self.grams.each(seam, |place, start| {
                let Some(wake) = self.wakes.get(place) else { return };
                let at = first + start;
                if at < before && at + wake.reach() > before && wake.is_at(seam, start) {
                    see(wake, view.joined_from + at as u64);
                }
            });
        }
        self.grams.each(view.chunk, |place, start| {
            if let Some(wake) = self.wakes.get(place).filter(|wake| wake.is_at(view.chunk, start)) {
                see(wake, view.chunk_from + start as u64);
            }
        });
    }

    pub(super) fn wakes(&self) -> &[Wake] {
        &self.wakes
    }
}
