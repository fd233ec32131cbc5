//! What names led to a moment ago, and the lookups that are under way.
//!
//! One map for both, in shards: whoever finds a lookup under way waits for it instead of asking again.
//! A lookup is a task of its own, so that the one who began it may go away. It ends within the
//! resolver's timeout, whatever the servers do.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::ResolveError;
use super::dns::Dns;

/// A power of two.
const SHARDS: usize = 16;

/// Names per shard, answered or under way.
const NAMES_MAX: usize = 1024;

/// No answer is kept longer.
const KEEP_MAX: Duration = Duration::from_secs(300);

pub(super) type Found = Result<Arc<[IpAddr]>, ResolveError>;

#[derive(Debug, Default)]
pub(super) struct Cache {
    shards: Arc<[Mutex<Shard>; SHARDS]>,
    hasher: RandomState,
}

type Shard = HashMap<Box<str>, Slot>;

#[derive(Debug)]
enum Slot {
    Answered { found: Found, until: Instant },
    UnderWay(watch::Receiver<Option<Found>>),
}

enum Glance {
    Known(Found),
    Wait(watch::Receiver<Option<Found>>),
    Begin(watch::Sender<Option<Found>>, watch::Receiver<Option<Found>>),
}

impl Cache {
    pub(super) async fn get_or_fly(&self, name: &str, dns: &Arc<Dns>) -> Found {
        let shard = usize::try_from(self.hasher.hash_one(name)).unwrap_or_default() % SHARDS;
        let mut waiting = match self.glance(shard, name)? {
            Glance::Known(found) => return found,
            Glance::Wait(waiting) => waiting,
            Glance::Begin(tell, waiting) => {
                let flight = Flight { shards: Arc::clone(&self.shards), shard, name: name.into(), tell };
                tokio::spawn(flight.run(Arc::clone(dns)));
                waiting
            }
        };
        let told = waiting.wait_for(Option::is_some).await;
        // The task is gone without a word only when the runtime is ending.
        told.map_or(Err(ResolveError::ServerFailure), |found| found.clone().unwrap_or(Err(ResolveError::ServerFailure)))
    }

    fn glance(&self, shard: usize, name: &str) -> Result<Glance, ResolveError> {
        let Some(shard) = self.shards.get(shard) else { return Err(ResolveError::Busy) };
        let mut shard = locked(shard);
        match shard.get(name) {
            Some(Slot::Answered { found, until }) if *until > Instant::now() => {
                return Ok(Glance::Known(found.clone()));
            }
            Some(Slot::UnderWay(waiting)) if waiting.has_changed().is_ok() => {
                return Ok(Glance::Wait(waiting.clone()));
            }
            _ => {}
        }
        make_room(&mut shard)?;
        let (tell, waiting) = watch::channel(None);
        shard.insert(name.into(), Slot::UnderWay(waiting.clone()));
        Ok(Glance::Begin(tell, waiting))
    }
}

/// One lookup under way.
struct Flight {
    shards: Arc<[Mutex<Shard>; SHARDS]>,
    shard: usize,
    name: Box<str>,
    tell: watch::Sender<Option<Found>>,
}

impl Flight {
    async fn run(self, dns: Arc<Dns>) {
        let (found, keep) = dns.ask(&self.name).await;
        let keep = keep.min(KEEP_MAX);
        if let Some(shard) = self.shards.get(self.shard) {
            let mut shard = locked(shard);
            if keep.is_zero() {
                shard.remove(&self.name);
            } else {
                shard.insert(self.name, Slot::Answered { found: found.clone(), until: Instant::now() + keep });
            }
        }
        self.tell.send_replace(Some(found));
    }
}

/// Keeps a shard within its bound: first what is old goes, then any answer.
fn make_room(shard: &mut Shard) -> Result<(), ResolveError> {
    if shard.len() < NAMES_MAX {
        return Ok(());
    }
    let now = Instant::now();
    shard.retain(|_, slot| match slot {
        Slot::Answered { until, .. } => *until > now,
        Slot::UnderWay(waiting) => waiting.has_changed().is_ok(),
    });
    if shard.len() < NAMES_MAX {
        return Ok(());
    }
    let victim = shard.iter().find(|(_, slot)| matches!(slot, Slot::Answered { .. })).map(|(name, _)| name.clone());
    let Some(victim) = victim else { return Err(ResolveError::Busy) };
    shard.remove(&victim);
    Ok(())
}

// A panic under the lock leaves a map that is still one.
fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
