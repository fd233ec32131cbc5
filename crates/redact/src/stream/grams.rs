//! Finds the literals of the listed credentials by their first three bytes.
//!
//! Nearly all positions of clean traffic are dismissed by one look into a small table. No look depends
//! on the one before, unlike the steps of an automaton, so that the processor does several at once.

use crate::rule::Part;

use super::engine::Wake;

/// The bytes a literal is found by.
pub(super) const GRAM: usize = 3;
/// How many positions are looked at together: as many as grams fit into eight bytes.
const TOGETHER: usize = 8 - GRAM + 1;

pub(super) struct Grams {
    /// One bit for each hash of a gram that some literal begins with.
    bits: Box<[u64; 1024]>,
    /// The grams, each with the place of a literal that begins with it, sorted.
    heads: Vec<(u32, usize)>,
}

impl Grams {
    /// The table for `wakes`, whose places are what [`Grams::each`] reports.
    pub(super) fn of(wakes: &[Wake]) -> Self {
        let mut heads: Vec<_> = wakes
            .iter()
            .enumerate()
            .flat_map(|(place, wake)| beginnings(wake).into_iter().map(move |gram| (gram, place)))
            .collect();
        heads.sort_unstable();
        heads.dedup();
        let mut bits = Box::new([0_u64; 1024]);
        for (gram, _) in &heads {
            let hash = hash(*gram);
            if let Some(word) = bits.get_mut(hash >> 6) {
                *word |= 1 << (hash & 63);
            }
        }
        Self { bits, heads }
    }

    /// Calls `see(place, start)` for every place of `text` where a literal of at least [`GRAM`] bytes,
    /// or a shorter one with what must follow, may begin. The caller compares the rest.
    pub(super) fn each(&self, text: &[u8], mut see: impl FnMut(usize, usize)) {
        let mut at = 0;
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*block);
            let gram = |nth: usize| (word >> (8 * nth)) as u32 & 0x00ff_ffff;
            let some = (0..TOGETHER).fold(0, |some, nth| some | self.bit(gram(nth)));
            if some != 0 {
                (0..TOGETHER).for_each(|nth| self.name(gram(nth), at + nth, &mut see));
            }
            at += TOGETHER;
        }
        let rest = text.get(at..).unwrap_or_default();
        for (nth, window) in rest.windows(GRAM).enumerate() {
            self.name(packed(window), at + nth, &mut see);
        }
    }

    fn bit(&self, gram: u32) -> u64 {
        let hash = hash(gram);
        self.bits.get(hash >> 6).map_or(0, |word| (word >> (hash & 63)) & 1)
    }

    fn name(&self, gram: u32, at: usize, see: &mut impl FnMut(usize, usize)) {
        if self.bit(gram) == 0 {
            return;
        }
        let first = self.heads.partition_point(|(head, _)| *head < gram);
        let same = self.heads.iter().skip(first).take_while(|(head, _)| *head == gram);
        same.for_each(|(_, place)| see(*place, at));
    }
}

/// Sixteen bits that depend on all of `gram`.
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

fn packed(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte))
}

/// Every gram the literal of `wake` may begin with: in both letter cases where the rule takes both,
/// and with each byte that may follow where the literal is shorter than a gram.
fn beginnings(wake: &Wake) -> Vec<u32> {
    let literal = wake.literal.as_bytes();
    let parts = wake.rule.parts();
    let cases = |byte: &u8| match parts {
        None if byte.is_ascii_alphabetic() => vec![*byte, *byte ^ 0x20],
        _ => vec![*byte],
    };
    let mut choices: Vec<Vec<u8>> = literal.iter().take(GRAM).map(cases).collect();
    if choices.len() < GRAM {
        choices.push(first_bytes(parts.unwrap_or_default()));
    }
    let grow = |grams: Vec<Vec<u8>>, next: &Vec<u8>| {
        grams.iter().flat_map(|gram| next.iter().map(move |byte| [gram.as_slice(), &[*byte]].concat())).collect()
    };
    let grams: Vec<Vec<u8>> = choices.iter().fold(vec![Vec::new()], grow);
    grams.iter().map(|gram| packed(gram)).collect()
}

/// Every byte that `parts` may begin with.
fn first_bytes(parts: &[Part]) -> Vec<u8> {
    match parts.first() {
        Some(Part::Run(class, 1.., _)) => (0..=u8::MAX).filter(|byte| class.has(*byte)).collect(),
        Some(Part::Lit(literal)) => literal.bytes().take(1).collect(),
        _ => (0..=u8::MAX).collect(),
    }
}
