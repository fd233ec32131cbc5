//! The event log.

pub(crate) mod filter;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod verify;
