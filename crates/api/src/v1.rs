//! The routes of version 1: one folder per noun, one file per verb.

pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod capabilities;
pub(crate) mod data_access;
pub(crate) mod decision;
pub(crate) mod egress;
pub(crate) mod events;
pub(crate) mod guard;
pub(crate) mod labels;
pub(crate) mod policies;
pub(crate) mod policy;
pub(crate) mod principals;
pub(crate) mod proxy;
pub(crate) mod reason_codes;
pub(crate) mod registry;
pub(crate) mod rooms;
pub(crate) mod runs;
pub(crate) mod security;
pub(crate) mod shadow;
pub(crate) mod streams;
pub(crate) mod toolcalls;
pub(crate) mod whoami;
