//! Sets of ASCII bytes, built at compile time, that token shapes are made of.

/// A set of ASCII bytes; nothing outside ASCII is ever a member.
#[derive(Clone, Copy)]
pub(crate) struct Class(u128);

impl Class {
    /// The set of exactly the bytes of `members`, which must be ASCII.
    pub(crate) const fn of(members: &str) -> Self {
        let mut mask = 0;
        let mut rest = members.as_bytes();
        while let [byte, tail @ ..] = rest {
            mask |= 1 << (*byte & 0x7f);
            rest = tail;
        }
        Self(mask)
    }

    /// Adds every byte from `first` to `last`, both included.
    pub(crate) const fn range(self, first: u8, last: u8) -> Self {
        let mut mask = self.0;
        let mut byte = first;
        while byte <= last {
            mask |= 1 << (byte & 0x7f);
            byte += 1;
        }
        Self(mask)
    }

    /// Adds the bytes of `members`.
    pub(crate) const fn and(self, members: &str) -> Self {
        Self(self.0 | Self::of(members).0)
    }

    pub(crate) const fn has(self, byte: u8) -> bool {
        byte < 0x80 && (self.0 >> byte) & 1 == 1
    }
}

pub(crate) const DIGIT: Class = Class::of("").range(b'0', b'9');
pub(crate) const LOWER_HEX: Class = DIGIT.range(b'a', b'f');
pub(crate) const HEX: Class = LOWER_HEX.range(b'A', b'F');
pub(crate) const LOWER_NUM: Class = DIGIT.range(b'a', b'z');
pub(crate) const UPPER_NUM: Class = DIGIT.range(b'A', b'Z');
pub(crate) const ALNUM: Class = LOWER_NUM.range(b'A', b'Z');
/// Letters, digits and `_`: what a word boundary separates.
pub(crate) const WORD: Class = ALNUM.and("_");
/// The URL-safe base64 alphabet.
pub(crate) const URL_SAFE: Class = ALNUM.and("_-");
pub(crate) const URL_SAFE_DOT: Class = URL_SAFE.and(".");
/// The classic base64 alphabet with padding.
pub(crate) const BASE64: Class = ALNUM.and("+/=");
