//! The bearer form of a capability token, and how its holder narrows it without asking anybody.
//!
//! `cap1.<token id>.<secret>` is a whole token. `cap1.<token id>.<caveats>.<mac>` is a narrowed one:
//! a list of [`Caveat`]s, each of which only takes away, under a chain of HMACs that begins with the
//! secret. Whoever holds a token can append a caveat; nobody can remove one.
//!
//! Only the format is here: whether the token lives, and what it covers, is the store's to say. The
//! format is written down with test vectors in `docs/guide/capabilities.md`.

mod caveat;
mod mac;
mod narrowing;
mod read;
#[cfg(test)]
mod tests;
mod wire;

pub use caveat::{Caveat, DataCaveat, InvalidCaveat};
pub use narrowing::Narrowing;
pub use wire::{AttenuateError, Bearer, InvalidBearer, Link, Verified, mint};

/// What every capability token begins with.
pub const PREFIX: &str = "cap1.";

/// LIMIT: the most caveats of a token.
pub const LINKS_MAX: usize = 16;

/// LIMIT: the longest token, in bytes of its text.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// LIMIT: the most uses that can be counted.
pub const USES_MAX: u64 = 1_000_000_000;

/// LIMIT: the longest `id` of a caveat, in bytes.
pub const CAVEAT_ID_BYTES_MAX: usize = 64;

/// How long a secret and a MAC are, in bytes.
pub const KEY_BYTES: usize = 32;
