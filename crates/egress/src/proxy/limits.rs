//! How much one principal may have at once, and how often a stranger may be wrong.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gate::Caller;
use governor::clock::DefaultClock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use model::{PrincipalId, WorkspaceId};

use super::config::Limits;

const HOUR: Duration = Duration::from_secs(3600);
/// LIMIT: how many accounts there are before unused ones are forgotten.
const ACCOUNTS_USUAL: usize = 4_096;

type Rate = RateLimiter<NotKeyed, InMemoryState, DefaultClock>;

/// What one principal has open.
pub(super) struct Account {
    limits: Limits,
    tunnels: AtomicUsize,
    held: AtomicUsize,
    rate: Option<Rate>,
    hour: Mutex<Hour>,
}

struct Hour {
    began: Instant,
    bytes: u64,
}

/// One of what is counted; given back when dropped.
pub(super) struct Slot {
    account: Arc<Account>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Tunnel,
    Held,
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Tunnels,
    TunnelRate,
    Bytes,
}

impl Exceeded {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Tunnels => "tunnel_limit",
            Self::TunnelRate => "tunnel_rate_limit",
            Self::Bytes => "bytes_limit",
        }
    }

    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::Tunnels => "this principal has as many tunnels open as it may; close some",
            Self::TunnelRate => "this principal opens tunnels faster than it may",
            Self::Bytes => "this principal has moved as many bytes as it may in an hour",
        }
    }

    pub(super) const fn retry_after_s(self) -> u32 {
        match self {
            Self::Tunnels | Self::TunnelRate => 1,
            Self::Bytes => 60,
        }
    }
}

impl Account {
    fn new(limits: Limits) -> Self {
        let rate = NonZeroU32::new(limits.tunnels_per_second).map(|rate| {
            let burst = NonZeroU32::new(limits.tunnels_burst).map_or(rate, |burst| burst.max(rate));
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        });
        Self {
            limits,
            tunnels: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            rate,
            hour: Mutex::new(Hour { began: Instant::now(), bytes: 0 }),
        }
    }

    fn counter(&self, kind: Kind) -> (&AtomicUsize, usize) {
        match kind {
            Kind::Tunnel => (&self.tunnels, self.limits.tunnels_max),
            Kind::Held => (&self.held, self.limits.held_max),
        }
    }

    fn slot(self: &Arc<Self>, kind: Kind) -> Option<Slot> {
        let (count, max) = self.counter(kind);
        let taken = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < max).then_some(count + 1));
        taken.is_ok().then(|| Slot { account: Arc::clone(self), kind })
    }

    /// Room for one more tunnel.
    pub(super) fn tunnel(self: &Arc<Self>) -> Result<Slot, Exceeded> {
        self.within_bytes()?;
        let slot = self.slot(Kind::Tunnel).ok_or(Exceeded::Tunnels)?;
        match &self.rate {
            Some(rate) if rate.check().is_err() => Err(Exceeded::TunnelRate),
            _ => Ok(slot),
        }
    }

    /// Room for one more request that is held.
    pub(super) fn hold(self: &Arc<Self>) -> Option<Slot> {
        self.slot(Kind::Held)
    }

    /// Whether more bytes may move.
    pub(super) fn within_bytes(&self) -> Result<(), Exceeded> {
        if self.limits.bytes_per_hour == 0 || self.moved(0) { Ok(()) } else { Err(Exceeded::Bytes) }
    }

    /// Counts bytes, and says whether there may be more.
    pub(super) fn moved(&self, bytes: u64) -> bool {
        if self.limits.bytes_per_hour == 0 {
            return true;
        }
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        if hour.began.elapsed() >= HOUR {
            *hour = Hour { began: Instant::now(), bytes: 0 };
        }
        hour.bytes = hour.bytes.saturating_add(bytes);
        hour.bytes < self.limits.bytes_per_hour
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.account.counter(self.kind).0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The accounts of all principals.
pub(super) struct Accounts {
    limits: Limits,
    all: Mutex<HashMap<(WorkspaceId, PrincipalId), Arc<Account>>>,
}

impl Accounts {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, all: Mutex::default() }
    }

    pub(super) fn of(&self, caller: &Caller) -> Arc<Account> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (caller.workspace_id.clone(), caller.principal_id.clone());
        Arc::clone(all.entry(key).or_insert_with(|| Arc::new(Account::new(self.limits))))
    }

    /// Forgets those that nobody uses, once there are many. With a limit of bytes none before its hour is over.
    pub(super) fn forget_unused(&self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > ACCOUNTS_USUAL {
            all.retain(|_, account| {
                let counts = account.limits.bytes_per_hour > 0
                    && account.hour.lock().unwrap_or_else(PoisonError::into_inner).began.elapsed() < HOUR;
                Arc::strong_count(account) > 1 || counts
            });
        }
    }
}

/// Who showed bad credentials.
pub(super) struct Strangers {
    failed: Option<RateLimiter<IpAddr, governor::state::keyed::HashMapStateStore<IpAddr>, DefaultClock>>,
}

impl Strangers {
    pub(super) fn new(limits: &Limits) -> Self {
        let quota = NonZeroU32::new(limits.failed_logins_per_minute).map(Quota::per_minute);
        Self { failed: quota.map(RateLimiter::hashmap) }
    }

    /// Counts a bad credential; false when there were too many from this address.
    pub(super) fn failed(&self, peer: Option<IpAddr>) -> bool {
        match (&self.failed, peer) {
            (Some(failed), Some(peer)) => failed.check_key(&peer).is_ok(),
            _ => true,
        }
    }

    pub(super) fn forget_old(&self) {
        if let Some(failed) = self.failed.as_ref().filter(|failed| failed.len() > 1024) {
            failed.retain_recent();
        }
    }
}
