//! The gate's tests: every one against both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that is surprised fails"
)]

mod asks;
mod bed;
mod leaving;
mod objects;
mod policies;
mod violations;
