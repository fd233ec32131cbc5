//! The enforcement mode.

pub(crate) mod get;
pub(crate) mod set;
