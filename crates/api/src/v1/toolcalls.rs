//! Tool calls of a run's steps, each asked for before it is made.

pub(crate) mod execute;
pub(crate) mod fail;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod request;
pub(crate) mod succeed;
