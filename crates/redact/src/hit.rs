//! One place where the automaton saw a literal, and safe ways to look around it.

use std::ops::Range;

use crate::class::{Class, HEX, WORD};

/// A literal found in a text. Offsets are bytes.
#[derive(Clone, Copy)]
pub(crate) struct Hit<'t> {
    pub(crate) bytes: &'t [u8],
    /// Where the literal begins.
    pub(crate) start: usize,
    /// The byte after the literal.
    pub(crate) end: usize,
}

impl<'t> Hit<'t> {
    pub(crate) fn at(self, index: usize) -> Option<u8> {
        self.bytes.get(index).copied()
    }

    /// The byte before `index`, if there is one.
    pub(crate) fn before(self, index: usize) -> Option<u8> {
        self.at(index.checked_sub(1)?)
    }

    /// The bytes of `range`, cut at the end of the text.
    pub(crate) fn slice(self, range: Range<usize>) -> &'t [u8] {
        let end = range.end.min(self.bytes.len());
        self.bytes.get(range.start.min(end)..end).unwrap_or_default()
    }

    /// The literal as it is written in the text.
    pub(crate) fn literal(self) -> &'t [u8] {
        self.slice(self.start..self.end)
    }

    /// The first index at or after `from` that is not in `class`, at most `limit` bytes on.
    pub(crate) fn run(self, from: usize, class: Class, limit: usize) -> usize {
        self.run_while(from, limit, |byte| class.has(byte))
    }

    /// The first index at or after `from` whose byte fails `keep`, at most `limit` bytes on.
    pub(crate) fn run_while(self, from: usize, limit: usize, keep: impl Fn(u8) -> bool) -> usize {
        let window = self.slice(from..from.saturating_add(limit));
        from + window.iter().position(|byte| !keep(*byte)).unwrap_or(window.len())
    }

    /// The first index of the run of `class` that ends at `until`, at most `limit` bytes back.
    pub(crate) fn run_back(self, until: usize, class: Class, limit: usize) -> usize {
        let window = self.slice(until.saturating_sub(limit)..until);
        let length = window.iter().rev().take_while(|byte| class.has(**byte)).count();
        until - length
    }

    pub(crate) fn starts_with(self, index: usize, literal: &[u8]) -> bool {
        self.bytes.get(index..).is_some_and(|rest| rest.starts_with(literal))
    }

    /// Whether a token may begin at `index`: no byte of `inside` directly before it, except as the
    /// last letter of an escape (`\n`, `%3D`), which ends a token as much as a space does.
    pub(crate) fn opens(self, index: usize, inside: Class) -> bool {
        let Some(previous) = self.before(index) else {
            return true;
        };
        if !inside.has(previous) {
            return true;
        }
        match self.slice(index.saturating_sub(3)..index) {
            [.., b'\\', b'n' | b'r' | b't'] => true,
            [b'%', high, low] => HEX.has(*high) && HEX.has(*low),
            _ => false,
        }
    }

    /// Whether a token may end before `index`.
    pub(crate) fn closes(self, index: usize) -> bool {
        !self.at(index).is_some_and(|byte| WORD.has(byte))
    }
}
