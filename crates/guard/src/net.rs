//! The network of a jail (rung A): every address is at home in it, and home is a handful of sockets that are
//! made inside and handed out to the gate.
//!
//! ```text
//!  a program ──tcp to anywhere──▶ routed to lo ──nf_tables──▶ captured v4 / v6 (the local address is where it wanted to go)
//!            ──tcp to 127.0.0.1:3128──────────▶ proxy
//!            ──udp, tcp to anyone's port 53───▶ nameserver
//!            ──anything else──────────────────▶ dropped: EPERM for the sender, an entry in the packet log for us
//! ```
//!
//! No packet has a way out: the namespace has no device but its loopback. The rules decide only what is
//! *captured* and what is *told*; were they gone, nothing would leave, but attempts would go unseen. That is why
//! a jail without them is refused.
//!
//! IPv6 may be missing from the kernel; then there is no listener for it, and no way to ask for one.

mod diag;
mod dns_socket;
pub(crate) mod listen;
pub(crate) mod listeners;
mod netlink;
mod nflog;
mod nft;
mod packet;
mod route;

#[cfg(test)]
mod tests;

pub use diag::UnixDiag;
pub use dns_socket::{DnsSocket, Query};
pub use nflog::PacketLog;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use crate::plan::{CAPTURE_PORT, PROXY_PORT};
use crate::stages::Clock;
use crate::{LaunchError, Layer, weaken};

/// The sockets of a jail's network: made in it, to be handed out and not kept.
#[derive(Debug)]
pub(crate) struct Inside {
    /// Listens on 127.0.0.1:[`PROXY_PORT`].
    pub(crate) proxy: OwnedFd,
    /// Accepts what was captured on its way to an IPv4 address.
    pub(crate) captured_v4: OwnedFd,
    /// The same for IPv6; `None` when the kernel has none.
    pub(crate) captured_v6: Option<OwnedFd>,
    /// Nameserver of every IPv4 address, see [`DnsSocket`].
    pub(crate) nameserver_udp: OwnedFd,
    /// The same over TCP.
    pub(crate) nameserver_tcp: OwnedFd,
    /// See [`PacketLog`].
    pub(crate) packets: OwnedFd,
    /// See [`UnixDiag`].
    pub(crate) unix_diag: OwnedFd,
    /// Listeners on 127.0.0.1, one for each port that was asked for, in that order.
    pub(crate) exposed: Vec<OwnedFd>,
}

/// Makes the network of the calling process, which must be in a fresh network namespace that it owns.
///
/// # Errors
/// - [`LaunchError::Layer`] names what the kernel refused. Nothing is undone: the namespace is to be left.
/// - [`LaunchError::Plan`]: an exposed port is one of our own, or is named twice.
pub(crate) fn set_up(exposed: &[u16], clock: &mut Clock) -> Result<Inside, LaunchError> {
    let v6 = route::bring_home()?;
    clock.mark("loopback and routes");
    let proxy = listener(SocketAddr::from((Ipv4Addr::LOCALHOST, PROXY_PORT)))?;
    let captured_v4 = capturing(SocketAddr::from((Ipv4Addr::UNSPECIFIED, CAPTURE_PORT)))?;
    let captured_v6 = if v6 { Some(capturing(SocketAddr::from((Ipv6Addr::UNSPECIFIED, CAPTURE_PORT)))?) } else { None };
    let nameserver_tcp = listener(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53)))?;
    let nameserver_udp = dns_socket::open().map_err(|error| layer(Layer::NetworkNamespace, "listen on *:53", error))?;
    let unix_diag = diag::open().map_err(|error| layer(Layer::NetworkNamespace, "ask for unix sockets", error))?;
    let packets = nflog::open().map_err(|error| layer(Layer::PacketLog, "listen to the packet log", error))?;
    let exposed = exposed.iter().map(|port| expose(*port)).collect::<Result<_, _>>()?;
    clock.mark("sockets");
    if !weaken::asked("skip_nft") {
        nft::install(nft::Rules::All)?;
    }
    clock.mark("packet rules");
    Ok(Inside { proxy, captured_v4, captured_v6, nameserver_udp, nameserver_tcp, packets, unix_diag, exposed })
}

/// Tries one layer of the network, and those it needs, in the calling process' fresh network namespace.
///
/// # Errors
/// What [`set_up`] would say.
pub(crate) fn try_part(part: Layer) -> Result<(), LaunchError> {
    route::bring_home()?;
    match part {
        Layer::NfTables => nft::install(nft::Rules::Plain),
        Layer::TransparentProxy => {
            let _listener = capturing(SocketAddr::from((Ipv4Addr::UNSPECIFIED, CAPTURE_PORT)))?;
            nft::install(nft::Rules::Capturing)
        }
        Layer::PacketLog => {
            nflog::open().map_err(|error| layer(Layer::PacketLog, "listen to the packet log", error))?;
            nft::install(nft::Rules::Telling)
        }
        _ => Ok(()),
    }
}

fn listener(address: SocketAddr) -> Result<OwnedFd, LaunchError> {
    listen::tcp(address, listen::For::Itself)
        .map_err(|error| layer(Layer::NetworkNamespace, &format!("listen on {address}"), error))
}

fn capturing(address: SocketAddr) -> Result<OwnedFd, LaunchError> {
    listen::tcp(address, listen::For::Anyone)
        .map_err(|error| layer(Layer::TransparentProxy, &format!("listen for anyone on {address}"), error))
}

fn expose(port: u16) -> Result<OwnedFd, LaunchError> {
    listen::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), listen::For::Itself).map_err(|error| {
        if error.raw_os_error() == Some(libc::EADDRINUSE) {
            LaunchError::Plan(format!("port {port} cannot be exposed: it is taken inside"))
        } else {
            layer(Layer::NetworkNamespace, &format!("listen on 127.0.0.1:{port}"), error)
        }
    })
}

fn layer(layer: Layer, what: &str, error: io::Error) -> LaunchError {
    LaunchError::Layer { layer, what: what.to_owned(), error }
}
