//! Ports for servers that must be told where to listen before they start.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

/// Below the range that the kernel hands out for outgoing connections, so that a port stays free while the server
/// that owns it is being restarted.
const RANGE: std::ops::Range<u16> = 12_000..32_000;
const ATTEMPTS_MAX: usize = 1_000;

/// Picks a loopback TCP port that nothing listens on; no port is given out twice by one process.
///
/// Another process may still take the port before it is used: start-up code tries again with another one.
///
/// # Errors
/// When no free port is found in 1,000 attempts.
pub fn free_port() -> Result<u16> {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_with(HashSet::new);
    for _ in 0..ATTEMPTS_MAX {
        let port = rand::random_range(RANGE);
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!("no free loopback port between {} and {} in {ATTEMPTS_MAX} attempts", RANGE.start, RANGE.end)
}
