//! Internet sockets. In rung A their network ends at the gate, so they are connected to what the tool asked for.
//! In rung B the network is the machine's, so the supervisor makes them and connects them where it decides:
//!
//! | the tool wants | it gets |
//! |---|---|
//! | the proxy, a nameserver, any address outside | the gate's door, where it was noted who comes for what |
//! | loopback, a port that the tool itself listens on | its own server |
//! | loopback, an exposed port | the machine's server |
//! | loopback, anything else | refused, as if nobody listened |
//!
//! Servers are bound to loopback whatever they ask for: everything else is refused. The socket is shared with the
//! tool, so the filter refuses every option that would send its packets another way than its address says.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::Arc;

use super::address::{family, local, octets, parse, read_address, unspecified};
use super::connect::{Dial, errno};
use super::descriptor::{Socket, option};
use super::{Outcome, Stepped, Supervisor};
use crate::attempt::{Attempt, Destination, Seen, destination};
use crate::door::{Redirects, Wanted, wanted};
use crate::filter::sockets::Kind;
use crate::notify::{Answer, Call};
use crate::plan::PROXY_PORT;
use crate::rung::Rung;
use crate::sys::check_int;

/// The state of a TCP socket that is neither connected, nor connecting, nor listening.
const CLOSED: u8 = 7;

/// Where connections of rung B go.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) redirects: Arc<Redirects>,
    pub(super) v4: SocketAddrV4,
    pub(super) v6: Option<SocketAddrV6>,
}

/// Where a connection of rung B is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Gate,
    Here(SocketAddr),
    Nowhere,
}

impl Supervisor {
    /// `connect` of an internet socket.
    pub(super) fn connect_inet(&mut self, call: &Call, socket: Socket, to: Vec<u8>) -> Stepped<Outcome> {
        if self.rung == Rung::A {
            self.notice_datagrams(&socket, &to)?;
            return Ok(self.dial(call, Dial { socket, to, through: None }));
        }
        if socket.kind != libc::SOCK_STREAM {
            return Err(self.refuse_unreadable());
        }
        if family(&to) == Some(libc::AF_UNSPEC) {
            self.peers.forget(socket.inode);
            return Ok(self.dial(call, Dial { socket, to: unspecified(), through: None }));
        }
        let to = parse(&to, socket.domain)?;
        match self.route(to) {
            Route::Gate => self.connect_to_gate(call, socket, to),
            Route::Here(there) => {
                let Some(there) = for_family(there, &socket) else { return Ok(Outcome::fails(libc::ECONNREFUSED)) };
                let inode = socket.inode;
                let outcome = self.dial(call, Dial { socket, to: octets(there), through: None });
                if !outcome.failed() {
                    self.peers.note(inode, to);
                    self.held.let_go(inode);
                }
                Ok(outcome)
            }
            Route::Nowhere => {
                let ip = to.ip().to_canonical();
                let seen = Seen::notice(Attempt::towards("connect", "tcp", ip, to.port()));
                self.tell(seen.at(SocketAddr::new(ip, to.port()).to_string().into_bytes()))?;
                Ok(Outcome::fails(libc::ECONNREFUSED))
            }
        }
    }

    /// A datagram socket that is connected sends nothing yet: resolvers sort addresses that way.
    fn notice_datagrams(&self, socket: &Socket, to: &[u8]) -> Stepped<()> {
        let Some(to) = (socket.kind == libc::SOCK_DGRAM).then(|| read_address(to)).flatten() else { return Ok(()) };
        let ip = to.ip().to_canonical();
        if destination(ip) == Destination::Loopback || to.port() == 53 {
            return Ok(());
        }
        let seen = Seen::notice(Attempt::towards("connect", "udp", ip, to.port()));
        self.tell(seen.at(SocketAddr::new(ip, to.port()).to_string().into_bytes()))
    }

    fn route(&self, to: SocketAddr) -> Route {
        let to = SocketAddr::new(to.ip().to_canonical(), to.port());
        if wanted(to) == Wanted::Proxy {
            return Route::Gate;
        }
        if destination(to.ip()) != Destination::Loopback {
            return Route::Gate;
        }
        // Nobody is at the unspecified address: it is another word for loopback.
        if to.ip().is_unspecified() && to.port() == PROXY_PORT {
            return Route::Nowhere;
        }
        if let Some(server) = self.own.server(to) {
            return Route::Here(server);
        }
        if self.exposed.contains(&to.port()) {
            return Route::Here(SocketAddr::from((Ipv4Addr::LOCALHOST, to.port())));
        }
        if to.port() == 53 { Route::Gate } else { Route::Nowhere }
    }

    fn connect_to_gate(&mut self, call: &Call, socket: Socket, to: SocketAddr) -> Stepped<Outcome> {
        let Some(door) = &self.door else { return Ok(Outcome::fails(libc::ENETUNREACH)) };
        let (from, there) = match door.approach(&socket) {
            Ok(found) => found,
            Err(error) => return Ok(Outcome::fails(errno(&error))),
        };
        let inode = socket.inode;
        let redirects = Arc::clone(&door.redirects);
        let begins = state(socket.as_fd()) == Some(CLOSED);
        if begins {
            redirects.note(from, to);
            self.peers.note(inode, to);
        }
        let outcome = self.dial(call, Dial { socket, to: octets(there), through: None });
        if !outcome.failed() {
            self.held.let_go(inode);
        } else if begins {
            // Nobody came: the note is taken back.
            let _ = redirects.take(from);
            self.peers.forget(inode);
        }
        Ok(outcome)
    }

    /// `socket` for TCP: made here, opened there.
    pub(super) fn make_socket(&mut self, call: &Call, kind: Kind) -> Stepped<Outcome> {
        const FLAGS: libc::c_int = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let [_, asked, ..] = call.args;
        let asked = asked as libc::c_int;
        if asked & !(FLAGS | libc::SOCK_STREAM) != 0 {
            return Ok(Outcome::fails(libc::EINVAL));
        }
        // SAFETY: plain numbers; the descriptor returned is new and nobody else's.
        let made = unsafe {
            check_int(libc::socket(
                kind.domain as libc::c_int,
                asked | libc::SOCK_CLOEXEC,
                kind.protocol as libc::c_int,
            ))
            .map(|socket| OwnedFd::from_raw_fd(socket))
        };
        let socket = match made.and_then(Socket::new) {
            Ok(socket) => socket,
            Err(error) => return Ok(Outcome::fails(errno(&error))),
        };
        match self.notify.answer_with(call, socket.as_fd(), asked & libc::SOCK_CLOEXEC != 0) {
            Ok(()) => {
                self.held.hold(call.thread, socket);
                Ok(Outcome::Settled)
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Outcome::Settled),
            Err(error) => Ok(Outcome::fails(errno(&error))),
        }
    }

    /// `bind(socket, address, length)`. Of other than internet sockets it goes on: were the socket exchanged for
    /// one of ours meanwhile, Landlock refuses it, and `listen` looks again.
    pub(super) fn bind(&mut self, call: &Call) -> Stepped<Outcome> {
        const GO_ON: Outcome = Outcome::Answer(Answer::Continues);
        let socket = self.find(call)?;
        let to = self.address(call)?;
        let is_internet = |domain| matches!(domain, libc::AF_INET | libc::AF_INET6);
        let Some(socket) = socket else {
            if family(&to).is_some_and(is_internet) {
                return Err(self.refuse_unreadable());
            }
            if let Some(inode) = self.inode(call) {
                self.own.remember_unix(inode);
            }
            return Ok(GO_ON);
        };
        if !is_internet(socket.domain) {
            if socket.domain == libc::AF_UNIX {
                self.own.remember_unix(socket.inode);
            }
            return Ok(GO_ON);
        }
        let to = parse(&to, socket.domain)?;
        let ip = to.ip().to_canonical();
        if destination(ip) != Destination::Loopback {
            let seen = Seen::notice(Attempt::towards("bind", "tcp", ip, to.port()));
            self.tell(seen.at(SocketAddr::new(ip, to.port()).to_string().into_bytes()))?;
            return Ok(Outcome::fails(libc::EADDRNOTAVAIL));
        }
        // Ours may have rights that the tool has not.
        if to.port() != 0 && to.port() < first_free_port() {
            return Ok(Outcome::fails(libc::EACCES));
        }
        let mut bound = self.bind_here(&socket, on_loopback(to, &socket));
        if matches!(&bound, Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE))
            && self.held.let_go_of_closed()
        {
            bound = self.bind_here(&socket, on_loopback(to, &socket));
        }
        Ok(bound.map_or_else(|error| Outcome::fails(errno(&error)), |()| Outcome::returns(0)))
    }

    fn bind_here(&mut self, socket: &Socket, to: SocketAddr) -> io::Result<()> {
        bind(socket.as_fd(), to)?;
        self.own.remember(socket.inode, local(socket.as_fd())?.port());
        Ok(())
    }

    /// `listen(socket, backlog)`.
    pub(super) fn listen(&mut self, call: &Call) -> Stepped<Outcome> {
        let Some(socket) = self.find(call)? else { return Ok(Outcome::fails(libc::EOPNOTSUPP)) };
        if matches!(socket.domain, libc::AF_INET | libc::AF_INET6) {
            let here = match local(socket.as_fd()) {
                // The kernel would choose a port, at every address.
                Ok(nowhere) if nowhere.port() == 0 => {
                    self.bind_here(&socket, on_loopback(nowhere, &socket)).and_then(|()| local(socket.as_fd()))
                }
                other => other,
            };
            let here = match here {
                Ok(here) => here.ip().to_canonical(),
                Err(error) => return Ok(Outcome::fails(errno(&error))),
            };
            if !here.is_loopback() {
                self.tell(Seen::violation(Attempt::call("listen", destination(here))))?;
                return Ok(Outcome::fails(libc::EACCES));
            }
        }
        let [_, backlog, ..] = call.args;
        // SAFETY: plain numbers.
        let listens = check_int(unsafe { libc::listen(socket.as_fd().as_raw_fd(), backlog as libc::c_int) });
        if listens.is_ok() {
            self.held.let_go(socket.inode);
        }
        Ok(listens.map_or_else(|error| Outcome::fails(errno(&error)), |_| Outcome::returns(0)))
    }

    /// Data with the first packet: it would name its address itself. Refused as a kernel without it does.
    pub(super) fn refuse_fast_open(&self, call: &Call) -> Stepped<Outcome> {
        let to = self.fast_open_address(call)?;
        let seen = match to.map(|to| SocketAddr::new(to.ip().to_canonical(), to.port())) {
            None => Seen::notice(Attempt::call("send", Destination::None)),
            Some(to) => {
                let attempt = Attempt::towards("send", "tcp", to.ip(), to.port());
                let outside = attempt.destination != Destination::Loopback;
                if outside { Seen::violation(attempt) } else { Seen::notice(attempt) }.at(to.to_string().into_bytes())
            }
        };
        self.tell(seen)?;
        Ok(Outcome::fails(libc::EOPNOTSUPP))
    }

    fn fast_open_address(&self, call: &Call) -> Stepped<Option<SocketAddr>> {
        const HEADER: usize = 12;
        const ADDRESS: usize = 28;
        let (address, length) = if libc::c_long::from(call.number) == libc::SYS_sendto {
            let [.., address, length] = call.args;
            (address, length as u32)
        } else {
            // A message, or the first of several: it begins with where it goes, and how long that is.
            let [_, message, ..] = call.args;
            let header = self.read(call, message, HEADER)?;
            let Some((address, length)) = header.split_first_chunk() else { return Ok(None) };
            let Some(length) = length.first_chunk() else { return Ok(None) };
            (u64::from_ne_bytes(*address), u32::from_ne_bytes(*length))
        };
        if address == 0 {
            return Ok(None);
        }
        let length = usize::try_from(length).unwrap_or(ADDRESS).min(ADDRESS);
        Ok(read_address(&self.read(call, address, length)?))
    }
}

impl Door {
    /// Binds the socket so that it is known where it comes from, and finds the door it fits. Of a socket that is
    /// not closed only the door is of use: the kernel says what is wrong with connecting it again.
    fn approach(&self, socket: &Socket) -> io::Result<(SocketAddr, SocketAddr)> {
        let file = socket.as_fd();
        let v4 = SocketAddr::V4(self.v4);
        let from = local(file)?;
        if socket.domain == libc::AF_INET {
            let from = if from.port() == 0 { bind_anywhere(file, Ipv4Addr::LOCALHOST.into())? } else { from };
            return Ok((from, v4));
        }
        let mapped = SocketAddr::new(self.v4.ip().to_ipv6_mapped().into(), self.v4.port());
        if from.port() != 0 {
            let there = if from.ip().to_canonical().is_ipv4() { Some(mapped) } else { self.v6.map(SocketAddr::V6) };
            return there.map(|there| (from, there)).ok_or_else(|| io::Error::from_raw_os_error(libc::ENETUNREACH));
        }
        if let Some(door) = self.v6
            && let Ok(from) = bind_anywhere(file, Ipv6Addr::LOCALHOST.into())
        {
            return Ok((from, door.into()));
        }
        let from = bind_anywhere(file, Ipv4Addr::LOCALHOST.to_ipv6_mapped().into())?;
        Ok((from, mapped))
    }
}

/// Binds to a port that nobody uses; to one that somebody used until just now when there is none.
fn bind_anywhere(socket: BorrowedFd<'_>, ip: IpAddr) -> io::Result<SocketAddr> {
    let address = SocketAddr::new(ip, 0);
    match bind(socket, address) {
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            let before = option(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
            set(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
            let bound = bind(socket, address);
            set(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, before)?;
            bound?;
        }
        other => other?,
    }
    let bound = local(socket)?;
    if bound.port() != 0 {
        return Ok(bound);
    }
    // The tool asked for its port to be chosen as late as can be: too late for us.
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 0)?;
    bind(socket, address)?;
    local(socket)
}

/// The loopback address that a server gets that asks for `to`, which is loopback or unspecified.
fn on_loopback(to: SocketAddr, socket: &Socket) -> SocketAddr {
    let only_v6 = || option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY).is_ok_and(|only| only != 0);
    let ip = match to.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() && only_v6() => Ipv6Addr::LOCALHOST.into(),
        // Clients that only know IPv4 are to find it as well.
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some_and(|v4| v4.is_unspecified()) => {
            Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()
        }
        ip => ip,
    };
    SocketAddr::new(ip, to.port())
}

/// The address as a socket of this family takes it; `None` when it cannot.
fn for_family(to: SocketAddr, socket: &Socket) -> Option<SocketAddr> {
    let ip = match (to.ip().to_canonical(), socket.domain) {
        (IpAddr::V4(ip), libc::AF_INET6) => ip.to_ipv6_mapped().into(),
        (IpAddr::V6(_), libc::AF_INET) => return None,
        (ip, _) => ip,
    };
    Some(SocketAddr::new(ip, to.port()))
}

/// The first port that needs no rights.
fn first_free_port() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}

fn bind(socket: BorrowedFd<'_>, to: SocketAddr) -> io::Result<()> {
    let to = octets(to);
    // SAFETY: the kernel reads as many bytes as there are.
    check_int(unsafe { libc::bind(socket.as_raw_fd(), to.as_ptr().cast(), to.len() as libc::socklen_t) }).map(drop)
}

fn set(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads one number of the given length.
    check_int(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length) }).map(drop)
}

/// The state of a TCP socket: the first byte of what is known about it.
fn state(socket: BorrowedFd<'_>) -> Option<u8> {
    let mut bytes = [0_u8; 1];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the kernel writes no more than the length that is given.
    check_int(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    })
    .ok()?;
    bytes.first().copied()
}
