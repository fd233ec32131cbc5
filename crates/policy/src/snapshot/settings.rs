//! What an operator sets: defaults from the environment, and each workspace's own settings.

use ipnet::IpNet;
use model::Mode;

/// A destination that may be reached although its address is a forbidden one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedUpstream {
    /// The normalised host, as an ask names it.
    pub host: String,
    /// Only addresses of this net; without one every address of the host.
    pub net: Option<IpNet>,
    /// Only this port; without one every port.
    pub port: Option<u16>,
}

/// What holds where a workspace has set nothing of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// The enforcement mode.
    pub mode: Mode,
    /// Whether `external.write` is denied in every workspace.
    pub kill_switch: bool,
    /// Requests per rolling hour and principal; 0 = no quota.
    pub egress_max_requests_per_hour: u64,
    /// Destinations excepted from the check for forbidden addresses.
    pub trusted_upstreams: Vec<TrustedUpstream>,
}

/// What a workspace answers when nothing speaks for or against an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultDecision {
    /// It may happen.
    Allow,
    /// It may not happen.
    Deny,
}

impl DefaultDecision {
    /// The text on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// Reads the exact text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}

/// A workspace's own settings; what is `None` comes from [`Defaults`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its enforcement mode.
    pub mode: Option<Mode>,
    /// Its kill switch; the install's denies too.
    pub kill_switch: bool,
    /// Its default; allow when `None`.
    pub default_decision: Option<DefaultDecision>,
    /// Its quota, requests per rolling hour and principal; 0 = no quota.
    pub egress_max_requests_per_hour: Option<u64>,
    /// Whether every ask must show a capability token.
    pub require_capability_token: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_decision_reads_back() {
        for each in [DefaultDecision::Allow, DefaultDecision::Deny] {
            assert_eq!(DefaultDecision::parse(each.as_str()), Some(each));
        }
        assert_eq!(DefaultDecision::parse("Allow"), None);
    }
}
