//! The loop of a worker: take what there is room for, drive it, keep the leases.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gate::GateError;
use model::{ClaimToken, RunId};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::claimer::Claimer;
use super::{Cycle, Ending, Worker};
use crate::claim::{Claimed, Taken};
use crate::lease::KeepLeases;

/// How long a few free places wait for more to become free, so that claims are worth their commit.
const GATHER: Duration = Duration::from_millis(10);
/// While runs end at least this often, as many again are taken ahead, so that none has to wait for
/// a claim. Behind runs that take long, nothing is taken ahead: another worker may have room.
const BRISK: Duration = Duration::from_millis(50);
/// How long a worker that is to stop lets its runs go on.
const GRACE: Duration = Duration::from_secs(10);

/// What a worker has.
type Held = Arc<Mutex<HashMap<RunId, Mine>>>;

/// A run that a worker has.
struct Mine {
    token: ClaimToken,
    since: Instant,
    /// Ends when it is no longer this worker's.
    lost: CancellationToken,
}

/// The runs that are driven now, and those that were taken ahead.
struct Pool {
    worker: Worker,
    ahead: VecDeque<Taken>,
    tasks: JoinSet<Ending>,
    /// What to give back when a task dies.
    by_task: HashMap<Id, Taken>,
    held: Held,
    cycle: Cycle,
    /// When a run ended last.
    ended_at: Option<Instant>,
}

/// A claim under way: the claimer comes back with what it took.
type Claiming = JoinHandle<(Claimer, Result<Claimed, GateError>)>;

impl Worker {
    /// Works until it is told to stop; then what it has is driven on for a short while, and left to
    /// others. Says what came of it all.
    pub async fn run(self, stop: CancellationToken) -> Cycle {
        let mut pool = Pool::new(self);
        let keeper = tokio::spawn(keep_leases(pool.worker.clone(), Arc::clone(&pool.held)));
        pool.work(&stop).await;
        let _ = tokio::time::timeout(GRACE, pool.drain()).await;
        keeper.abort();
        pool.cycle
    }

    /// Takes what there is, at most one batch, drives it to the end, and says what came of it.
    ///
    /// # Errors
    /// [`GateError`] when the store cannot be read or written.
    pub async fn once(self) -> Result<Cycle, GateError> {
        let batch = self.config.batch;
        let mut claimer = Claimer::new(self.clone());
        let mut pool = Pool::new(self);
        let keeper = tokio::spawn(keep_leases(pool.worker.clone(), Arc::clone(&pool.held)));
        let outcome = async {
            let mut left = batch;
            while left > 0 {
                let room = pool.concurrency().min(left);
                let claimed = claimer.claim(room).await?;
                let (scanned, taken) = (claimed.scanned, claimed.taken.len());
                pool.begin(claimed);
                left = left.saturating_sub(taken);
                if scanned == 0 {
                    break;
                }
                pool.drain().await;
            }
            pool.drain().await;
            Ok(pool.cycle)
        };
        let outcome = outcome.await;
        keeper.abort();
        outcome
    }
}

impl Pool {
    fn new(worker: Worker) -> Self {
        Self {
            worker,
            ahead: VecDeque::new(),
            tasks: JoinSet::new(),
            by_task: HashMap::new(),
            held: Held::default(),
            cycle: Cycle::default(),
            ended_at: None,
        }
    }

    fn concurrency(&self) -> usize {
        self.worker.config.concurrency.max(1)
    }

    /// How many runs are to be taken now; 0 when it is better to wait.
    fn wanted(&self, claimed_at: Instant) -> usize {
        let batch = self.worker.config.batch.max(1);
        let free = self.concurrency().saturating_sub(self.tasks.len() + self.ahead.len());
        if free >= self.concurrency().div_ceil(2) || free > 0 && claimed_at.elapsed() >= GATHER {
            return free.min(batch);
        }
        let brisk = self.ended_at.is_some_and(|at| at.elapsed() < BRISK);
        if brisk && self.ahead.is_empty() { self.concurrency().min(batch) } else { 0 }
    }

    async fn work(&mut self, stop: &CancellationToken) {
        let mut ready = self.worker.runs.gate().store().runs_ready();
        let mut claimer = Some(Claimer::new(self.worker.clone()));
        let mut claiming: Option<Claiming> = None;
        let (mut hungry, mut claimed_at) = (true, Instant::now());
        while !stop.is_cancelled() {
            let wanted = if hungry { self.wanted(claimed_at) } else { 0 };
            if wanted > 0
                && let Some(mut one) = claimer.take()
            {
                // What becomes ready from here on may be missed by this claim.
                hungry = false;
                ready.mark_unchanged();
                claiming = Some(tokio::spawn(async move {
                    let claimed = one.claim(wanted).await;
                    (one, claimed)
                }));
            }
            let pause = if hungry && claiming.is_none() { GATHER } else { self.worker.config.poll };
            tokio::select! {
                () = stop.cancelled() => {}
                Some(outcome) = under_way(&mut claiming) => {
                    claiming = None;
                    claimed_at = Instant::now();
                    hungry |= self.claimed(outcome, &mut claimer);
                }
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.ended(ended).await;
                    while let Some(ended) = self.tasks.try_join_next_with_id() {
                        self.ended(ended).await;
                    }
                    self.drive_on();
                }
                changed = ready.changed() => hungry = hungry || changed.is_ok(),
                () = tokio::time::sleep(pause) => hungry = true,
            }
        }
        // What is being taken right now is this worker's, too.
        if let Some(outcome) = under_way(&mut claiming).await {
            self.claimed(outcome, &mut claimer);
        }
    }

    /// Takes over what a claim brought. Whether there may be more.
    fn claimed(
        &mut self,
        outcome: Result<(Claimer, Result<Claimed, GateError>), JoinError>,
        claimer: &mut Option<Claimer>,
    ) -> bool {
        let (one, claimed) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "claiming panicked; what it took is claimed again when its leases end");
                *claimer = Some(Claimer::new(self.worker.clone()));
                return false;
            }
        };
        *claimer = Some(one);
        match claimed {
            Ok(claimed) => {
                let more = claimed.scanned > 0;
                self.begin(claimed);
                more
            }
            Err(error) => {
                tracing::debug!(%error, "no runs can be taken now");
                false
            }
        }
    }

    fn begin(&mut self, claimed: Claimed) {
        self.cycle.scanned += claimed.scanned;
        self.cycle.failed += claimed.failed;
        self.cycle.claimed += u64::try_from(claimed.taken.len()).unwrap_or(u64::MAX);
        metrics::counter!("exeat_runs_claimed_total").increment(u64::try_from(claimed.taken.len()).unwrap_or(0));
        let now = Instant::now();
        for taken in claimed.taken {
            let mine = Mine { token: taken.claim_token.clone(), since: now, lost: CancellationToken::new() };
            lock(&self.held).insert(taken.run.run_id.clone(), mine);
            self.ahead.push_back(taken);
        }
        self.drive_on();
    }

    /// Begins to drive what was taken ahead, as far as there is room.
    fn drive_on(&mut self) {
        while self.tasks.len() < self.concurrency()
            && let Some(taken) = self.ahead.pop_front()
        {
            let (worker, mine) = (self.worker.clone(), taken.clone());
            let lost = lock(&self.held).get(&taken.run.run_id).map(|mine| mine.lost.clone()).unwrap_or_default();
            let task = self.tasks.spawn(async move { Box::pin(worker.drive(mine, lost)).await });
            self.by_task.insert(task.id(), taken);
        }
    }

    async fn ended(&mut self, ended: Result<(Id, Ending), JoinError>) {
        let (id, ending) = match ended {
            Ok((id, ending)) => (id, ending),
            Err(error) => {
                tracing::error!(%error, "driving a run panicked; the run is given back");
                let id = error.id();
                if let Some(taken) = self.by_task.get(&id) {
                    self.worker.give_back(taken, "worker_panicked").await;
                }
                (id, Ending::Lost)
            }
        };
        if let Some(taken) = self.by_task.remove(&id) {
            lock(&self.held).remove(&taken.run.run_id);
        }
        self.ended_at = Some(Instant::now());
        metrics::counter!("exeat_runs_driven_total", "ending" => ending.as_str()).increment(1);
        self.cycle.count(ending);
    }

    async fn drain(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended).await;
            self.drive_on();
        }
    }
}

/// Waits for a claim under way; never, without one.
async fn under_way(
    claiming: &mut Option<Claiming>,
) -> Option<Result<(Claimer, Result<Claimed, GateError>), JoinError>> {
    match claiming {
        Some(claiming) => Some(claiming.await),
        None => None,
    }
}

fn lock(held: &Held) -> std::sync::MutexGuard<'_, HashMap<RunId, Mine>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prolongs the leases of runs that take longer than a third of one.
async fn keep_leases(worker: Worker, held: Held) {
    let third = worker.config.lease / 3;
    loop {
        tokio::time::sleep(third).await;
        let old: Vec<(RunId, ClaimToken)> = lock(&held)
            .iter()
            .filter(|(_, mine)| mine.since.elapsed() >= third)
            .map(|(run, mine)| (run.clone(), mine.token.clone()))
            .collect();
        if old.is_empty() {
            continue;
        }
        match worker.runs.gate().store().submit(KeepLeases { held: old }).await {
            Ok(recorded) => {
                for run in recorded.into_inner() {
                    tracing::debug!(run_id = %run, "the run is no longer this worker's");
                    if let Some(mine) = lock(&held).remove(&run) {
                        mine.lost.cancel();
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "leases could not be kept"),
        }
    }
}
