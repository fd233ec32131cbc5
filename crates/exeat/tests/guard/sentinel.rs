//! The sentinel: it listens wherever something could arrive, and answers, so that whoever gets through is told so.
//!
//! It records when something arrives, not when something was understood. Nothing is filtered: the far network's only
//! link is watched as a whole.

mod far;
mod log;
mod near;
mod scene;

pub use log::Log;
pub use scene::Scene;

use crate::ground::Ground;
use crate::network::{FAR, Far};
use crate::programs::Programs;

/// What is sent to a listener by the sentinel itself, to know that all that came before was seen.
const FENCE: &[u8] = b"fence\n";
/// What everybody is answered.
const HEARD: &[u8] = b"heard\n";

pub struct Sentinel {
    pub log: Log,
    /// Lives as long as what listens in it.
    _far: Far,
    capture: far::Capture,
}

impl Sentinel {
    /// Begins to listen. Once in each test: its addresses are fixed.
    pub fn start(ground: &Ground, programs: &Programs) -> Self {
        let (far, log) = (Far::make(), Log::default());
        let capture = far::listen(&far, &log, &programs.folder.join("capture"));
        near::listen(&log);
        // Ping sockets are a matter of groups; outside the guard everybody may have them.
        let groups = if crate::ground::is_root() { "0 65534" } else { "0 0" };
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", groups).unwrap();
        assert!(ground.droppings().is_empty());
        Self { log, _far: far, capture }
    }

    /// How much was heard until now.
    pub fn mark(&self) -> usize {
        self.fence();
        self.log.length()
    }

    /// What was heard since a mark, until now.
    pub fn since(&self, mark: usize) -> Vec<String> {
        self.fence();
        self.log.since(mark)
    }

    /// Waits until all that arrived before this call is seen.
    fn fence(&self) {
        self.capture.fence();
        self.log.fence();
    }
}

/// The name server that the ground's `/etc/resolv.conf` names.
const NAMES: std::net::Ipv4Addr = FAR;
