//! The bytes at hand during one call: the new chunk, and its beginning joined to what was before.

use super::{AHEAD, BACK};
use crate::hit::Hit;

/// Two overlapping windows, so that no chunk is copied as a whole and no credential is cut.
pub(super) struct View<'v> {
    /// The kept bytes and as many of the chunk as could belong to a credential that began there.
    pub(super) joined: &'v [u8],
    /// Where `joined` begins in the stream.
    pub(super) joined_from: u64,
    pub(super) chunk: &'v [u8],
    /// Where the chunk begins in the stream.
    pub(super) chunk_from: u64,
}

impl<'v> View<'v> {
    /// The literal of `length` bytes at `start`, with as much around it as a rule may read. What a
    /// rule sees is then the same wherever the chunks begin and end.
    pub(super) fn hit(&self, start: u64, length: usize) -> Hit<'v> {
        let whole_in_chunk = start >= self.chunk_from + BACK as u64;
        let (bytes, from) =
            if whole_in_chunk { (self.chunk, self.chunk_from) } else { (self.joined, self.joined_from) };
        let at = usize::try_from(start - from).unwrap_or(usize::MAX);
        let first = at.saturating_sub(BACK);
        let last = at.saturating_add(AHEAD).min(bytes.len());
        let window = bytes.get(first..last).unwrap_or_default();
        Hit { bytes: window, start: at - first, end: at - first + length }
    }
}
