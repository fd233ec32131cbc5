//! Every version there was.

pub(crate) mod get;
pub(crate) mod list;
