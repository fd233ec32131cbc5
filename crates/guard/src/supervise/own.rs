//! What the tool itself listens on, where the network is shared with the machine (rung B).
//!
//! That the tool once bound a port does not make whoever listens there now its server: the kernel is asked which
//! sockets listen, and only those that were seen being bound count.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::net::listeners::{Listener, listeners};

/// LIMIT: the most sockets remembered as bound for one tree; the oldest is forgotten.
const BOUND_MAX: usize = 8192;

/// Sockets that the commands of one jail bound. One command may be the client of another.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Bound>);

/// By inode, which grow with time.
#[derive(Debug, Default)]
struct Bound {
    ports: BTreeMap<u64, u16>,
    unix: BTreeSet<u64>,
}

impl Own {
    /// Remembers that a socket was bound to a port.
    pub(super) fn remember(&self, inode: u64, port: u16) {
        let mut bound = self.bound();
        bound.ports.insert(inode, port);
        if bound.ports.len() > BOUND_MAX {
            bound.ports.pop_first();
        }
    }

    /// Remembers that a unix socket is about to be bound.
    pub(super) fn remember_unix(&self, inode: u64) {
        let mut bound = self.bound();
        bound.unix.insert(inode);
        if bound.unix.len() > BOUND_MAX {
            bound.unix.pop_first();
        }
    }

    /// Whether a unix socket was bound by the tool, by the lower half of its inode.
    pub(super) fn has_unix(&self, inode: u32) -> bool {
        self.bound().unix.iter().any(|own| own & 0xffff_ffff == u64::from(inode))
    }

    /// Where to connect to reach the tool's own server at this loopback address: there, or at another loopback
    /// address with the same port. `None` when there is none, or when others listen at the port as well.
    pub(super) fn server(&self, wanted: SocketAddr) -> Option<SocketAddr> {
        if !self.bound().ports.values().any(|port| *port == wanted.port()) {
            return None;
        }
        self.bound().choose(wanted, &listeners().ok()?)
    }

    fn bound(&self) -> MutexGuard<'_, Bound> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bound {
    fn choose(&self, wanted: SocketAddr, listeners: &[Listener]) -> Option<SocketAddr> {
        let there: Vec<_> = listeners.iter().filter(|listener| listener.address.port() == wanted.port()).collect();
        if there.iter().any(|listener| !self.ports.contains_key(&listener.inode)) {
            return None;
        }
        let exact = there.iter().find(|listener| canonical(listener.address) == canonical(wanted));
        exact.or(there.first()).map(|listener| listener.address)
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{Ipv6Addr, TcpListener};
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::supervise::descriptor::Socket;

    fn inode(listener: &TcpListener) -> io::Result<u64> {
        Ok(Socket::new(listener.as_fd().try_clone_to_owned()?)?.inode)
    }

    #[test]
    fn a_port_is_the_tools_as_long_as_the_tool_listens() -> io::Result<()> {
        let own = Own::default();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        assert_eq!(own.server(address), None, "somebody else's");
        own.remember(inode(&listener)?, address.port());
        assert_eq!(own.server(address), Some(address));
        assert_eq!(own.server(SocketAddr::from(([127, 0, 0, 9], address.port()))), Some(address));
        drop(listener);
        assert_eq!(own.server(address), None, "nobody there");
        let after = TcpListener::bind(address)?;
        assert_eq!(own.server(after.local_addr()?), None, "somebody else's by now");
        Ok(())
    }

    #[test]
    fn a_port_shared_with_others_is_not_the_tools() {
        let own = Own::default();
        own.remember(1, 80);
        let at = |text: &str, inode| Listener { address: text.parse().unwrap_or(([0, 0, 0, 0], 0).into()), inode };
        let wanted = SocketAddr::from(([127, 0, 0, 1], 80));
        let mine = at("127.0.0.1:80", 1);
        assert_eq!(own.bound().choose(wanted, &[mine, at("127.0.0.1:81", 9)]), Some(wanted));
        assert_eq!(own.bound().choose(wanted, &[mine, at("[::1]:80", 2)]), None);
        assert_eq!(own.bound().choose(wanted, &[at("[::1]:80", 1)]), Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 80))));
        assert_eq!(own.bound().choose(wanted, &[]), None);
    }
}
