//! Some thousand decisions as bytes: every different thing once, and five small numbers a row.
//!
//! Most decisions look like many before them, so a segment holds dictionaries, and a row says: how
//! much later than the one before, which *case* (what the rules saw, and what came of it), on whose
//! account, in which run, about which resource. Whoever replays decides each case once. The ids of
//! the decisions lie apart ([`Ids`]): replay reads them for the examples it shows, never for the rest.
//!
//! ```text
//! segment = "EXDS" version:u8 rows:u32 dropped:u32 from:i64 to:i64 body checksum:u64   (little endian)
//! body    = texts lists shapes rulings callers resources cases times case* caller* run* resource*
//! ids     = "EXDI" version:u8 rows:u32 { shared rest }* checksum:u64
//! ```
//!
//! Numbers in a body are variable-length. A closed set (an outcome, a category) is kept as its text,
//! so a segment outlives the order in which a program declares its variants. `from` and `to` are the
//! first and the last row's moment; rows are in the order of (moment, id).

mod cases;
mod decode;
mod dictionary;
mod encode;
mod ids;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use cases::opaque;
pub use cases::{Case, Settled, Shape, Voiced};
pub(crate) use decode::Groups;
pub use decode::Segment;
pub use encode::{Encoded, Encoder, Full};
pub use ids::Ids;

use model::Time;

/// LIMIT: how many rows a segment has at most.
pub const ROWS_MAX: usize = 1 << 20;

const MAGIC: [u8; 4] = *b"EXDS";
const MAGIC_IDS: [u8; 4] = *b"EXDI";
const VERSION: u8 = 1;

/// Why bytes are not a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Something else, or nothing.
    #[error("these bytes are not a part of a decision log")]
    Magic,
    /// A later program wrote it.
    #[error("this part of the decision log has version {0}, which is not known here")]
    Version(u8),
    /// It was damaged.
    #[error("this part of the decision log is damaged: its checksum is wrong")]
    Checksum,
    /// It ends too early.
    #[error("this part of the decision log ends too early")]
    Cut,
    /// There is something after its end.
    #[error("this part of the decision log goes on after its end")]
    TooLong,
    /// A number is out of its range.
    #[error("this part of the decision log has a number out of its range")]
    Number,
    /// A text is not what it should be.
    #[error("this part of the decision log has a text that cannot be read")]
    Text,
    /// The moments of the rows are not in order, or not those of the header.
    #[error("this part of the decision log has moments out of order")]
    Times,
}

/// What a segment is, without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How many decisions.
    pub rows: usize,
    /// How many more were made in this time, but could not be kept.
    pub dropped: u32,
    /// The moment of the first.
    pub from: Time,
    /// The moment of the last.
    pub to: Time,
}
