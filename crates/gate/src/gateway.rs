//! This process as one that lets requests out: its name in the store, its signs of life, and the
//! outcomes it has to record.
//!
//! Nothing is written per request to know what is open. A sign of life says after which position of the
//! log everything lies that is still open; when a process falls silent, whoever sweeps reads the
//! log from there, and gives what has no outcome the outcome `unknown`. A process that only seemed
//! dead finds its name ended, takes a new one, and looks what the sweep left to it before it records
//! outcomes of its earlier life.
//!
//! What this cannot tell: a process that sleeps for longer than [`SILENT`] in the middle of recording a
//! request, records it all the same when it wakes, and dies before it gives the request an outcome. Its
//! name was swept before the request was there.

mod sweep;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use model::event::Stream;
use model::{GatewayId, Time};
use store::rows::GatewayRow;
use store::{Command, Reads, Store, SubmitError, Tx};
use tokio::sync::Notify;

use crate::execution::Finished;
use crate::{GateError, Refusal};

/// How often a sign of life is given.
const BEAT: Duration = Duration::from_secs(2);
/// How long to wait before something is tried again under a new name.
pub(crate) const AGAIN: Duration = Duration::from_millis(2_500);
/// After this long without one, a process lets nothing out any more.
const QUIET: Duration = Duration::from_secs(8);
/// After this long without one, others take it for dead. Longer than [`QUIET`].
pub(crate) const SILENT: Duration = Duration::from_secs(12);
/// LIMIT: outcomes recorded in one command.
const TAKEN_MAX: usize = 512;
/// How long outcomes are gathered, so that they share a transaction.
const GATHER: Duration = Duration::from_millis(3);
/// Pause before outcomes that could not be recorded are tried again.
const REST: Duration = Duration::from_millis(200);

/// A stretch between two signs of life. It lasts while something that began in it is open.
#[derive(Debug)]
pub(crate) struct Epoch {
    /// Everything that began in it is recorded after this position.
    position: i64,
}

/// The name that something is let out under, and the stretch that it began in.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) id: GatewayId,
    epoch: Arc<Epoch>,
}

/// A life, and when the store last heard of it.
struct Standing {
    life: Life,
    beaten: Instant,
}

/// The handle.
#[derive(Clone)]
pub(crate) struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    standing: ArcSwap<Standing>,
    epochs: Mutex<Vec<Weak<Epoch>>>,
    waiting: Mutex<Waiting>,
    wake: Arc<Notify>,
    done: Notify,
    closed: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever records finds it gone.
        self.wake.notify_one();
    }
}

#[derive(Default)]
struct Waiting {
    finished: Vec<Finished>,
    /// How many are being recorded now.
    underway: usize,
}

impl Gateway {
    /// Takes a name and begins to give signs of life.
    pub(crate) async fn start(store: Store) -> Result<Self, GateError> {
        let standing = Self::born(&store).await?;
        let gateway = Self {
            inner: Arc::new(Inner {
                epochs: Mutex::new(vec![Arc::downgrade(&standing.life.epoch)]),
                standing: ArcSwap::from_pointee(standing),
                store,
                waiting: Mutex::default(),
                wake: Arc::default(),
                done: Notify::new(),
                closed: AtomicBool::new(false),
            }),
        };
        tokio::spawn(beat(Arc::downgrade(&gateway.inner)));
        tokio::spawn(record(Arc::downgrade(&gateway.inner), Arc::clone(&gateway.inner.wake)));
        Ok(gateway)
    }

    async fn born(store: &Store) -> Result<Standing, GateError> {
        let position = store.position().await?;
        let life = Life { id: GatewayId::new(), epoch: Arc::new(Epoch { position }) };
        let beaten = Instant::now();
        let born = Born { id: life.id.clone(), position };
        store.submit(born).await.map_err(crate::submit::plain_error)?;
        Ok(Standing { life, beaten })
    }

    /// What to record under; none while the store has not heard of
    /// this process for too long (others may take it for dead), and once it is closed.
    pub(crate) fn life(&self) -> Option<Life> {
        let standing = self.inner.standing.load();
        let good = standing.beaten.elapsed() < QUIET && !self.inner.closed.load(Ordering::Acquire);
        good.then(|| standing.life.clone())
    }

    /// Gives a sign of life now, which only a log that can be written takes.
    pub(crate) async fn prove(&self) -> Result<(), GateError> {
        self.inner.beat().await
    }

    /// Takes an outcome to record.
    pub(crate) fn finished(&self, finished: Finished) {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).finished.push(finished);
        self.inner.wake.notify_one();
    }

    /// Waits until every outcome so far is recorded, at most for `patience`.
    pub(crate) async fn flush(&self, patience: Duration) {
        let all = async {
            loop {
                let done = self.inner.done.notified();
                {
                    let waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    if waiting.finished.is_empty() && waiting.underway == 0 {
                        return;
                    }
                }
                done.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("outcomes of requests could not be recorded; they will count as unknown");
        }
    }

    /// Gives the name up: what is open is left to whoever sweeps.
    pub(crate) async fn end(&self) {
        self.inner.closed.store(true, Ordering::Release);
        let id = self.inner.id();
        if let Err(error) = self.inner.store.submit(sweep::End { id, silent_since: None }).await {
            let error = crate::submit::plain_error(error);
            tracing::debug!(%error, "the end of this gateway could not be recorded; its silence will tell");
        }
    }
}

/// Gives signs of life until the gateway is gone.
async fn beat(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(BEAT).await;
        let Some(inner) = inner.upgrade().filter(|inner| !inner.closed.load(Ordering::Acquire)) else { return };
        if let Err(error) = inner.beat().await {
            tracing::debug!(%error, "no sign of life could be given; after 8 s nothing is let out");
        }
    }
}

impl Inner {
    async fn beat(&self) -> Result<(), GateError> {
        // Taken before the store is asked: that a sign was seen counts from when it was begun.
        let beaten = Instant::now();
        let position = self.store.position().await?;
        let id = self.id();
        let open_after = self.oldest().unwrap_or(position).min(position);
        match self.store.submit(Alive { id: id.clone(), open_after }).await {
            Ok(_) => {
                let epoch = Arc::new(Epoch { position });
                self.begin(Standing { life: Life { id, epoch }, beaten });
                Ok(())
            }
            Err(SubmitError::Refused(_)) => {
                tracing::warn!("this process was taken for dead; it goes on under a new name");
                self.begin(Gateway::born(&self.store).await?);
                Ok(())
            }
            Err(error) => Err(crate::submit::plain_error(error)),
        }
    }

    fn id(&self) -> GatewayId {
        self.standing.load().life.id.clone()
    }

    fn begin(&self, standing: Standing) {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        epochs.push(Arc::downgrade(&standing.life.epoch));
        epochs.retain(|epoch| epoch.strong_count() > 0);
        self.standing.store(Arc::new(standing));
    }

    /// The position after which everything open lies.
    fn oldest(&self) -> Option<i64> {
        let epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        epochs.iter().filter_map(Weak::upgrade).map(|epoch| epoch.position).min()
    }
}

/// Records outcomes, many at once. Ends with the gateway; an outcome that waits keeps that.
async fn record(inner: Weak<Inner>, wake: Arc<Notify>) {
    loop {
        wake.notified().await;
        let Some(inner) = inner.upgrade() else { return };
        tokio::time::sleep(GATHER).await;
        loop {
            let mut batch: Vec<Finished> = {
                let mut waiting = inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let count = waiting.finished.len().min(TAKEN_MAX);
                let batch = waiting.finished.drain(..count).collect();
                waiting.underway = count;
                batch
            };
            if batch.is_empty() {
                break;
            }
            while !batch.is_empty() {
                batch = inner.write(batch).await;
            }
            inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).underway = 0;
            inner.done.notify_waiters();
        }
    }
}

impl Inner {
    /// Records outcomes; gives back what has to be tried again.
    async fn write(&self, batch: Vec<Finished>) -> Vec<Finished> {
        let batch = Arc::new(batch);
        let outcomes = Outcomes { gateway: self.id(), batch: Arc::clone(&batch) };
        match self.store.submit(outcomes).await {
            Ok(_) => return Vec::new(),
            // Some are of an earlier life of this process.
            Err(SubmitError::Refused(_)) => {}
            Err(error) => {
                let error = crate::submit::plain_error(error);
                tracing::warn!(%error, "outcomes of requests cannot be recorded now; trying again");
            }
        }
        tokio::time::sleep(REST).await;
        // The recorder may still hold the command.
        let batch = Arc::unwrap_or_clone(batch);
        // Whoever swept after an earlier life may have recorded some, and so may a commit that was not answered.
        match sweep::unrecorded(&self.store, &self.id(), batch).await {
            Ok(rest) => rest,
            Err((error, all)) => {
                tracing::debug!(%error, "outcomes cannot be recorded now");
                all
            }
        }
    }
}

struct Born {
    id: GatewayId,
    position: i64,
}

impl Command for Born {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<GatewayRow>(&[self.id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        let now: Time = tx.now();
        tx.put(GatewayRow {
            gateway_id: self.id.clone(),
            started_at: now,
            seen_at: now,
            open_after: self.position,
            ended_at: None,
            swept_at: None,
        });
        Ok(())
    }
}

/// A sign of life.
struct Alive {
    id: GatewayId,
    open_after: i64,
}

impl Command for Alive {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<GatewayRow>(&[self.id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        let row = living(tx, &self.id)?;
        let seen_at = tx.now();
        tx.put(GatewayRow { seen_at, open_after: self.open_after, ..row });
        Ok(())
    }
}

struct Outcomes {
    gateway: GatewayId,
    batch: Arc<Vec<Finished>>,
}

impl Command for Outcomes {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<GatewayRow>(&[self.gateway.as_str()]);
        for each in &*self.batch {
            let context = &each.open.context;
            reads.stream(Stream::of(&context.workspace_id, context.room_id.as_ref()));
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        living(tx, &self.gateway)?;
        if self.batch.iter().any(|each| each.open.life.id != self.gateway) {
            return Err(ended());
        }
        for each in &*self.batch {
            tx.append(&each.open.context, each.draft());
        }
        Ok(())
    }
}

/// The gateway's row, unless it was ended.
pub(crate) fn living(tx: &Tx<'_>, id: &GatewayId) -> Result<GatewayRow, Refusal> {
    tx.get::<GatewayRow>(&[id.as_str()]).filter(|row| row.ended_at.is_none()).cloned().ok_or_else(ended)
}

fn ended() -> Refusal {
    Refusal::conflict("gateway_ended", "this process was taken for dead")
}
