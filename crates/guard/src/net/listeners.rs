//! The TCP sockets that listen on the network of the calling process, as the kernel knows them.
//!
//! Netlink gives those that listen and nothing else; the text tables in `/proc` give them first and then every
//! connection there is, so they are the second choice.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::netlink::{self, Answer, Attributes, DUMP, Message, Netlink, native_32};

const BY_FAMILY: u16 = 20;
/// The state of a socket that listens, as a bit.
const LISTENING: u32 = 1 << 10;
/// The same, as the tables write it.
const LISTENING_TEXT: &str = "0A";
/// What names a socket in a request: nothing, so all.
const ANY_BYTES: usize = 48;
/// Where an answer has the port, the address and the inode of the socket.
const PORT_AT: usize = 4;
const ADDRESS_AT: usize = 8;
const INODE_AT: usize = 68;

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Where.
    pub(crate) address: SocketAddr,
    /// The inode of the socket.
    pub(crate) inode: u64,
}

/// All of them.
///
/// # Errors
/// What the kernel says: they are not known then.
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    by_netlink().or_else(|_| by_tables())
}

fn by_netlink() -> io::Result<Vec<Listener>> {
    let socket = Netlink::open(libc::NETLINK_SOCK_DIAG)?.into_inner();
    let mut found = Vec::new();
    for (sequence, family) in [(1, libc::AF_INET), (2, libc::AF_INET6)] {
        let mut header = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
        header.extend(LISTENING.to_ne_bytes());
        header.extend([0; ANY_BYTES]);
        let request = Message::new(BY_FAMILY, DUMP, &header, &Attributes::default());
        let mut whole = true;
        netlink::dump(&socket, sequence, &request, |answer| match answered(answer) {
            Some(listener) => found.push(listener),
            None => whole = false,
        })?;
        if !whole {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(found)
}

fn answered(answer: &Answer<'_>) -> Option<Listener> {
    let payload = answer.payload;
    let port = u16::from_be_bytes(*payload.get(PORT_AT..)?.first_chunk()?);
    let address = payload.get(ADDRESS_AT..)?;
    let ip: IpAddr = match i32::from(*payload.first()?) {
        libc::AF_INET => Ipv4Addr::from(*address.first_chunk::<4>()?).into(),
        _ => Ipv6Addr::from(*address.first_chunk::<16>()?).into(),
    };
    Some(Listener { address: SocketAddr::new(ip, port), inode: native_32(payload, INODE_AT)?.into() })
}

fn by_tables() -> io::Result<Vec<Listener>> {
    let mut found = table("/proc/self/net/tcp")?;
    match table("/proc/self/net/tcp6") {
        Ok(more) => found.extend(more),
        // A kernel without IPv6 has no table of it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

fn table(path: &str) -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    for line in BufReader::new(File::open(path)?).lines().skip(1) {
        match row(&line?) {
            Some((LISTENING_TEXT, listener)) => found.push(listener),
            Some(_) => break,
            None => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Ok(found)
}

/// A row: number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
fn row(line: &str) -> Option<(&str, Listener)> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let address = SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?);
    Some((state, Listener { address, inode }))
}

/// An address as words in the machine's byte order, in hexadecimal.
fn ip(text: &str) -> Option<IpAddr> {
    let words: Option<Vec<_>> = (0..text.len())
        .step_by(8)
        .map(|at| u32::from_str_radix(text.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes))
        .collect();
    let bytes = words?.concat();
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        _ => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn both_ways_tell_who_listens_and_where() -> io::Result<()> {
        for text in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"] {
            let listener = TcpListener::bind(text)?;
            let client = std::net::TcpStream::connect(listener.local_addr()?)?;
            let inode = std::fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd()))?.ino();
            let want = Listener { address: listener.local_addr()?, inode };
            for found in [by_netlink()?, by_tables()?] {
                assert!(found.contains(&want), "{want:?}");
                let local = client.local_addr()?;
                assert!(!found.iter().any(|listener| listener.address == local), "a client does not listen");
            }
            drop(listener);
            for found in [by_netlink()?, by_tables()?] {
                assert!(!found.iter().any(|listener| listener.inode == inode), "{want:?} is gone");
            }
        }
        Ok(())
    }
}
