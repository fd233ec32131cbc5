//! Agents.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod quarantine;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod unquarantine;
