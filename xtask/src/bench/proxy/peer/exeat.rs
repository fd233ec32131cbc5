//! The product, enforcing: one rule lets the origin through, everything else is denied, all is recorded.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use testkit::TempStore;
use testkit::exeat::Setup;

use super::{Peer, Server};

const HOST: &str = "origin.test";
const WORKSPACE: &str = "ws_bench";

/// Where the store is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench::proxy) enum Records {
    /// On disk: every decision is durable before anything leaves.
    Durable,
    /// In a directory that is kept in memory.
    Memory,
}

/// Starts the product in front of the two: what goes to the first may be anything, to the second only TLS.
pub(in crate::bench::proxy) fn start(binary: &Path, [opaque, tls]: [SocketAddr; 2], records: Records) -> Result<Peer> {
    let (name, store) = match records {
        Records::Durable => ("exeat", TempStore::create()?),
        Records::Memory => ("exeat in memory", TempStore::create_in(Path::new("/dev/shm"))?),
    };
    let (opaque, tls) = (opaque.port(), tls.port());
    let policies = store.dir().join("policies");
    fs::create_dir(&policies)?;
    fs::write(
        policies.join("bench.toml"),
        format!(
            "[[allow]]\nid = \"opaque\"\nhost = \"{HOST}\"\nport = {opaque}\ntunnel = \"opaque\"\n\n\
             [[allow]]\nid = \"tls\"\nhost = \"{HOST}\"\nport = {tls}\n"
        ),
    )?;
    let setup = Setup::with_binary(binary.to_owned(), &store.url())?
        .env("POLICY_ENFORCEMENT_MODE", "enforce")
        .env("EXEAT_POLICIES", policies.to_str().context("an odd temporary directory")?)
        .env("EXEAT_POLICIES_WORKSPACE", WORKSPACE)
        .env("EXEAT_HOSTS", &format!("{HOST}:{opaque}=127.0.0.1:{opaque},{HOST}:{tls}=127.0.0.1:{tls}"))
        .env("EXEAT_TRUSTED_UPSTREAMS", &format!("{HOST}=127.0.0.1/32:{opaque},{HOST}=127.0.0.1/32:{tls}"))
        .env("EXEAT_PROXY_TUNNELS_PER_PRINCIPAL", "20000")
        .env("RUN_WORKER_EMBEDDED", "false")
        .env("EXEAT_LOG", "warn");
    let key = setup.key("gateway", Some(WORKSPACE))?;
    let process = setup.start()?;
    Ok(Peer {
        name,
        address: process.proxy_address(),
        target: format!("{HOST}:{opaque}"),
        tls_target: format!("{HOST}:{tls}"),
        credentials: format!("Proxy-Authorization: Bearer {key}\r\n"),
        server: Server::Exeat(Box::new((process, setup, store))),
    })
}
