//! The kill switch.

pub(crate) mod get;
pub(crate) mod set;
