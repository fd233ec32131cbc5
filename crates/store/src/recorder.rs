//! The recorder: one writer, many waiters.
//!
//! Whatever waits is written in one transaction and answered together. There is no artificial
//! delay: while one batch commits the next one gathers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use model::Time;
use tokio::sync::{mpsc, oneshot};

use crate::command::{Command, Reads};
use crate::db::DbError;
use crate::db::writer::Writer;
use crate::tx::load::{ClaimPlan, Claimed, Plan};
use crate::tx::{Tx, Work};
use crate::weaken;

/// LIMIT: the most commands in one transaction.
const BATCH_MAX: usize = 512;
/// LIMIT: the most commands that wait for one lane before callers are made to wait themselves.
const QUEUE_MAX: usize = 8_192;
/// LIMIT: how many turns others get before a batch begins.
const GATHER_TURNS_MAX: u32 = 32;
/// How many turns that bring nothing it takes to begin.
const GATHER_TURNS_IN_VAIN: u32 = 2;
/// LIMIT: how often a batch is settled again after losing a race.
const RETRIES_MAX: u32 = 12;

/// Proof that `T` is durable. Only the recorder makes it, after the commit.
#[derive(Debug)]
pub struct Recorded<T>(T);

impl<T> Recorded<T> {
    /// What was recorded.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Gives up the proof for the value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Keeps the proof for a part of what was recorded.
    #[must_use]
    pub fn map<U>(self, part: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded(part(self.0))
    }
}

/// Why a command was not recorded. Unless it says otherwise, nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError<R> {
    /// The command refused itself.
    #[error("refused")]
    Refused(R),
    /// The policy moved since the caller decided: refresh, decide again, submit again.
    #[error("the policy moved since the decision")]
    Stale,
    /// The database cannot be reached now. Whether something was written is not known when the
    /// connection was lost during the commit.
    #[error("the event log cannot be reached")]
    Unavailable(#[source] DbError),
    /// The database refused to write.
    #[error("the event log cannot be written")]
    Failed(#[source] DbError),
}

/// A command in the queue, its type forgotten.
trait Waiting: Send {
    fn reads(&self) -> &Reads;
    /// Settles into `work`; `false` when the decision is stale.
    fn settle(&mut self, work: &mut Work);
    fn finish(self: Box<Self>, outcome: Result<(), DbError>);
}

/// What a caller of a command waits for.
type Answer<C> = Result<Recorded<<C as Command>::Output>, SubmitError<<C as Command>::Refusal>>;

struct Pending<C: Command> {
    command: C,
    reads: Reads,
    settled: Option<Result<C::Output, SubmitError<C::Refusal>>>,
    reply: oneshot::Sender<Answer<C>>,
}

impl<C: Command> Waiting for Pending<C> {
    fn reads(&self) -> &Reads {
        &self.reads
    }

    fn settle(&mut self, work: &mut Work) {
        let moved = self.reads.expected.iter().any(|(scope, &head)| work.head_at_begin(scope) != head);
        self.settled = Some(if moved {
            Err(SubmitError::Stale)
        } else {
            work.attempt(|tx: &mut Tx<'_>| self.command.settle(tx)).map_err(SubmitError::Refused)
        });
    }

    fn finish(self: Box<Self>, outcome: Result<(), DbError>) {
        let answer = match (outcome, self.settled) {
            (Ok(()), Some(Ok(output))) => Ok(Recorded(output)),
            (Err(_), Some(Ok(output))) if weaken::asked("swallow_log_error") => Ok(Recorded(output)),
            (_, Some(Err(refused))) => Err(refused),
            (Err(error), _) if error.is_passing() => Err(SubmitError::Unavailable(error)),
            (Err(error), _) => Err(SubmitError::Failed(error)),
            (Ok(()), None) => Err(SubmitError::Failed(DbError::Refused("the command was not settled".to_owned()))),
        };
        // A caller that went away does not need an answer.
        let _ = self.reply.send(answer);
    }
}

/// What a commit was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct News {
    /// Something was appended.
    pub(crate) events: bool,
    /// Policy moved.
    pub(crate) policy: bool,
    /// There are runs to take.
    pub(crate) runs: bool,
}

/// Told after each commit.
pub(crate) trait Committed: Send + Sync + 'static {
    /// What the commit was about.
    fn committed(&self, news: News);
}

/// The handle to the recorder's lanes.
#[derive(Clone)]
pub(crate) struct Recorder {
    lanes: Arc<Vec<mpsc::Sender<Box<dyn Waiting>>>>,
    idle: Arc<tokio::sync::Semaphore>,
}

impl Recorder {
    /// Starts one lane per writer. One whose calls block gets a thread of its own.
    pub(crate) fn start(writers: Vec<Writer>, listener: &Arc<dyn Committed>) -> Result<Self, DbError> {
        let mut lanes = Vec::with_capacity(writers.len());
        let idle = Arc::new(tokio::sync::Semaphore::new(writers.len()));
        for (number, writer) in writers.into_iter().enumerate() {
            let (send, receive) = mpsc::channel(QUEUE_MAX);
            lanes.push(send);
            let lane = Lane {
                writer,
                queue: receive,
                listener: Arc::clone(listener),
                clock: Clock::default(),
                idle: Arc::clone(&idle),
            };
            if lane.writer.blocks() {
                let runtime = tokio::runtime::Handle::current();
                std::thread::Builder::new()
                    .name(format!("recorder-{number}"))
                    .spawn(move || runtime.block_on(lane.run()))
                    .map_err(|e| DbError::Refused(e.to_string()))?;
            } else {
                tokio::spawn(lane.run());
            }
        }
        Ok(Self { lanes: Arc::new(lanes), idle })
    }

    /// Records a command and waits until it is durable.
    ///
    /// # Cancel safety
    /// When the future is dropped the command may still be recorded.
    pub(crate) async fn submit<C: Command>(&self, command: C) -> Result<Recorded<C::Output>, SubmitError<C::Refusal>> {
        let stopped = || SubmitError::Unavailable(DbError::Lost("the recorder has stopped".to_owned()));
        let mut reads = Reads::default();
        command.reads(&mut reads);
        let lane = usize::try_from(reads.lane() % u64::try_from(self.lanes.len().max(1)).unwrap_or(1)).unwrap_or(0);
        let (reply, answer) = oneshot::channel();
        let pending = Box::new(Pending { command, reads, settled: None, reply });
        let lane = self.lanes.get(lane).ok_or_else(stopped)?;
        lane.send(pending).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Waits until everything that was submitted before has been answered.
    pub(crate) async fn drained(&self) {
        while self.lanes.iter().any(|lane| lane.capacity() < QUEUE_MAX) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Each lane holds a permit while it works on a batch.
        let lanes = u32::try_from(self.lanes.len()).unwrap_or(1);
        let _all = self.idle.acquire_many(lanes).await;
    }

    /// How many commands wait, over all lanes.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| QUEUE_MAX.saturating_sub(lane.capacity())).sum()
    }
}

/// The process's clock, which never goes back.
#[derive(Default)]
struct Clock(AtomicI64);

impl Clock {
    fn now(&self) -> Time {
        let millis = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
        let before = self.0.fetch_max(millis, Ordering::Relaxed);
        Time::from_millis(before.max(millis))
    }
}

struct Lane {
    writer: Writer,
    queue: mpsc::Receiver<Box<dyn Waiting>>,
    listener: Arc<dyn Committed>,
    clock: Clock,
    idle: Arc<tokio::sync::Semaphore>,
}

impl Lane {
    async fn run(mut self) {
        let mut batch: Vec<Box<dyn Waiting>> = Vec::with_capacity(BATCH_MAX);
        while self.queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
            self.gather(&mut batch).await;
            let idle = Arc::clone(&self.idle);
            let _busy = idle.acquire().await;
            metrics::histogram!("exeat_recorder_batch_commands").record(batch.len() as f64);
            self.record(std::mem::take(&mut batch)).await;
        }
    }

    /// Takes what callers that are running right now are about to send. Nothing is waited for: they
    /// only get their turn before the batch begins, for as long as turns bring something.
    async fn gather(&mut self, batch: &mut Vec<Box<dyn Waiting>>) {
        let mut in_vain = 0;
        for _ in 0..GATHER_TURNS_MAX {
            if self.writer.blocks() {
                std::thread::yield_now();
            } else {
                tokio::task::yield_now().await;
            }
            let before = batch.len();
            while batch.len() < BATCH_MAX
                && let Ok(pending) = self.queue.try_recv()
            {
                batch.push(pending);
            }
            in_vain = if batch.len() == before { in_vain + 1 } else { 0 };
            if in_vain == GATHER_TURNS_IN_VAIN {
                return;
            }
        }
    }

    /// Records a batch: again after a lost race, in halves when one of its values is refused.
    async fn record(&mut self, batch: Vec<Box<dyn Waiting>>) {
        let mut todo = vec![batch];
        while let Some(mut batch) = todo.pop() {
            match self.attempt(&mut batch).await {
                Ok(()) => finish(batch, &Ok(())),
                // A lost race that stays lost is one item's fault, too: a value that is already taken.
                Err(DbError::BadValue(_) | DbError::Conflict(_)) if batch.len() > 1 => {
                    let second = batch.split_off(batch.len() / 2);
                    todo.push(second);
                    todo.push(batch);
                }
                Err(error) => {
                    metrics::counter!("exeat_event_append_failures_total").increment(1);
                    tracing::error!(%error, commands = batch.len(), "a batch could not be recorded");
                    finish(batch, &Err(error));
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &mut [Box<dyn Waiting>]) -> Result<(), DbError> {
        let mut wanted = Reads::default();
        for pending in batch.iter() {
            wanted.merge(pending.reads());
        }
        for tries in 0.. {
            let started = Instant::now();
            match self.transaction(batch, &wanted).await {
                Err(DbError::Conflict(text)) if tries < RETRIES_MAX => {
                    tracing::debug!(%text, tries, "a batch lost a race and is settled again");
                    if tries > 3 {
                        tokio::time::sleep(Duration::from_millis(u64::from(tries))).await;
                    }
                }
                outcome => {
                    metrics::histogram!("exeat_recorder_commit_seconds").record(started.elapsed().as_secs_f64());
                    return outcome;
                }
            }
        }
        Ok(())
    }

    /// Begins a transaction and brings what the batch looks at.
    async fn begin(&mut self, wanted: &Reads) -> Result<Work, DbError> {
        let dialect = self.writer.dialect();
        let Some(claims) = ClaimPlan::of(dialect, wanted) else {
            let plan = Plan::of(dialect, wanted);
            let answers = self.writer.begin(&plan.reads).await?;
            return self.or_rollback(plan.into_work(wanted, Claimed::default(), answers, self.clock.now())).await;
        };
        let answers = self.writer.begin(&claims.reads).await?;
        let mut wanted = wanted.clone();
        let claimed = claims.found(&mut wanted, answers);
        let claimed = self.or_rollback(claimed).await?;
        let plan = Plan::of(dialect, &wanted);
        let answers = self.writer.read(&plan.reads).await?;
        self.or_rollback(plan.into_work(&wanted, claimed, answers, self.clock.now())).await
    }

    async fn or_rollback<T>(&mut self, outcome: Result<T, DbError>) -> Result<T, DbError> {
        if outcome.is_err() {
            self.writer.rollback().await;
        }
        outcome
    }

    async fn transaction(&mut self, batch: &mut [Box<dyn Waiting>], wanted: &Reads) -> Result<(), DbError> {
        let mut work = self.begin(wanted).await?;
        work.begin();
        for pending in batch.iter_mut() {
            pending.settle(&mut work);
        }
        let news = News { events: work.has_events(), policy: work.has_policy_changes(), runs: work.has_ready_runs() };
        let after = work.take_after();
        let writes = work.into_writes();
        if writes.is_empty() {
            self.writer.rollback().await;
        } else {
            self.writer.commit(&writes).await?;
            self.listener.committed(news);
        }
        after.into_iter().for_each(|work| work());
        Ok(())
    }
}

fn finish(batch: Vec<Box<dyn Waiting>>, outcome: &Result<(), DbError>) {
    for pending in batch {
        pending.finish(outcome.clone());
    }
}
