//! tinyproxy with room for all connections and hardly any log. It closes after every plain request.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::{Packages, Peer, program, with_config};

/// Starts tinyproxy in front of `origins`, which it is asked for by address, as it has no host names of its own.
pub(in crate::bench::proxy) fn start(packages: &Packages, origins: [SocketAddr; 2]) -> Result<Peer> {
    let render = |_: &Path, port| {
        Ok(format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 20000\nLogLevel Critical\n\
             Allow 127.0.0.1\n"
        ))
    };
    let command = |path: &Path| with_config(packages, &packages.tinyproxy(), &["-d", "-c"], path);
    program("tinyproxy", origins.map(|origin| origin.to_string()), render, command)
}
