//! The steps of a run.

pub(crate) mod create;
pub(crate) mod list;
