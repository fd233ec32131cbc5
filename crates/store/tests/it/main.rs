//! The store's tests: every one against both databases.

mod append_only;
mod bad_value;
mod harness;
mod log;
mod policy_heads;
mod quota;
mod rebuild;
