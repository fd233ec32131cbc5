//! Squid as one would tune it to forward only: one process, no cache, no log, connections kept.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::{Packages, Peer, program, with_config};

const HOST: &str = "origin.test";

/// Starts Squid in front of `origins`.
pub(in crate::bench::proxy) fn start(packages: &Packages, origins: [SocketAddr; 2]) -> Result<Peer> {
    let render = |dir: &Path, port| {
        let hosts = dir.join("hosts");
        std::fs::write(&hosts, format!("127.0.0.1 {HOST}\n"))?;
        // It may give up being the superuser, and must still read its files.
        readable_by_all(dir)?;
        Ok(config(port, packages, &hosts))
    };
    let command = |path: &Path| with_config(packages, &packages.squid(), &["-N", "-f"], path);
    program("squid", origins.map(|origin| format!("{HOST}:{}", origin.port())), render, command)
}

fn config(port: u16, packages: &Packages, hosts: &Path) -> String {
    let (share, hosts) = (packages.file("usr/share/squid"), hosts.display());
    let share = share.display();
    let unlinkd = packages.file("usr/lib/squid/unlinkd");
    let unlinkd = unlinkd.display();
    format!(
        "http_port 127.0.0.1:{port}\n\
         http_access allow all\n\
         hosts_file {hosts}\n\
         cache deny all\n\
         memory_cache_mode disk\n\
         access_log none\n\
         cache_log /dev/null\n\
         cache_store_log none\n\
         pid_filename none\n\
         netdb_filename none\n\
         coredump_dir none\n\
         pinger_enable off\n\
         unlinkd_program {unlinkd}\n\
         max_filedescriptors 65536\n\
         client_persistent_connections on\n\
         server_persistent_connections on\n\
         shutdown_lifetime 0 seconds\n\
         mime_table {share}/mime.conf\n\
         icon_directory {share}/icons\n\
         error_directory {share}/errors/templates\n"
    )
}

fn readable_by_all(dir: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))?)
}
