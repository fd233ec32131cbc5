//! The loop of a worker: take what there is room for, drive it, keep the leases.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gate::GateError;
use model::{ClaimToken, RunId};
use store::{Claim, ClaimKind, SubmitError};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Cycle, Ending, Worker};
use crate::claim::{ClaimRuns, Claimed, Taken};
use crate::lease::KeepLeases;

/// How many workspaces get a turn in one claim, if there is room for a run of each.
const WORKSPACES: u8 = 16;
/// How long a few free places wait for more to become free, so that claims are worth their commit.
const GATHER: Duration = Duration::from_millis(10);
/// How long a worker that is to stop lets its runs go on.
const GRACE: Duration = Duration::from_secs(10);

/// What a worker has, and since when.
type Held = Arc<Mutex<HashMap<RunId, (ClaimToken, Instant)>>>;

/// The runs that are driven now.
struct Pool {
    worker: Worker,
    tasks: JoinSet<Ending>,
    /// What to give back when a task dies.
    by_task: HashMap<Id, Taken>,
    held: Held,
    cycle: Cycle,
    /// The workspace that the last turn ended with; empty when all had one.
    turn: String,
}

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
        let mut pool = Pool::new(self);
        let keeper = tokio::spawn(keep_leases(pool.worker.clone(), Arc::clone(&pool.held)));
        let outcome = async {
            let mut left = batch;
            while left > 0 {
                let room = pool.room().min(left);
                let claimed = pool.claim(room).await?;
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
            tasks: JoinSet::new(),
            by_task: HashMap::new(),
            held: Held::default(),
            cycle: Cycle::default(),
            turn: String::new(),
        }
    }

    fn room(&self) -> usize {
        self.worker.config.concurrency.max(1).saturating_sub(self.tasks.len())
    }

    async fn work(&mut self, stop: &CancellationToken) {
        let mut ready = self.worker.runs.gate().store().runs_ready();
        let (mut hungry, mut claimed_at) = (true, Instant::now());
        while !stop.is_cancelled() {
            let room = self.room().min(self.worker.config.batch.max(1));
            let enough = room >= self.worker.config.concurrency.div_ceil(2) || claimed_at.elapsed() >= GATHER;
            if hungry && room > 0 && enough {
                ready.mark_unchanged();
                match self.claim(room).await {
                    Ok(claimed) => {
                        hungry = claimed.scanned > 0;
                        self.begin(claimed);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "no runs can be taken now");
                        hungry = false;
                    }
                }
                claimed_at = Instant::now();
                continue;
            }
            // With room but not enough of it, a moment is waited for more.
            let pause = if hungry && room > 0 { GATHER } else { self.worker.config.poll };
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.ended(ended).await;
                    while let Some(ended) = self.tasks.try_join_next_with_id() {
                        self.ended(ended).await;
                    }
                }
                changed = ready.changed() => hungry = hungry || changed.is_ok(),
                () = tokio::time::sleep(pause) => hungry = true,
            }
        }
    }

    /// Takes up to `room` runs.
    async fn claim(&mut self, room: usize) -> Result<Claimed, GateError> {
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let command = ClaimRuns { by: None, holder: self.worker.holder(), limit, claims: self.claims(limit).await? };
        match self.worker.runs.gate().store().submit(command).await {
            Ok(recorded) => Ok(recorded.into_inner()),
            Err(SubmitError::Refused(refusal)) => Err(refusal.into()),
            Err(SubmitError::Stale) => Ok(Claimed::default()),
            Err(SubmitError::Unavailable(error)) => Err(GateError::Unavailable(error)),
            Err(SubmitError::Failed(error)) => Err(GateError::Failed(error)),
        }
    }

    /// What is looked for: what went wrong elsewhere, what was decided, and the queues of the next
    /// workspaces, each its share.
    async fn claims(&mut self, limit: u32) -> Result<BTreeMap<Claim, u32>, GateError> {
        let config = &self.worker.config;
        let actor = Some(Worker::author().actor);
        let of = |kind, workspace_id| Claim { kind, workspace_id, room_id: None, actor: actor.clone() };
        let only = config.workspace_id.clone();
        let mut claims: BTreeMap<Claim, u32> = [ClaimKind::Expired, ClaimKind::TimedOut, ClaimKind::Decided]
            .into_iter()
            .map(|kind| (of(kind, only.clone()), limit))
            .collect();
        let workspaces = match only {
            Some(only) => vec![only],
            None => {
                let store = self.worker.runs.gate().store();
                let seen = i64::from(WORKSPACES);
                let mut next = store.ready_workspaces(&self.turn, seen).await?;
                let full = next.len() >= usize::from(WORKSPACES);
                if !full && !self.turn.is_empty() {
                    let first = store.ready_workspaces("", seen).await?;
                    next.extend(first.into_iter().filter(|id| id.as_str() <= self.turn.as_str()));
                }
                // No more of them than get a run each, so that the turn passes nobody in vain.
                let most = usize::from(WORKSPACES).min(usize::try_from(limit).unwrap_or(usize::MAX));
                let all = !full && next.len() <= most;
                next.truncate(most);
                let last = next.last().filter(|_| !all);
                self.turn = last.map(|id| id.as_str().to_owned()).unwrap_or_default();
                next
            }
        };
        let share = limit.div_ceil(u32::try_from(workspaces.len().max(1)).unwrap_or(1));
        claims.extend(workspaces.into_iter().map(|id| (of(ClaimKind::Ready, Some(id)), share)));
        Ok(claims)
    }

    fn begin(&mut self, claimed: Claimed) {
        self.cycle.scanned += claimed.scanned;
        self.cycle.failed += claimed.failed;
        self.cycle.claimed += u64::try_from(claimed.taken.len()).unwrap_or(u64::MAX);
        metrics::counter!("exeat_runs_claimed_total").increment(u64::try_from(claimed.taken.len()).unwrap_or(0));
        let now = Instant::now();
        for taken in claimed.taken {
            let mine = (taken.claim_token.clone(), now);
            lock(&self.held).insert(taken.run.run_id.clone(), mine);
            let (worker, mine) = (self.worker.clone(), taken.clone());
            let task = self.tasks.spawn(async move { worker.drive(mine).await });
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
        metrics::counter!("exeat_runs_driven_total", "ending" => ending.as_str()).increment(1);
        self.cycle.count(ending);
    }

    async fn drain(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended).await;
        }
    }
}

fn lock(held: &Held) -> std::sync::MutexGuard<'_, HashMap<RunId, (ClaimToken, Instant)>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prolongs the leases of runs that take longer than a third of one.
async fn keep_leases(worker: Worker, held: Held) {
    let third = worker.config.lease / 3;
    loop {
        tokio::time::sleep(third).await;
        let old: Vec<(RunId, ClaimToken)> = lock(&held)
            .iter()
            .filter(|(_, (_, since))| since.elapsed() >= third)
            .map(|(run, (token, _))| (run.clone(), token.clone()))
            .collect();
        if old.is_empty() {
            continue;
        }
        match worker.runs.gate().store().submit(KeepLeases { held: old }).await {
            Ok(recorded) => {
                for run in recorded.into_inner() {
                    tracing::debug!(run_id = %run, "the run is no longer this worker's");
                    lock(&held).remove(&run);
                }
            }
            Err(error) => tracing::debug!(%error, "leases could not be kept"),
        }
    }
}
