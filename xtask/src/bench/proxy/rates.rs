//! Requests a second and how long they take.

use std::time::Duration;

use anyhow::Result;

use super::figures::Figure;
use super::peer::{Peer, Way};
use crate::bench::load::drive;
use crate::bench::meter;

const WARM_UP: Duration = Duration::from_millis(300);
/// Between two peers, so that what one leaves to do does not slow the next.
const BREATH: Duration = Duration::from_millis(100);

/// What to measure, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) way: Way,
    pub(super) connections: usize,
    pub(super) rounds: usize,
    pub(super) time: Duration,
}

/// Measures all peers in turn, round after round.
pub(super) fn measure(scenario: &str, peers: &[&Peer], load: Load) -> Result<Vec<Figure>> {
    let mut figures: Vec<Figure> = peers.iter().map(|peer| Figure::new(scenario, peer.name, "req/s")).collect();
    for _ in 0..load.rounds {
        for (peer, figure) in peers.iter().zip(&mut figures) {
            once(peer, load, figure)?;
            std::thread::sleep(BREATH);
        }
    }
    Ok(figures)
}

fn once(peer: &Peer, load: Load, figure: &mut Figure) -> Result<()> {
    let usage = || -> Result<[Duration; 2]> {
        let ours = meter::cpu(std::process::id())?;
        Ok([peer.pid().map_or(Ok(Duration::ZERO), meter::cpu)?, ours])
    };
    let (mut before, mut after) = (None, None);
    let exchange = peer.exchange(load.way);
    let mut begin = || {
        before = Some(usage()?);
        Ok(())
    };
    let mut end = || {
        after = Some(usage()?);
        Ok(())
    };
    let times = (WARM_UP, load.time);
    let outcome = drive(peer.address, &exchange, load.connections, times, (&mut begin, &mut end))?;
    let answers = (outcome.latencies.len() as f64).max(1.0);
    figure.values.push(outcome.per_second());
    figure.add("p50 µs", outcome.quantile(0.5).as_secs_f64() * 1e6);
    figure.add("p99 µs", outcome.quantile(0.99).as_secs_f64() * 1e6);
    if let (Some(before), Some(after)) = (before, after) {
        let [peer_cpu, ours] = [0, 1].map(|which: usize| {
            let at = |usage: &[Duration; 2]| usage.get(which).copied().unwrap_or_default();
            at(&after).saturating_sub(at(&before)).as_secs_f64() * 1e6 / answers
        });
        if peer.pid().is_some() {
            figure.add("its cpu µs", peer_cpu);
        }
        figure.add("load's cpu µs", ours);
    }
    if outcome.closed > 0 {
        figure.add("closed/req", outcome.closed as f64 / answers);
    }
    figure.errors += outcome.errors;
    figure.first_error = figure.first_error.take().or(outcome.first_error);
    Ok(())
}
