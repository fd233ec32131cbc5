//! The action registry.

pub(crate) mod list;
pub(crate) mod set;
