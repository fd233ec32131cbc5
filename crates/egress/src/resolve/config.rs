//! What an operator sets about names.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nameservers {
    /// Those of `/etc/resolv.conf`, read again when it changes. None there means the one on this machine.
    System,
    /// These, in this order.
    These(Vec<SocketAddr>),
}

/// Which hosts file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostsFile {
    /// None.
    Ignore,
    /// This one, read again when it changes.
    At(PathBuf),
}

/// A name that leads to one address whatever anybody says, the port included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedHost {
    /// The name in normal form.
    pub name: String,
    /// The port that a request names. On other ports the name does not exist.
    pub port: u16,
    /// Where a connection really goes; the guard still has to except it.
    pub address: SocketAddr,
}

/// How names become addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverConfig {
    /// Who is asked.
    pub nameservers: Nameservers,
    /// The hosts file that comes before them.
    pub hosts_file: HostsFile,
    /// The entries that come before everything.
    pub fixed: Vec<FixedHost>,
    /// How long one name may take, all retries and both families included.
    pub timeout: Duration,
}

impl ResolverConfig {
    /// How long one name may take unless set otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// As the rest of this machine resolves, without search domains.
    #[must_use]
    pub fn system() -> Self {
        Self {
            nameservers: Nameservers::System,
            hosts_file: HostsFile::At(PathBuf::from("/etc/hosts")),
            fixed: Vec::new(),
            timeout: Self::TIMEOUT,
        }
    }

    /// Only by these name servers, without a hosts file.
    #[must_use]
    pub fn at(nameservers: Vec<SocketAddr>) -> Self {
        Self {
            nameservers: Nameservers::These(nameservers),
            hosts_file: HostsFile::Ignore,
            fixed: Vec::new(),
            timeout: Self::TIMEOUT,
        }
    }
}
