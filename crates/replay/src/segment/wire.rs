//! Numbers and lengths as bytes, and back without trusting a single one.

use super::DecodeError;

/// Appends a number, seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low(value) | 0x80);
        value >>= 7;
    }
    out.push(low(value));
}

fn low(value: u64) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0)
}

pub(super) fn put_len(out: &mut Vec<u8>, len: usize) {
    put(out, len as u64);
}

/// Reads bytes that may be anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Cut)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Cut)?;
        if first < 0x80 {
            self.rest = rest;
            return Ok(u64::from(first));
        }
        let mut value = 0;
        for (place, &byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if place == 9 && bits > 1 {
                return Err(DecodeError::Number);
            }
            value |= bits << (7 * place);
            if byte < 0x80 {
                self.rest = self.rest.get(place + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { DecodeError::Cut } else { DecodeError::Number })
    }

    #[inline]
    pub(super) fn small(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| DecodeError::Number)
    }

    /// A count of things of which each takes `each` bytes at least: never more than there can be.
    pub(super) fn count(&mut self, each: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.number()?).map_err(|_| DecodeError::Number)?;
        let fits = count.checked_mul(each.max(1)).is_some_and(|bytes| bytes <= self.rest.len());
        if fits { Ok(count) } else { Err(DecodeError::Cut) }
    }

    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TooLong) }
    }
}

/// The checksum of a part: eight bytes at a time. It finds damage, not malice.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    const TURN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = (bytes.len() as u64).wrapping_mul(TURN);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(TURN).rotate_left(29);
    }
    for byte in tail {
        state = (state ^ u64::from(*byte)).wrapping_mul(TURN).rotate_left(29);
    }
    crate::stable::mixed(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(values in prop::collection::vec(any::<u64>().prop_flat_map(|n| (0..64u32).prop_map(move |by| n >> by)), 0..40)) {
            let mut out = Vec::new();
            values.iter().for_each(|value| put(&mut out, *value));
            let mut reader = Reader::new(&out);
            for value in values {
                prop_assert_eq!(reader.number(), Ok(value));
            }
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn a_flipped_bit_changes_the_checksum() {
        let bytes: Vec<u8> = (0..100).collect();
        for place in 0..800 {
            let mut other = bytes.clone();
            other[place / 8] ^= 1 << (place % 8);
            assert_ne!(checksum(&other), checksum(&bytes), "bit {place}");
        }
    }
}
