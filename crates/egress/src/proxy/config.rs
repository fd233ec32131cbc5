//! What an operator sets about the proxy.

use std::time::Duration;

use wire::http::HeadLimits;

/// How the proxy behaves.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// How long a request that needs an approval is held while a human decides; zero never holds.
    pub hold: Duration,
    /// How long tunnels may go on once the proxy is to stop.
    pub drain: Duration,
    /// How large the head of a request may be.
    pub head: HeadLimits,
    /// How much of everything.
    pub limits: Limits,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// Hosts that are homes of a kind of credential besides those built in: kind and host, or
    /// `*.suffix`; `*` stands for all.
    pub credential_homes: Vec<(String, String)>,
    /// Whether there is somebody whom an approval can be asked of. Without, a refusal names the flag of `exeat exec`
    /// that would let it pass.
    pub approvers: Approvers,
}

/// Who decides about approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Approvers {
    /// People, beside the gate.
    #[default]
    People,
    /// Nobody: the gate ends with the command that asks.
    Nobody,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(8),
            drain: Duration::from_secs(10),
            head: HeadLimits::DEFAULT,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            credential_homes: Vec::new(),
            approvers: Approvers::People,
        }
    }
}

/// How much of everything. Those of a principal count after it was authenticated.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Client connections altogether; more are closed at once.
    pub connections_max: usize,
    /// Open tunnels of one principal.
    pub tunnels_max: usize,
    /// New tunnels of one principal per second; zero is without limit.
    pub tunnels_per_second: u32,
    /// How many of those may come at once; at least one second's worth.
    pub tunnels_burst: u32,
    /// Bytes of one principal per hour, both directions together; zero is without limit.
    pub bytes_per_hour: u64,
    /// Requests of one principal held for an approval.
    pub held_max: usize,
    /// Bad credentials from one address per minute; more are answered with 429.
    pub failed_logins_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            tunnels_max: 1_000,
            tunnels_per_second: 0,
            tunnels_burst: 0,
            bytes_per_hour: 0,
            held_max: 256,
            failed_logins_per_minute: 20,
        }
    }
}

/// How long anything may take. Streams that live have no total.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// Between two requests of one connection.
    pub keep_alive: Duration,
    /// For the first bytes through a tunnel that must be TLS.
    pub first_flight: Duration,
    /// For the head of an answer, counted from the last byte of the request that moved.
    pub answer: Duration,
    /// Without a byte in either direction.
    pub idle: Duration,
    /// The same once one side has finished sending.
    pub half_closed: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            keep_alive: Duration::from_secs(60),
            first_flight: Duration::from_secs(10),
            answer: Duration::from_secs(120),
            idle: Duration::from_secs(3600),
            half_closed: Duration::from_secs(300),
        }
    }
}
