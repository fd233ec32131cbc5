//! Principals.

pub(crate) mod create;
pub(crate) mod ensure;
pub(crate) mod get;
pub(crate) mod revoke;
