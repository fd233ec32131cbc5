//! The harness itself is held to what it promises.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod exeat;
mod http;
mod ports;
mod postgres;
mod watchdog;
