//! The API's tests: the real server on a loopback port, a store of its own for each test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod app;
mod coverage;
mod garbage;
mod gate_auth_coverage;
mod idempotency;
mod openapi;
mod policies;
mod protocol;
mod proxy;
mod runs;
mod streams;
mod tenancy;
mod tokens;
mod violations;
