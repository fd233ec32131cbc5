//! The attack table: every way out that is known, as a program of its own, run through every way exeat starts programs;
//! and beside it the same program run outside the guard, to show that it would have worked.
//!
//! Needs Linux with user namespaces (or root), `unshare`, `ip`, `mount` and a C compiler; whatever is missing fails the
//! test by name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first surprise, in what it shares with others too"
)]

mod canaries;
mod controls;
mod evidence;
mod ground;
mod layers;
#[path = "../wayout/network.rs"]
#[allow(dead_code, reason = "the other tests of the network use the rest")]
mod network;
mod no_egress;
mod outcome;
mod programs;
mod runner;
mod sentinel;
mod state;
mod table;
mod victim;
