//! Approvals.

pub(crate) mod decide;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod request;
pub(crate) mod revoke;
