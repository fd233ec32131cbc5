//! Policies people write, tested from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(missing_docs, reason = "tests")]

mod agrees;
mod fmt;
mod load;
mod random;
mod tunnel;
mod widening;
