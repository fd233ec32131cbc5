//! The binary as a user runs it, against a small server on loopback that answers what a test
//! says, and against the real one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests stop where they fail")]

mod approvals;
mod attenuate;
mod check;
mod demo;
mod exec;
mod fake;
mod gate_auth_coverage;
mod guide;
mod help;
mod identity;
mod operate;
mod policies;
mod policy;
mod program;
mod proxy;
mod records;
mod refusals;
mod runs;
mod server;
mod worker;
