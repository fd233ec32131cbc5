//! Capability tokens: granted, delegated, revoked.
//!
//! A token narrows what its principal may ask for. A delegated one is stored already cut down to
//! its parent; ending a parent ends everything below it at once, because a decision walks up.

mod grant;
mod parent;
mod revoke;

pub use grant::{GrantCapabilityInput, GrantCapabilityOutput};
pub use revoke::{RevokeCapabilityInput, RevokeCapabilityOutput};
