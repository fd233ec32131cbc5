//! Attempts: who has a run, since when, for how long; and how a run goes back to the queue.

use std::time::Duration;

use gate::change::Facts;
use model::event::EventType;
use model::run::ReleaseReason;
use model::{ClaimToken, RunAttemptId, Time};
use store::Tx;
use store::rows::{AttemptRow, LeaseRow, QueueRow, RunRow, WaitRow};

use crate::record::{Author, End};

/// LIMIT: how many attempts may end because the worker was not heard of.
pub(crate) const EXPIRIES_MAX: i64 = 20;
/// LIMIT: how many attempts may end because the worker could not do it.
pub(crate) const FAILURES_MAX: i64 = 3;
/// How long a run rests after its first failed attempt; four times as long after each further one.
const BACKOFF: Duration = Duration::from_secs(1);

/// Who takes runs.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) author: Author,
    pub(crate) lease: Duration,
}

/// What a run brings along from attempt to attempt.
struct Carried {
    expiries: i64,
    failures: i64,
    times_out_at: Option<Time>,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How much of a run's time is left.
pub(crate) fn remaining(lease: &LeaseRow, now: Time) -> Option<i64> {
    lease.times_out_at.map(|at| (at.as_millis() - now.as_millis()).max(0))
}

fn deadline(remaining: Option<i64>, now: Time) -> Option<Time> {
    remaining.map(|ms| now.plus(Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
}

impl Holder {
    fn lease(&self, tx: &mut Tx<'_>, run: &RunRow, epoch: i64, carried: &Carried) -> LeaseRow {
        let now = tx.now();
        let lease = LeaseRow {
            run_id: run.run_id.clone(),
            workspace_id: run.workspace_id.clone(),
            room_id: run.room_id.clone(),
            epoch,
            claim_token: ClaimToken::new(),
            claimed_by_actor_id: self.author.actor.id.clone(),
            lease_ms: millis(self.lease),
            lease_expires_at: now.plus(self.lease),
            lease_heartbeat_at: now,
            times_out_at: carried.times_out_at,
            expiries: carried.expiries,
            failures: carried.failures,
        };
        tx.put(lease.clone());
        let id = RunAttemptId::of(&run.run_id, epoch);
        let before = tx.get::<AttemptRow>(&[id.as_str()]).map(|row| row.claimed_at);
        tx.put(AttemptRow {
            run_attempt_id: id,
            workspace_id: run.workspace_id.clone(),
            run_id: run.run_id.clone(),
            attempt_no: epoch,
            claim_token: lease.claim_token.clone(),
            claimed_by_actor_id: self.author.actor.id.clone(),
            claimed_at: before.unwrap_or(now),
            released_at: None,
            release_reason: None,
        });
        lease
    }

    /// Begins the next attempt: the run runs, and is this holder's.
    fn begin(&self, tx: &mut Tx<'_>, run: &RunRow, carried: &Carried) -> LeaseRow {
        let lease = self.lease(tx, run, run.attempt_no + 1, carried);
        self.author.append(tx, &run.run_id, EventType::RunStarted, Facts::new().with("run_id", &run.run_id), false);
        lease
    }

    /// Takes a queued run.
    pub(crate) fn take_queued(&self, tx: &mut Tx<'_>, queued: &QueueRow) -> Option<LeaseRow> {
        tx.remove::<QueueRow>(&[queued.run_id.as_str()]);
        let run = tx.get::<RunRow>(&[queued.run_id.as_str()]).cloned()?;
        let first = queued.remaining_ms.or_else(|| crate::plan::timeout(run.input.as_ref()).map(millis));
        let carried =
            Carried { expiries: queued.expiries, failures: queued.failures, times_out_at: deadline(first, tx.now()) };
        Some(self.begin(tx, &run, &carried))
    }

    /// Takes a run whose worker was not heard of, unless that happened too often.
    pub(crate) fn take_expired(&self, tx: &mut Tx<'_>, lease: &LeaseRow) -> Option<LeaseRow> {
        let expiries = lease.expiries + 1;
        self.author.cut_off(tx, &lease.run_id, "lease_expired");
        let facts = Facts::new().with("run_id", &lease.run_id).with("attempt_no", lease.epoch);
        self.author.append(tx, &lease.run_id, EventType::RunLeaseExpired, facts, false);
        if expiries >= EXPIRIES_MAX {
            self.author.end(tx, &lease.run_id, End::exhausted(ReleaseReason::Expired, lease.epoch));
            return None;
        }
        close(tx, lease, ReleaseReason::Expired);
        let run = tx.get::<RunRow>(&[lease.run_id.as_str()]).cloned()?;
        let carried = Carried { expiries, failures: lease.failures, times_out_at: lease.times_out_at };
        Some(self.begin(tx, &run, &carried))
    }

    /// Goes on with a run that waited for an approval, in the attempt in which it began to wait.
    pub(crate) fn take_waiting(&self, tx: &mut Tx<'_>, wait: &WaitRow) -> Option<LeaseRow> {
        tx.remove::<WaitRow>(&[wait.run_id.as_str()]);
        let run = tx.get::<RunRow>(&[wait.run_id.as_str()]).cloned()?;
        let carried = Carried {
            expiries: wait.expiries,
            failures: wait.failures,
            times_out_at: deadline(wait.remaining_ms, tx.now()),
        };
        let lease = self.lease(tx, &run, wait.epoch, &carried);
        let facts = Facts::new().with("run_id", &wait.run_id).with("approval_id", &wait.approval_id);
        self.author.append(tx, &wait.run_id, EventType::RunResumed, facts, false);
        Some(lease)
    }
}

/// Writes down how an attempt ended.
pub(crate) fn close(tx: &mut Tx<'_>, lease: &LeaseRow, reason: ReleaseReason) {
    let id = RunAttemptId::of(&lease.run_id, lease.epoch);
    let now = tx.now();
    if let Some(row) = tx.get::<AttemptRow>(&[id.as_str()]).cloned() {
        tx.put(AttemptRow { released_at: Some(now), release_reason: Some(reason), ..row });
    }
}

/// Gives a run back to the queue. `errored`: the worker could not do it; that happens so often only.
pub(crate) fn give_back(tx: &mut Tx<'_>, author: &Author, lease: &LeaseRow, errored: bool, facts: Facts) {
    let reason = if errored { ReleaseReason::Errored } else { ReleaseReason::Released };
    let failures = lease.failures + i64::from(errored);
    author.cut_off(tx, &lease.run_id, "lease_released");
    let facts = facts.with("run_id", &lease.run_id).with("attempt_no", lease.epoch).with("reason", reason.as_str());
    author.append(tx, &lease.run_id, EventType::RunLeaseExpired, facts, false);
    if failures >= FAILURES_MAX {
        author.end(tx, &lease.run_id, End::exhausted(reason, lease.epoch));
        return;
    }
    close(tx, lease, reason);
    tx.remove::<LeaseRow>(&[lease.run_id.as_str()]);
    let now = tx.now();
    let rest = match (errored, u32::try_from(failures)) {
        (true, Ok(failures)) => BACKOFF * 4_u32.pow(failures.saturating_sub(1).min(8)),
        _ => Duration::ZERO,
    };
    tx.put(QueueRow {
        run_id: lease.run_id.clone(),
        workspace_id: lease.workspace_id.clone(),
        room_id: lease.room_id.clone(),
        ready_at: now.plus(rest),
        expiries: lease.expiries,
        failures,
        remaining_ms: remaining(lease, now),
    });
    tx.runs_ready();
}
