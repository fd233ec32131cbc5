//! Bytes that end every credential, found once per chunk however often they are asked for.

use crate::class::{ALNUM, Class};

/// Every byte that a listed credential may hold behind its literal.
pub(super) const TOKEN: Class = ALNUM.and("_-.+/=%~@:$");

/// Remembers where the chunk has no such byte.
pub(super) struct Breaks<'c> {
    chunk: &'c [u8],
    /// No break in `from..to`.
    from: usize,
    to: usize,
}

impl<'c> Breaks<'c> {
    pub(super) fn of(chunk: &'c [u8]) -> Self {
        Self { chunk, from: 0, to: 0 }
    }

    /// Whether a byte that ends every credential stands at or behind `index`.
    pub(super) fn any_from(&mut self, index: usize) -> bool {
        if !(self.from..=self.to).contains(&index) {
            (self.from, self.to) = (index, index);
        }
        let rest = self.chunk.get(self.to..).unwrap_or_default();
        self.to += rest.iter().position(|byte| !TOKEN.has(*byte)).unwrap_or(rest.len());
        self.to < self.chunk.len()
    }
}
