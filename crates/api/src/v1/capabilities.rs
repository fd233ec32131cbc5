//! Capability tokens.

pub(crate) mod delegations;
pub(crate) mod grant;
pub(crate) mod list;
pub(crate) mod revoke;
