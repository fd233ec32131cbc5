//! The readers from outside: tables of vectors, and properties of near misses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../oracle/check.rs"]
mod check;
mod clients;
#[path = "../oracle/feed.rs"]
mod feed;
#[path = "../oracle/naive.rs"]
mod naive;
mod properties;
mod vectors;
