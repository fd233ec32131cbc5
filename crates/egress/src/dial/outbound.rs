//! What the service itself connects to, besides where requests are allowed to go.
//!
//! A closed list: whatever opens a socket on the service's own behalf is named here, and nothing else
//! does. Requests of agents never appear in it; they go through [`Dialer::approach`](super::Dialer).

/// One thing the service connects to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredOutbound {
    /// What for.
    pub purpose: Purpose,
    /// Who decides where it goes.
    pub decided_by: &'static str,
}

/// What the service connects to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Asking name servers where an allowed name leads.
    Dns,
    /// The corporate proxy that allowed requests go through.
    UpstreamProxy,
    /// The store, when it is PostgreSQL.
    Store,
}

/// Everything the service connects to by itself.
pub const DECLARED: &[DeclaredOutbound] = &[
    DeclaredOutbound { purpose: Purpose::Dns, decided_by: "the system's resolver configuration, or EXEAT_DNS" },
    DeclaredOutbound { purpose: Purpose::UpstreamProxy, decided_by: "upstream_proxy" },
    DeclaredOutbound { purpose: Purpose::Store, decided_by: "EXEAT_DATABASE_URL" },
];
