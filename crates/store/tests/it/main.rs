//! The store's tests: every one against both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first surprise, in what it shares with others too"
)]

mod append_only;
mod bad_value;
mod harness;
mod log;
mod memory;
mod migrations;
mod policy_heads;
mod policy_sets;
mod quota;
mod rebuild;
mod roles;
mod runs;
