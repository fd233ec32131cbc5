//! What a tunnel costs while nobody uses it.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::figures::Figure;
use super::origin::BODY_STARTS;
use super::peer::Peer;
use super::tunnel;
use crate::bench::meter;

/// Opened before the first look, so that what is made once is not counted.
const FIRST: usize = 100;
const SETTLES_WITHIN: Duration = Duration::from_millis(500);

/// Opens `count` tunnels through each proxy, uses each once, and reads the proxy's memory before and after.
pub(super) fn measure(peers: &[&Peer], count: usize) -> Result<Vec<Figure>> {
    let scenario = format!("{count} idle tunnels");
    let mut figures = Vec::new();
    for peer in peers {
        let Some(pid) = peer.pid() else { continue };
        let mut figure = Figure::new(&scenario, peer.name, "KiB/tunnel");
        let first = open(peer, FIRST)?;
        std::thread::sleep(SETTLES_WITHIN);
        let before = meter::rss_mib(pid)?;
        let more = open(peer, count)?;
        std::thread::sleep(SETTLES_WITHIN);
        let after = meter::rss_mib(pid)?;
        figure.values.push((after - before) * 1024.0 / count as f64);
        figure.add("before MiB", before);
        figure.add("after MiB", after);
        drop((first, more));
        std::thread::sleep(SETTLES_WITHIN);
        figure.add("closed MiB", meter::rss_mib(pid)?);
        figures.push(figure);
    }
    Ok(figures)
}

fn open(peer: &Peer, count: usize) -> Result<Vec<TcpStream>> {
    (0..count)
        .map(|_| {
            let mut stream = tunnel::open(peer)?;
            let body = tunnel::get(peer, &mut stream, "/")?;
            ensure!(body.is_empty() || body.starts_with(BODY_STARTS), "another body than the origin's");
            Ok(stream)
        })
        .collect()
}
