//! The addresses of this host's own interfaces, as the kernel has them now.
//!
//! Asking the kernel costs some tens of microseconds, so an answer serves for [`FRESH`]. What comes up
//! within that second is caught after the connect, where both ends of the connection are compared.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use nix::ifaddrs::getifaddrs;

/// How long the list serves before the kernel is asked again.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Interfaces {
    /// `None` until the kernel has answered once: then every address might be our own.
    list: ArcSwapOption<Vec<IpAddr>>,
    epoch: Instant,
    /// Milliseconds after `epoch` at which the list is old.
    stale_at: AtomicU64,
    read: fn() -> Option<Vec<IpAddr>>,
}

impl Interfaces {
    pub(super) fn new() -> Self {
        Self::reading(from_kernel)
    }

    /// With another source than the kernel.
    pub(super) fn reading(read: fn() -> Option<Vec<IpAddr>>) -> Self {
        Self { list: ArcSwapOption::empty(), epoch: Instant::now(), stale_at: AtomicU64::new(0), read }
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        self.refresh();
        self.list.load().as_ref().is_none_or(|list| list.binary_search(&ip).is_ok())
    }

    fn refresh(&self) {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.stale_at.load(Ordering::Acquire);
        if now < due && self.list.load().is_some() {
            return;
        }
        // One asks, the others take the list as it is meanwhile; without any they ask themselves.
        let fresh = u64::try_from(FRESH.as_millis()).unwrap_or(u64::MAX);
        let mine = self.stale_at.compare_exchange(due, now.saturating_add(fresh), Ordering::AcqRel, Ordering::Relaxed);
        if mine.is_err() && self.list.load().is_some() {
            return;
        }
        // A kernel that does not answer leaves the last list in force.
        if let Some(mut list) = (self.read)() {
            list.sort_unstable();
            list.dedup();
            self.list.store(Some(Arc::new(list)));
        }
    }
}

fn from_kernel() -> Option<Vec<IpAddr>> {
    let each = getifaddrs().ok()?;
    Some(
        each.filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_loopback() {
        let interfaces = Interfaces::new();
        assert!(interfaces.contains(IpAddr::from([127, 0, 0, 1])));
        assert!(!interfaces.contains(IpAddr::from([8, 8, 8, 8])));
    }

    #[test]
    fn whoever_comes_while_the_first_list_is_read_asks_too() {
        let interfaces = Interfaces::reading(|| Some(vec![IpAddr::from([9, 9, 9, 9])]));
        // Somebody else has begun to ask, and has no answer yet.
        interfaces.stale_at.store(u64::MAX, Ordering::SeqCst);
        assert!(!interfaces.contains(IpAddr::from([8, 8, 8, 8])));
        assert!(interfaces.contains(IpAddr::from([9, 9, 9, 9])), "the control");
    }

    #[test]
    fn the_list_follows_the_kernel() {
        static UP: AtomicU64 = AtomicU64::new(0);
        let interfaces = Interfaces::reading(|| match UP.load(Ordering::SeqCst) {
            0 => Some(Vec::new()),
            1 => Some(vec![IpAddr::from([8, 8, 8, 8])]),
            _ => None,
        });
        let address = IpAddr::from([8, 8, 8, 8]);
        let later = || interfaces.stale_at.store(0, Ordering::SeqCst);
        assert!(!interfaces.contains(address));
        UP.store(1, Ordering::SeqCst);
        assert!(!interfaces.contains(address), "asked again within the second");
        later();
        assert!(interfaces.contains(address));
        UP.store(2, Ordering::SeqCst);
        later();
        assert!(interfaces.contains(address), "a kernel that does not answer must not empty the list");
        let dumb = Interfaces::reading(|| None);
        assert!(dumb.contains(address), "before it has answered once nothing is known not to be ours");
    }
}
