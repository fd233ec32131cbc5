//! The gate's tests: every one against both databases.

mod bed;
mod objects;
