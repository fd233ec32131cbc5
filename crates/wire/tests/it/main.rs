//! The readers from outside: tables of vectors, properties, and what a naive reader says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod feed;
mod vectors;
