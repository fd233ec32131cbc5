//! Credentials in bytes on their way out: the same findings however the bytes are cut, in constant
//! memory.
//!
//! A proxy sees a body in chunks whose borders mean nothing, and may not collect it. [`Stream`] keeps
//! the last bytes and the places where a credential may have begun, and decides each as soon as what
//! follows allows: at a byte that no credential contains, [`AHEAD`] bytes on, or at the end.
//!
//! Only what [`crate::credential`] lists is looked for, by the same tables and matchers as
//! everything else here, with one difference: a prefix directly behind a `-` is not one, as long
//! identifiers and URL-safe base64 are full of them.
//!
//! # Bytes as they travel
//! Transfer encodings are for the caller to take off first. Content encodings (gzip and the like),
//! base64 and JSON's `\u` escapes are not undone: what is inside is not seen. [`in_header_value`]
//! makes one exception, the credentials of `Authorization: Basic`, where tokens usually travel.

mod breaks;
mod engine;
mod grams;
mod header;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;

pub use header::in_header_value;

use crate::rule::Seen;
use breaks::Breaks;
use engine::{Engine, Wake};
use view::View;

/// How far from where its literal begins a credential is read, in bytes. A longer one is found by
/// its beginning; a private key must show key material within as many bytes.
pub const AHEAD: usize = 1024;

/// How far before its literal a credential may begin, with the bytes that tell whether it does.
const BACK: usize = 192;

/// The most bytes of earlier chunks that are kept.
pub const MEMORY_MAX: usize = AHEAD + BACK;

/// A credential that was seen. Says where it is, never what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// One of [`crate::credential::kinds`].
    pub kind: &'static str,
    /// Where it begins, in bytes from the beginning of the stream.
    pub offset: u64,
}

/// The scanner of one stream: one body, one URL, one header value.
#[derive(Default)]
pub struct Stream {
    /// Bytes that were pushed so far.
    length: u64,
    /// The last of them.
    tail: Vec<u8>,
    /// What may have begun and cannot be decided yet, by place.
    pending: VecDeque<Candidate>,
    /// Per kind, where what was last read ended: a hit inside has nothing to add.
    covered: Vec<u64>,
}

/// A literal that was seen.
struct Candidate {
    wake: &'static Wake,
    /// Where the literal begins.
    start: u64,
    /// Where the credential would begin.
    origin: u64,
}

/// The literals a credential of any kind is recognised by, for comparison with other scanners.
pub fn literals() -> impl Iterator<Item = &'static str> {
    Engine::standard().wakes().iter().map(|wake| wake.literal)
}

/// Scans bytes that are there as a whole.
#[must_use]
pub fn scan(bytes: &[u8]) -> Vec<Exposure> {
    let mut stream = Stream::default();
    let mut found = stream.push(bytes);
    found.extend(stream.finish());
    found
}

impl Stream {
    /// A stream of which nothing has been seen. Allocates nothing until bytes come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and returns what they decide, in no particular order.
    ///
    /// A credential at the end of `chunk` may be reported by a later call: see [`Stream::held`].
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Exposure> {
        let mut found = Vec::new();
        if chunk.is_empty() {
            return found;
        }
        let before = self.tail.len();
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend(chunk.iter().take(MEMORY_MAX));
        let view = View { joined: &joined, joined_from: self.length - before as u64, chunk, chunk_from: self.length };
        self.length += chunk.len() as u64;
        let mut breaks = Breaks::of(chunk);
        if !self.pending.is_empty() {
            self.settle(&view, breaks.any_from(0), &mut found);
        }
        let engine = Engine::standard();
        engine.each_in(&view, before, |wake, start| self.consider(&view, wake, start, &mut breaks, &mut found));
        self.keep(joined, before, chunk);
        found
    }

    /// Says that no more bytes come and returns what was undecided.
    #[must_use]
    pub fn finish(mut self) -> Vec<Exposure> {
        let mut found = Vec::new();
        let from = self.length - self.tail.len() as u64;
        let tail = std::mem::take(&mut self.tail);
        let view = View { joined: &tail, joined_from: from, chunk: &[], chunk_from: self.length };
        for candidate in std::mem::take(&mut self.pending) {
            self.judge(&view, &candidate, &mut found);
        }
        found
    }

    /// How many of the last bytes may belong to a credential that is not decided yet, at most
    /// [`MEMORY_MAX`].
    ///
    /// Who passes on all but these until the next call passes on no byte of a credential that is
    /// reported later, except when the chunk ends within a literal (`gh` of `ghp_`).
    #[must_use]
    pub fn held(&self) -> usize {
        let first = self.pending.iter().map(|candidate| candidate.origin).min();
        first.map_or(0, |first| usize::try_from(self.length - first).unwrap_or(MEMORY_MAX))
    }

    /// Judges what was pending and can be decided now. A byte that no token contains, anywhere in the
    /// new chunk, ends all that began before it.
    fn settle(&mut self, view: &View<'_>, broken: bool, found: &mut Vec<Exposure>) {
        let mut waiting = VecDeque::new();
        while let Some(candidate) = self.pending.pop_front() {
            let far = candidate.start + AHEAD as u64 <= self.length;
            if far || (broken && candidate.wake.ends_at_break) {
                self.judge(view, &candidate, found);
            } else if broken {
                waiting.push_back(candidate);
            } else {
                // Those behind it began later, so they are not far enough either.
                self.pending.push_front(candidate);
                break;
            }
        }
        if !waiting.is_empty() {
            self.pending = waiting;
        }
    }

    fn consider(
        &mut self,
        view: &View<'_>,
        wake: &'static Wake,
        start: u64,
        breaks: &mut Breaks<'_>,
        found: &mut Vec<Exposure>,
    ) {
        if self.covered.get(wake.order).is_some_and(|end| start < *end) {
            return;
        }
        let hit = view.hit(start, wake.literal.len());
        if !wake.begins(hit) {
            return;
        }
        let origin = start - (hit.start - wake.rule.origin(hit)) as u64;
        let candidate = Candidate { wake, start, origin };
        let end = start + wake.literal.len() as u64 - view.chunk_from;
        let mut broken = || breaks.any_from(usize::try_from(end).unwrap_or(usize::MAX));
        if start + AHEAD as u64 <= self.length || (wake.ends_at_break && broken()) {
            self.judge(view, &candidate, found);
        } else {
            self.pending.push_back(candidate);
        }
    }

    /// Asks the rule, now that all it may read is there.
    fn judge(&mut self, view: &View<'_>, candidate: &Candidate, found: &mut Vec<Exposure>) {
        let Candidate { wake, start, .. } = candidate;
        if self.covered.get(wake.order).is_some_and(|end| start < end) {
            return;
        }
        let hit = view.hit(*start, wake.literal.len());
        let Some(seen) = wake.rule.find(hit, wake.literal) else { return };
        let (Seen::Secret(span) | Seen::Decoy(span)) = &seen;
        let from_hit = |index: usize| start.saturating_add_signed(index as i64 - hit.start as i64);
        if self.covered.len() <= wake.order {
            self.covered.resize(wake.order + 1, 0);
        }
        if let Some(end) = self.covered.get_mut(wake.order) {
            *end = from_hit(span.end);
        }
        if let Seen::Secret(span) = seen {
            found.push(Exposure { kind: wake.kind, offset: from_hit(span.start) });
        }
    }

    /// Keeps what later calls may look back at.
    fn keep(&mut self, mut joined: Vec<u8>, before: usize, chunk: &[u8]) {
        let oldest = self.pending.front().map_or(self.length, |candidate| candidate.start);
        let wanted = usize::try_from(self.length - oldest).unwrap_or(AHEAD).min(AHEAD) + BACK;
        if chunk.len() >= wanted {
            joined.clear();
            joined.extend(chunk.iter().skip(chunk.len() - wanted));
        } else {
            // All of a chunk this short is in `joined`.
            joined.truncate(before + chunk.len());
            joined.drain(..joined.len().saturating_sub(wanted));
        }
        self.tail = joined;
    }
}
