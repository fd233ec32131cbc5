//! The rules people write: what holds, every version of it, and what is tried beside it.

pub(crate) mod candidate;
pub(crate) mod diff;
pub(crate) mod get;
pub(crate) mod publish;
pub(crate) mod replay;
pub(crate) mod rollback;
pub(crate) mod test;
pub(crate) mod validate;
pub(crate) mod versions;
