//! What the tool itself listens on, where the network is shared with the machine (rung B).
//!
//! That the tool once bound a port does not make whoever listens there now its server: the kernel is asked which
//! sockets listen, and only those that were seen being bound count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// LIMIT: the most sockets remembered as bound for one tree; the oldest is forgotten.
const BOUND_MAX: usize = 8192;
const LISTENING: &str = "0A";

/// Sockets that the commands of one jail bound. One command may be the client of another.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Bound>);

/// By inode, which grow with time.
#[derive(Debug, Default)]
struct Bound {
    ports: BTreeMap<u64, u16>,
    unix: BTreeSet<u64>,
}

/// A socket that listens, on the network of the calling process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    inode: u64,
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
        let mut listeners = listeners("/proc/self/net/tcp").unwrap_or_default();
        listeners.extend(listeners_v6());
        self.bound().choose(wanted, &listeners)
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

fn listeners_v6() -> Vec<Listener> {
    listeners("/proc/self/net/tcp6").unwrap_or_default()
}

fn listeners(table: &str) -> io::Result<Vec<Listener>> {
    Ok(fs::read_to_string(table)?.lines().skip(1).filter_map(listener).collect())
}

/// A line: number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
fn listener(line: &str) -> Option<Listener> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let address = SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?);
    (state == LISTENING).then_some(Listener { address, inode })
}

/// An address as words in the machine's byte order, in hexadecimal.
fn ip(text: &str) -> Option<IpAddr> {
    let words: Option<Vec<u8>> = (0..text.len())
        .step_by(8)
        .map(|at| u32::from_str_radix(text.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes))
        .collect::<Option<Vec<_>>>()
        .map(|words| words.concat());
    match words?.as_slice() {
        bytes if bytes.len() == 4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        bytes => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
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
    fn an_address_is_read_as_the_kernel_writes_it() -> io::Result<()> {
        for text in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(text)?;
            let want = Listener { address: listener.local_addr()?, inode: inode(&listener)? };
            let table = if want.address.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
            assert!(listeners(table)?.contains(&want), "{want:?}");
        }
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
