//! Roles of keys. Which route needs which entitlement is one table in the `api` crate.

use crate::text_enum::text_enum;

text_enum! {
    /// What a key is for.
    pub enum Role {
        /// Everything.
        Owner = "owner",
        /// Policy, capabilities, agents, mode, approvals.
        Operator = "operator",
        /// Decides approvals.
        Approver = "approver",
        /// A trusted enforcement point: may ask for any principal it names.
        Gateway = "gateway",
        /// One principal; asks only as that principal.
        Agent = "agent",
        /// Claims and drives runs.
        Worker = "worker",
        /// Reads everything, changes nothing.
        Auditor = "auditor",
    }
}

impl Role {
    /// Whether a body's `actor_*`, `principal_id` and `zone` are believed from this role.
    #[must_use]
    pub const fn speaks_for_others(self) -> bool {
        matches!(self, Self::Owner | Self::Operator | Self::Gateway | Self::Worker)
    }

    /// Whether a key of this role may ask to go out at all: those that decide or look on do not act.
    #[must_use]
    pub const fn asks(self) -> bool {
        !matches!(self, Self::Approver | Self::Auditor)
    }
}
