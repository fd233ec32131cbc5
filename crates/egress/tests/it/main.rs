//! The proxy's tests: real sockets on loopback, a gate on a store of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that is surprised fails"
)]

mod bed;
mod captured;
mod carriers;
mod holds;
mod identities;
mod lasting;
mod limits;
mod origin;
mod plain;
mod retried;
mod same;
mod secrets;
mod strange;
mod tunnels;
