//! Connections that are kept for the next request to the same place.
//!
//! A kept connection belongs to one workspace and one principal: servers bind state to connections, so
//! nobody is handed one that somebody else spoke on. It is given only against a permit, as a new
//! one is, and its address is vetted again each time, for what was fine may be forbidden by now. The
//! one that was used last is taken first; the rest grow old and are closed.
//!
//! Finding one costs a hash and a short lock of one of [`SHARDS`] shards, and no allocation. What is
//! found is looked at outside of the lock.

mod reserved;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

pub use self::reserved::Reserved;
use super::line::{Crossing, Place};
use crate::guard::Guard;
use gate::{Clearance, Permit};
use model::{TargetUrl, WorkspaceId};

/// A power of two.
const SHARDS: usize = 16;

/// What can be kept between requests.
pub trait Reusable: Send + 'static {
    /// Whether another request may be sent on it, as far as can be told without sending one.
    fn is_open(&mut self) -> bool;
}

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct PoolConfig {
    /// How long a connection may be unused.
    pub idle: Duration,
    /// Connections per owner and place.
    pub each_max: usize,
    /// Connections altogether.
    pub all_max: usize,
}

impl Default for PoolConfig {
    /// Thirty seconds, below the sixty that most servers wait, so that we close first; room for the
    /// requests of one batch, which all come back at once.
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), each_max: 256, all_max: 4096 }
    }
}

/// Whose connections: one workspace's and one principal's. Cloning is cheap; make one per client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    whose: Arc<Whose>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Whose {
    workspace: WorkspaceId,
    principal: Box<str>,
}

impl Owner {
    /// `principal` is whatever tells those who ask apart.
    #[must_use]
    pub fn new(workspace: &WorkspaceId, principal: &str) -> Self {
        Self { whose: Arc::new(Whose { workspace: workspace.clone(), principal: principal.into() }) }
    }

    fn is_in(&self, workspace: &WorkspaceId) -> bool {
        self.whose.workspace == *workspace
    }
}

/// The kept connections. Cloning gives another handle to the same ones.
#[derive(Debug)]
pub struct Pool<T> {
    inner: Arc<Inner<T>>,
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

#[derive(Debug)]
struct Inner<T> {
    guard: Guard,
    config: PoolConfig,
    hasher: RandomState,
    shards: [Mutex<Shard<T>>; SHARDS],
    kept: AtomicUsize,
    reaping: AtomicBool,
}

/// By the hash of owner and place, which two may share: whoever takes compares.
type Shard<T> = HashMap<u64, VecDeque<Idle<T>>>;

#[derive(Debug)]
struct Idle<T> {
    owner: Owner,
    place: Place,
    carrier: T,
    since: Instant,
}

/// Where a request goes, without owning any of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Destination<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
}

impl<'a> Destination<'a> {
    fn of(target: &'a TargetUrl) -> Self {
        Self { tls: target.scheme() == "https", host: target.domain(), port: target.port() }
    }

    fn at(place: &'a Place) -> Self {
        Self { tls: place.is_tls(), host: place.host(), port: place.port() }
    }
}

impl<T: Reusable> Pool<T> {
    /// An empty pool.
    #[must_use]
    pub fn new(guard: Guard, config: PoolConfig) -> Self {
        let inner = Inner {
            guard,
            config,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            kept: AtomicUsize::new(0),
            reaping: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A kept connection to exactly where the permit leads, and the permit used.
    ///
    /// # Errors
    /// The permit again when there is none: approach the destination.
    #[expect(clippy::result_large_err, reason = "not a fault: the permit goes on to be entered with")]
    pub fn take(&self, owner: &Owner, permit: Permit) -> Result<(T, Crossing), Permit> {
        if !owner.is_in(permit.workspace_id()) {
            return Err(permit);
        }
        match self.find(owner, Destination::of(permit.target())) {
            Some(Idle { carrier, place, .. }) => {
                Ok((carrier, Crossing { execution: permit.execute(), place, reused: true }))
            }
            None => Err(permit),
        }
    }

    /// Holds a kept connection for a request whose decision is still being recorded.
    #[must_use]
    pub fn reserve(&self, owner: &Owner, clearance: &Clearance) -> Option<Reserved<T>> {
        if !owner.is_in(clearance.workspace_id()) {
            return None;
        }
        let idle = self.find(owner, Destination::of(clearance.target()))?;
        Some(Reserved::new(self.clone(), idle))
    }

    /// Keeps a connection for the next request. Only one whose last answer was read to its very end,
    /// and on which both sides agreed to go on.
    pub fn keep(&self, owner: &Owner, place: &Place, carrier: T) {
        self.put(Idle { owner: owner.clone(), place: place.clone(), carrier, since: Instant::now() });
    }

    /// How many are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.inner.kept.load(Ordering::Relaxed)
    }

    fn find(&self, owner: &Owner, to: Destination<'_>) -> Option<Idle<T>> {
        let inner = &*self.inner;
        let key = inner.hasher.hash_one((owner, to));
        loop {
            let mut idle = inner.pop(key, owner, to)?;
            if idle.since.elapsed() < inner.config.idle
                && idle.carrier.is_open()
                && idle.place.vet_again(&inner.guard).is_ok()
            {
                return Some(idle);
            }
        }
    }

    fn put(&self, idle: Idle<T>) {
        let inner = &*self.inner;
        if inner.kept.load(Ordering::Relaxed) >= inner.config.all_max || inner.config.each_max == 0 {
            return;
        }
        let key = inner.hasher.hash_one((&idle.owner, Destination::at(&idle.place)));
        let oldest = {
            let mut shard = inner.shard(key);
            let row = shard.entry(key).or_default();
            let oldest = (row.len() >= inner.config.each_max).then(|| row.pop_front()).flatten();
            row.push_back(idle);
            if oldest.is_none() {
                inner.kept.fetch_add(1, Ordering::Relaxed);
            }
            oldest
        };
        // Closing happens outside of the lock.
        drop(oldest);
        if !inner.reaping.swap(true, Ordering::AcqRel) {
            tokio::spawn(reap(Arc::downgrade(&self.inner)));
        }
    }
}

impl<T> Inner<T> {
    fn shard(&self, key: u64) -> MutexGuard<'_, Shard<T>> {
        let index = usize::try_from(key % SHARDS as u64).unwrap_or_default();
        // In bounds: the remainder of the length. A panic under the lock leaves a map that is still one.
        #[expect(clippy::indexing_slicing, reason = "the remainder of the length is in bounds")]
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop(&self, key: u64, owner: &Owner, to: Destination<'_>) -> Option<Idle<T>> {
        let mut shard = self.shard(key);
        let row = shard.get_mut(&key)?;
        let index = row.iter().rposition(|idle| idle.owner == *owner && Destination::at(&idle.place) == to)?;
        let found = row.remove(index);
        self.kept.fetch_sub(usize::from(found.is_some()), Ordering::Relaxed);
        found
    }
}

impl<T: Reusable> Inner<T> {
    /// Takes out what is old or closed; it is dropped by the caller, outside of the locks.
    fn sweep(&self) -> Vec<Idle<T>> {
        let mut out = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, row| {
                for mut idle in std::mem::take(row) {
                    if idle.since.elapsed() < self.config.idle && idle.carrier.is_open() {
                        row.push_back(idle);
                    } else {
                        out.push(idle);
                    }
                }
                !row.is_empty()
            });
        }
        self.kept.fetch_sub(out.len(), Ordering::Relaxed);
        out
    }
}

/// Closes what has grown old. Runs while anything is kept and the pool lives; the next that is kept
/// starts it again.
async fn reap<T: Reusable>(pool: Weak<Inner<T>>) {
    loop {
        let Some(pause) = pool.upgrade().map(|inner| inner.config.idle / 4) else { return };
        tokio::time::sleep(pause.max(Duration::from_millis(10))).await;
        let Some(inner) = pool.upgrade() else { return };
        drop(inner.sweep());
        if inner.kept.load(Ordering::Acquire) == 0 {
            inner.reaping.store(false, Ordering::Release);
            // One may have been kept in between by somebody who still saw this run.
            if inner.kept.load(Ordering::Acquire) == 0 || inner.reaping.swap(true, Ordering::AcqRel) {
                return;
            }
        }
    }
}
