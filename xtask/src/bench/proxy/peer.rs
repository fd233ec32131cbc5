//! What is measured: the proxies, and what stands for having none.

mod exeat;
mod squid;
mod tinyproxy;

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use testkit::exeat::{Process, Running, Setup};
use testkit::{TempStore, free_port};

use super::hello::client_hello;
use super::origin::BODY_STARTS;
use super::packages::Packages;
use crate::bench::load::{Exchange, Lasts, Tunnel};

pub(super) use exeat::{Records, start as exeat};
pub(super) use squid::start as squid;
pub(super) use tinyproxy::start as tinyproxy;

const READY_WITHIN: Duration = Duration::from_secs(20);

/// One way to the origin.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Where clients connect.
    pub(super) address: SocketAddr,
    /// The origin as the client names it: host and port.
    pub(super) target: String,
    /// The same with a port where tunnels must carry TLS.
    pub(super) tls_target: String,
    /// Header lines every request to the proxy carries.
    pub(super) credentials: String,
    pub(super) server: Server,
}

/// The process behind a peer.
pub(super) enum Server {
    /// None: the client talks to the origin, or to a thread of ours.
    None,
    /// A program with its files.
    Program(Running, #[expect(dead_code, reason = "removed when the program is gone")] tempfile::TempDir),
    /// The product; the store goes last.
    Exeat(Box<(Process, Setup, TempStore)>),
}

/// How a request reaches the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Absolute-form requests, or none of a proxy at all.
    Plain,
    /// A tunnel for each request, which may carry anything.
    OneRequestTunnel,
    /// A tunnel for each, which must carry TLS; the request is the client's first flight.
    OneFlightTunnel,
    /// Many requests in one tunnel.
    InsideTunnel,
}

impl Peer {
    /// The origin itself, for what the proxies add to it.
    pub(super) fn direct(name: &'static str, address: SocketAddr, target: SocketAddr) -> Self {
        let target = target.to_string();
        Self { name, address, tls_target: target.clone(), target, credentials: String::new(), server: Server::None }
    }

    pub(super) fn is_proxy(&self) -> bool {
        !matches!(self.server, Server::None)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match &self.server {
            Server::None => None,
            Server::Program(running, _) => Some(running.pid()),
            Server::Exeat(parts) => Some(parts.0.pid()),
        }
    }

    /// What a client sends.
    pub(super) fn exchange(&self, way: Way) -> Exchange {
        let inside = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", self.target).into_bytes();
        let absolute =
            format!("GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", self.target, self.credentials).into_bytes();
        let tunnel = |lasts| self.is_proxy().then(|| Tunnel { ask: self.connect(&self.target), lasts });
        let (request, tunnel) = match way {
            Way::Plain if self.is_proxy() => (absolute, None),
            Way::Plain => (inside, None),
            Way::OneRequestTunnel => (inside, tunnel(Lasts::OneRequest)),
            Way::OneFlightTunnel => {
                let server = self.tls_target.split(':').next().unwrap_or_default();
                let ask = self.connect(&self.tls_target);
                (client_hello(server), Some(Tunnel { ask, lasts: Lasts::OneRequest }))
            }
            Way::InsideTunnel => (inside, tunnel(Lasts::Long)),
        };
        Exchange { requests: vec![request], status: 200, body_has: BODY_STARTS, tunnel, may_close: true }
    }

    /// The bytes that ask for a tunnel to `target`.
    pub(super) fn connect(&self, target: &str) -> Vec<u8> {
        format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{}\r\n", self.credentials).into_bytes()
    }
}

/// Starts a program of `packages` with one configuration file, rendered for the port it is to listen on.
fn program(
    name: &'static str,
    [target, tls_target]: [String; 2],
    render: impl FnOnce(&std::path::Path, u16) -> Result<String>,
    command: impl FnOnce(&std::path::Path) -> std::process::Command,
) -> Result<Peer> {
    let dir = tempfile::Builder::new().prefix("exeat-peer-").tempdir()?;
    let port = free_port()?;
    let config = dir.path().join("peer.conf");
    std::fs::write(&config, render(dir.path(), port)?)?;
    let mut running = Running::start(command(&config))?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let deadline = Instant::now() + READY_WITHIN;
    while TcpStream::connect(address).is_err() {
        if !running.is_running()? || Instant::now() > deadline {
            bail!("{name} does not listen; it wrote:\n{}", running.stderr());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Peer { name, address, target, tls_target, credentials: String::new(), server: Server::Program(running, dir) })
}

/// The command line of a program that takes its configuration by one option.
fn with_config(
    packages: &Packages,
    program: &std::path::Path,
    options: &[&str],
    config: &std::path::Path,
) -> std::process::Command {
    let mut command = packages.command(program);
    command.args(options).arg(config);
    command
}
