//! A download without end through one tunnel.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::net::{RecvFlags, recv};

use super::figures::Figure;
use super::peer::Peer;
use super::tunnel;
use crate::bench::meter;

const WARM_UP: Duration = Duration::from_millis(200);
const PIECE_BYTES: usize = 1 << 20;

/// Measures all peers in turn, round after round.
pub(super) fn measure(peers: &[&Peer], rounds: usize, time: Duration) -> Result<Vec<Figure>> {
    let mut figures: Vec<Figure> =
        peers.iter().map(|peer| Figure::new("bulk through one tunnel", peer.name, "GB/s")).collect();
    for _ in 0..rounds {
        for (peer, figure) in peers.iter().zip(&mut figures) {
            once(peer, time, figure)?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(figures)
}

fn once(peer: &Peer, time: Duration, figure: &mut Figure) -> Result<()> {
    let mut stream = tunnel::open(peer)?;
    tunnel::get(peer, &mut stream, "/bulk")?;
    take_for(&stream, WARM_UP)?;
    let before = peer.pid().map(meter::cpu).transpose()?;
    let (bytes, took) = take_for(&stream, time)?;
    let after = peer.pid().map(meter::cpu).transpose()?;
    let gigabytes = bytes as f64 / 1e9;
    figure.values.push(gigabytes / took.as_secs_f64());
    if let (Some(before), Some(after)) = (before, after) {
        figure.add("its cpu ms/GB", after.saturating_sub(before).as_secs_f64() * 1e3 / gigabytes.max(1e-9));
    }
    Ok(())
}

/// Discards what arrives, without copying it out of the kernel, for at least `time`.
fn take_for(stream: &TcpStream, time: Duration) -> Result<(u64, Duration)> {
    let mut piece = vec![0_u8; PIECE_BYTES];
    let start = Instant::now();
    let mut bytes = 0;
    while start.elapsed() < time {
        let (_, count) = recv(stream, piece.as_mut_slice(), RecvFlags::TRUNC)?;
        ensure!(count > 0, "the tunnel ended after {bytes} bytes");
        bytes += count as u64;
    }
    Ok((bytes, start.elapsed()))
}
