//! Events as they happen.

pub(crate) mod events;
pub(crate) mod room;
