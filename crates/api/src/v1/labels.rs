//! Labels of resources.

pub(crate) mod list;
pub(crate) mod set;
