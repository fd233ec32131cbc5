//! What the tests stand on: a real PostgreSQL, a real file for SQLite, the real binary, a plain HTTP client.
//!
//! Everything is throw-away, listens on loopback only and is gone when the test process is gone, however it ends.
//! Nothing here skips: what cannot be brought up is an error that names what is missing.
//!
//! This crate deliberately knows none of the product's crates, so that all of them may use it in their tests: a store
//! is a URL, a server is a process, an answer is bytes.
//!
//! Start with [`postgres::Database::create`] and [`TempStore::create`] (one store per test), then
//! [`exeat::Process`] (the whole product as users run it).

pub mod exeat;
pub mod http;
mod port;
pub mod postgres;
mod temp_store;
mod watchdog;

pub use port::free_port;
pub use temp_store::TempStore;
