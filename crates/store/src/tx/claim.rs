//! Runs that can be taken, and what is open in a run.
//!
//! What can be taken is looked for inside the batch's transaction, and rows that another process is
//! just taking are skipped, so that claimers never wait for each other. It costs one flight more
//! than a batch without claims, since the rows found say which others are needed.

use std::collections::{BTreeMap, BTreeSet};

use model::event::Stream;
use model::run::ToolCallStatus;
use model::{Actor, ApprovalId, RoomId, RunAttemptId, RunId, StepId, ToolCallId, WorkspaceId};

use super::{Tx, Work};
use crate::command::Reads;
use crate::db::sql;
use crate::db::table::Table;
use crate::db::writer::{Read, Rows};
use crate::db::{DbError, Dialect, Param};
use crate::rows::{ApprovalRow, AttemptRow, LeaseRow, QueueRow, RunRow, StepRow, ToolCallRow, WaitRow};

/// Why a run can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimKind {
    /// It is queued and its time has come.
    Ready,
    /// Its worker was not heard of for longer than the lease.
    Expired,
    /// Its time is over.
    TimedOut,
    /// The approval it waits for was decided.
    Decided,
}

/// Runs that somebody wants to take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Which ones.
    pub kind: ClaimKind,
    /// Of this workspace only.
    pub workspace_id: Option<WorkspaceId>,
    /// Of this room only.
    pub room_id: Option<RoomId>,
    /// In whose name; its principal is made when there is none.
    pub actor: Option<Actor>,
}

impl Claim {
    fn query(&self, dialect: Dialect, limit: u32) -> Read {
        match self.kind {
            ClaimKind::Ready => self.select::<QueueRow>(dialect, "t.ready_at", limit),
            ClaimKind::Expired => self.select::<LeaseRow>(dialect, "t.lease_expires_at", limit),
            ClaimKind::TimedOut => self.select::<LeaseRow>(dialect, "t.times_out_at", limit),
            ClaimKind::Decided => self.select::<WaitRow>(dialect, "t.ready_at", limit),
        }
    }

    fn select<T: Table>(&self, dialect: Dialect, due: &str, limit: u32) -> Read {
        let mut params = vec![Param::Int(i64::from(limit))];
        // With the run's own row: whoever holds that decides who has the run.
        let mut text = format!(
            "SELECT {} FROM {} t CROSS JOIN proj_runs r WHERE r.run_id = t.run_id AND {due} <= {{now}}",
            sql::columns::<T>(dialect, "t"),
            T::SPEC.name
        );
        for (column, value) in [
            ("workspace_id", self.workspace_id.as_ref().map(|id| id.as_str())),
            ("room_id", self.room_id.as_ref().map(|id| id.as_str())),
        ] {
            if let Some(value) = value {
                params.push(value.into());
                text.push_str(&format!(" AND t.{column} = ${}", params.len()));
            }
        }
        text.push_str(&format!(" ORDER BY {due}, t.run_id LIMIT $1 {{skip:t, r}}"));
        Read::Query { text, params, types: T::SPEC.columns.iter().map(|c| c.ty).collect() }
    }
}

/// The reads that find the claimed runs.
pub(super) fn reads(dialect: Dialect, wanted: &Reads) -> Vec<Read> {
    wanted.claims.iter().map(|(claim, limit)| claim.query(dialect, *limit)).collect()
}

/// What a batch found that can be taken.
#[derive(Default)]
pub(crate) struct Found {
    runs: BTreeMap<Claim, Vec<RunId>>,
    queue: Vec<QueueRow>,
    leases: Vec<LeaseRow>,
    waits: Vec<WaitRow>,
}

impl Found {
    /// Reads the answers of [`reads`] and declares what the runs found need.
    pub(super) fn read(wanted: &mut Reads, answers: impl Iterator<Item = Rows>) -> Result<Self, DbError> {
        let mut found = Self::default();
        let claims: Vec<Claim> = wanted.claims.keys().cloned().collect();
        for (claim, rows) in claims.into_iter().zip(answers) {
            let mut runs = Vec::with_capacity(rows.len());
            for row in rows {
                runs.push(found.take(&claim, row, wanted)?);
            }
            found.runs.insert(claim, runs);
        }
        Ok(found)
    }

    fn take(&mut self, claim: &Claim, row: Vec<crate::db::Value>, wanted: &mut Reads) -> Result<RunId, DbError> {
        let (run, workspace, room) = match claim.kind {
            ClaimKind::Ready => {
                let row = QueueRow::from_values(row)?;
                let place = (row.run_id.clone(), row.workspace_id.clone(), row.room_id.clone());
                self.queue.push(row);
                place
            }
            ClaimKind::Expired | ClaimKind::TimedOut => {
                let row = LeaseRow::from_values(row)?;
                let place = (row.run_id.clone(), row.workspace_id.clone(), row.room_id.clone());
                wanted.row::<AttemptRow>(&[RunAttemptId::of(&row.run_id, row.epoch).as_str()]);
                wanted.open_parts(&row.run_id);
                self.leases.push(row);
                place
            }
            ClaimKind::Decided => {
                let row = WaitRow::from_values(row)?;
                let place = (row.run_id.clone(), row.workspace_id.clone(), row.room_id.clone());
                wanted.row::<AttemptRow>(&[RunAttemptId::of(&row.run_id, row.epoch).as_str()]);
                wanted.row::<ApprovalRow>(&[row.approval_id.as_str()]);
                wanted.open_parts(&row.run_id);
                self.waits.push(row);
                place
            }
        };
        wanted.row::<RunRow>(&[run.as_str()]);
        wanted.stream(Stream::of(&workspace, room.as_ref()));
        if let Some(actor) = &claim.actor {
            wanted.actor(&workspace, actor);
        }
        Ok(run)
    }

    pub(super) fn load_into(self, work: &mut Work) {
        self.queue.into_iter().for_each(|row| work.caches.load_one(row));
        self.leases.into_iter().for_each(|row| work.caches.load_one(row));
        self.waits.into_iter().for_each(|row| work.caches.load_one(row));
        work.claimable = self.runs;
    }
}

/// What has not ended in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenParts {
    /// Its steps.
    pub steps: BTreeSet<StepId>,
    /// Its tool calls.
    pub tool_calls: BTreeSet<ToolCallId>,
}

/// The open parts of the runs that somebody looks at.
#[derive(Default)]
pub(crate) struct PartsIndex(BTreeMap<RunId, OpenParts>);

impl PartsIndex {
    pub(crate) fn of(&self, run: &RunId) -> OpenParts {
        self.0.get(run).cloned().unwrap_or_default()
    }

    pub(crate) fn step(&mut self, row: &StepRow) {
        let parts = &mut self.0.entry(row.run_id.clone()).or_default().steps;
        if row.status.is_open() {
            parts.insert(row.step_id.clone());
        } else {
            parts.remove(&row.step_id);
        }
    }

    pub(crate) fn tool_call(&mut self, row: &ToolCallRow) {
        let parts = &mut self.0.entry(row.run_id.clone()).or_default().tool_calls;
        if row.status == ToolCallStatus::Running {
            parts.insert(row.tool_call_id.clone());
        } else {
            parts.remove(&row.tool_call_id);
        }
    }

    fn restore(&mut self, run: RunId, before: Option<OpenParts>) {
        match before {
            Some(parts) => self.0.insert(run, parts),
            None => self.0.remove(&run),
        };
    }
}

/// The reads that find what is open in runs.
pub(super) fn open_parts_reads(dialect: Dialect, wanted: &Reads) -> Vec<Read> {
    if wanted.open_parts.is_empty() {
        return Vec::new();
    }
    fn of<T: Table>(dialect: Dialect, runs: &BTreeSet<RunId>, open: &str) -> Read {
        let text = format!(
            "SELECT {} FROM {} t WHERE t.run_id IN {{list:1}} AND t.status IN ({open}) ORDER BY t.{} {{lock}}",
            sql::columns::<T>(dialect, "t"),
            T::SPEC.name,
            T::SPEC.key.first().copied().unwrap_or("run_id"),
        );
        let ids = runs.iter().map(|id| id.as_str().to_owned()).collect();
        Read::Query { text, params: vec![Param::List(ids)], types: T::SPEC.columns.iter().map(|c| c.ty).collect() }
    }
    let mut reads = vec![
        of::<StepRow>(dialect, &wanted.open_parts, "'queued','running'"),
        of::<ToolCallRow>(dialect, &wanted.open_parts, "'running'"),
    ];
    reads.extend(open_attempts_read(dialect, wanted));
    reads
}

/// The read that finds the attempts under way. Their leases were locked in an earlier statement, so
/// that none of them moves on meanwhile.
fn open_attempts_read(dialect: Dialect, wanted: &Reads) -> Option<Read> {
    if wanted.open_attempts.is_empty() {
        return None;
    }
    let text = format!(
        "SELECT {} FROM run_leases l JOIN run_attempts t ON t.claim_token = l.claim_token WHERE l.run_id IN {{list:1}}",
        sql::columns::<AttemptRow>(dialect, "t"),
    );
    let ids = wanted.open_attempts.iter().map(|id| id.as_str().to_owned()).collect();
    let types = AttemptRow::SPEC.columns.iter().map(|c| c.ty).collect();
    Some(Read::Query { text, params: vec![Param::List(ids)], types })
}

impl Work {
    pub(super) fn load_open_steps(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = StepRow::from_values(row)?;
            self.parts.step(&row);
            self.caches.load_one(row);
        }
        Ok(())
    }

    pub(super) fn load_open_calls(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = ToolCallRow::from_values(row)?;
            self.parts.tool_call(&row);
            self.caches.load_one(row);
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// The runs that a declared claim found. Another command of this batch may have taken one.
    #[must_use]
    pub fn claimable(&self, claim: &Claim) -> Vec<RunId> {
        self.work.claimable.get(claim).cloned().unwrap_or_default()
    }

    /// What has not ended in a run that was declared, or that this batch made.
    #[must_use]
    pub fn open_parts(&self, run: &RunId) -> OpenParts {
        self.work.parts.of(run)
    }

    pub(super) fn note_step(&mut self, row: &StepRow) {
        self.note(&row.run_id, |parts| parts.step(row));
    }

    pub(super) fn note_tool_call(&mut self, row: &ToolCallRow) {
        self.note(&row.run_id, |parts| parts.tool_call(row));
    }

    fn note(&mut self, run: &RunId, change: impl FnOnce(&mut PartsIndex)) {
        let before = self.work.parts.0.get(run).cloned();
        change(&mut self.work.parts);
        let run = run.clone();
        self.work.undo.push(Box::new(move |work| work.parts.restore(run, before)));
    }

    /// An approval of a run was decided, or cannot be any more: a run that waits for it can go on.
    pub(super) fn wake_waiting(&mut self, run: &RunId, approval: &ApprovalId) {
        let now = self.now();
        let Some(row) = self.get::<WaitRow>(&[run.as_str()]).filter(|row| row.approval_id == *approval) else { return };
        let row = WaitRow { ready_at: Some(now), ..row.clone() };
        self.put(row);
        self.runs_ready();
    }

    /// Tells the workers, once this is durable, that there is something to take.
    pub fn runs_ready(&mut self) {
        self.work.runs_ready = true;
    }
}
