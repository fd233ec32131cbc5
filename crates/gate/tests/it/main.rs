//! The gate's tests: every one against both databases.

mod asks;
mod bed;
mod objects;
