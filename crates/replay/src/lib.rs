//! The log of decisions: what every decision rested on, in columns, so that other rules can be tried
//! on what really happened.
//!
//! There is deliberately **no** I/O and no clock here: segments come as bytes, moments as values. And
//! nothing is guessed: where an outcome would depend on something that was not kept, it is counted as
//! indeterminate.
//!
//! Invariants:
//! - a segment reads back as the entries it was made of, and no bytes whatever make reading panic;
//! - the same rules replayed give no difference;
//! - reports of parts merge to the report of the whole;
//! - nothing that redaction would change is kept.
//!
//! Start with [`Entry`] (what is kept of a decision), [`segment`] (how), [`Draft`] (the rules that
//! are tried) and [`replay`].

pub mod approvals;
pub mod differences;
pub mod distinct;
pub mod draft;
pub mod entry;
pub mod propose;
mod redecide;
pub mod report;
pub mod segment;
pub mod shadow;
mod stable;

pub use draft::Draft;
pub use entry::{Entry, Kept};
pub use propose::propose;
pub use redecide::{AsOf, Options, replay};
pub use report::Report;
pub use segment::{Encoder, Ids, Segment};
pub use shadow::WouldBlocks;
