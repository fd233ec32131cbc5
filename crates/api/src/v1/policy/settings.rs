//! The settings of a workspace.

pub(crate) mod get;
pub(crate) mod set;
