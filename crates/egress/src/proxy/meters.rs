//! What is counted, with labels of which there are few.

use std::sync::OnceLock;

use metrics::{Counter, Gauge, counter, gauge};
use model::Outcome;

/// The proxy's metrics. Handles are made on first use, once whoever collects them is installed.
#[derive(Default)]
pub(super) struct Meters {
    handles: OnceLock<Handles>,
}

struct Handles {
    allow: Counter,
    shadow: Counter,
    deny: Counter,
    ask: Counter,
    up: Counter,
    down: Counter,
    tunnels: Gauge,
}

impl Meters {
    fn handles(&self) -> &Handles {
        self.handles.get_or_init(|| Handles {
            allow: counter!("exeat_egress_requests_total", "effect" => "allow"),
            shadow: counter!("exeat_egress_requests_total", "effect" => "shadow"),
            deny: counter!("exeat_egress_requests_total", "effect" => "deny"),
            ask: counter!("exeat_egress_requests_total", "effect" => "require_approval"),
            up: counter!("exeat_egress_bytes_total", "direction" => "up"),
            down: counter!("exeat_egress_bytes_total", "direction" => "down"),
            tunnels: gauge!("exeat_egress_tunnels"),
        })
    }

    pub(super) fn admitted(&self, decision: Outcome) {
        let handles = self.handles();
        if decision == Outcome::Allow { &handles.allow } else { &handles.shadow }.increment(1);
    }

    pub(super) fn refused(&self, decision: Outcome) {
        let handles = self.handles();
        if decision == Outcome::RequireApproval { &handles.ask } else { &handles.deny }.increment(1);
    }

    /// Something was let out and did not arrive; `code` is one of a closed list.
    pub(super) fn unreached(&self, code: &'static str) {
        counter!("exeat_egress_unreached_total", "code" => code).increment(1);
    }

    /// Something was answered without a decision; `code` is one of a closed list.
    pub(super) fn turned_away(&self, code: &'static str) {
        counter!("exeat_egress_turned_away_total", "code" => code).increment(1);
    }

    pub(super) fn moved(&self, up: u64, down: u64) {
        let handles = self.handles();
        handles.up.increment(up);
        handles.down.increment(down);
    }

    pub(super) fn tunnel_opened(&self) {
        self.handles().tunnels.increment(1.0);
    }

    pub(super) fn tunnel_closed(&self) {
        self.handles().tunnels.decrement(1.0);
    }
}
