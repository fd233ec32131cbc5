//! The set that is tried beside the one that holds.

pub(crate) mod clear;
pub(crate) mod set;
