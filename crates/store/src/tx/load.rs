//! The first flight of a batch: which reads it takes, in which order, and what they become.
//!
//! A batch that takes runs has a flight before it: see [`super::claim`].

use std::collections::{BTreeMap, HashMap};

use model::event::{Stream, StreamType, parse_hash};
use model::{Actor, Time};

use super::cache::Caches;
use super::claim::{self, Found, PartsIndex};
use super::quota::Quota;
use super::{PolicyHead, StreamHead, Work, bad_head};
use crate::command::Reads;
use crate::db::table::Table as _;
use crate::db::writer::{Read, Rows};
use crate::db::{ColumnType, DbError, Dialect, Param, Value};
use crate::rows::{
    ApprovalRow, AttemptRow, LeaseRow, PolicyHeadRow, PrincipalRow, QueueRow, QuotaHeadRow, RunRow, StreamHeadRow,
    WaitRow,
};

/// What each read of the first flight is for.
enum Slot {
    Policy,
    Streams,
    Rows(&'static str),
    Quotas,
    Uses,
    Actors,
    OpenAsks,
    OpenSteps,
    OpenCalls,
    Position,
    Clock,
}

/// Tables that are locked before anything else, in this order. A run's own row comes first: whoever
/// changes who has the run holds it, so that what is read after it, also that there is no row, stays
/// so. Whoever takes runs skips what is locked and goes on to wait for streams; so nobody waits for
/// these rows while holding a stream.
const LOCKED_FIRST: [&str; 4] = [RunRow::SPEC.name, LeaseRow::SPEC.name, QueueRow::SPEC.name, WaitRow::SPEC.name];

/// The flight that finds the runs a batch takes.
pub(crate) struct ClaimPlan {
    locked: Plan,
    pub(crate) reads: Vec<Read>,
    claims: usize,
}

impl ClaimPlan {
    /// Plans it; `None` when the batch takes no runs.
    pub(crate) fn of(dialect: Dialect, wanted: &Reads) -> Option<Self> {
        if wanted.claims.is_empty() {
            return None;
        }
        let mut locked = Plan { slots: Vec::new(), reads: Vec::new() };
        locked.rows(wanted, true);
        let mut reads = std::mem::take(&mut locked.reads);
        let claims = claim::reads(dialect, wanted);
        let count = claims.len();
        reads.extend(claims);
        Some(Self { locked, reads, claims: count })
    }

    /// What was found, with `wanted` completed by what that needs, and the rows locked on the way.
    pub(crate) fn found(self, wanted: &mut Reads, mut answers: Vec<Rows>) -> Result<Claimed, DbError> {
        let claimed = answers.split_off(answers.len().saturating_sub(self.claims));
        let found = Found::read(wanted, claimed.into_iter())?;
        let locked = self.locked.slots.into_iter().zip(answers);
        let locked = locked
            .filter_map(|(slot, rows)| if let Slot::Rows(table) = slot { Some((table, rows)) } else { None })
            .collect();
        Ok(Claimed { found, locked })
    }
}

/// What the flight before the first one brought.
#[derive(Default)]
pub(crate) struct Claimed {
    found: Found,
    locked: Vec<(&'static str, Rows)>,
}

/// A planned first flight.
pub(crate) struct Plan {
    slots: Vec<Slot>,
    pub(crate) reads: Vec<Read>,
}

impl Plan {
    /// Plans the reads of a batch: locks first and always in the same order, so that two batches
    /// never wait for each other in a circle.
    pub(crate) fn of(dialect: Dialect, wanted: &Reads) -> Self {
        let mut plan = Self { slots: Vec::with_capacity(16), reads: Vec::with_capacity(16) };
        if wanted.claims.is_empty() {
            plan.rows(wanted, true);
        } else {
            // The others were locked in the flight before; of the runs it found only the row is missing.
            plan.table(wanted, RunRow::SPEC.name);
        }
        plan.policy(wanted);
        plan.keyed(Slot::Streams, const { &StreamHeadRow::SPEC }, &["stream_type", "stream_id"], || {
            wanted.streams.iter().map(|s| vec![s.kind.as_str().to_owned(), s.id.clone()]).collect()
        });
        plan.rows(wanted, false);
        for (slot, read) in [Slot::OpenSteps, Slot::OpenCalls, Slot::Rows(AttemptRow::SPEC.name)]
            .into_iter()
            .zip(claim::open_parts_reads(dialect, wanted))
        {
            plan.slots.push(slot);
            plan.reads.push(read);
        }
        plan.quotas(wanted);
        plan.keyed(
            Slot::Actors,
            const { &PrincipalRow::SPEC },
            &["workspace_id", "legacy_actor_type", "legacy_actor_id"],
            || {
                let key = |(ws, actor): &(model::WorkspaceId, Actor)| {
                    vec![ws.as_str().to_owned(), actor.kind.as_str().to_owned(), actor.id.clone()]
                };
                wanted.actors.iter().map(key).collect()
            },
        );
        plan.open_asks(dialect, wanted);
        match dialect {
            Dialect::Sqlite => plan.query(
                Slot::Position,
                "SELECT coalesce(max(position), 0) FROM evt_events",
                Vec::new(),
                vec![ColumnType::Int],
            ),
            Dialect::Postgres => {
                plan.query(Slot::Clock, "SELECT clock_timestamp()", Vec::new(), vec![ColumnType::Time]);
            }
        }
        plan
    }

    /// The rows wanted by key, of the tables that are locked first or of the others.
    fn rows(&mut self, wanted: &Reads, first: bool) {
        if first {
            LOCKED_FIRST.into_iter().for_each(|name| self.table(wanted, name));
            return;
        }
        for name in wanted.rows.keys().filter(|name| !LOCKED_FIRST.contains(*name)) {
            self.table(wanted, name);
        }
    }

    fn table(&mut self, wanted: &Reads, name: &str) {
        if let Some((name, rows)) = wanted.rows.get_key_value(name) {
            self.keyed(Slot::Rows(name), rows.spec, rows.spec.key, || rows.keys.iter().cloned().collect());
        }
    }

    fn open_asks(&mut self, dialect: Dialect, wanted: &Reads) {
        if wanted.open_asks.is_empty() {
            return;
        }
        let keys = wanted.open_asks.iter().map(|(_, key)| key.clone()).collect();
        let text = format!(
            "SELECT {} FROM proj_approvals t WHERE t.status IN ('pending','held') AND t.ask_key IN {{list:1}} \
             ORDER BY t.ask_key {{lock}}",
            crate::db::sql::columns::<ApprovalRow>(dialect, "t")
        );
        let types = ApprovalRow::SPEC.columns.iter().map(|c| c.ty).collect();
        self.query(Slot::OpenAsks, &text, vec![Param::List(keys)], types);
    }

    fn policy(&mut self, wanted: &Reads) {
        let types = vec![ColumnType::Text, ColumnType::Int];
        if !wanted.locked_heads.is_empty() {
            let scopes = wanted.locked_heads.iter().cloned().collect();
            let text = "SELECT scope, head FROM policy_heads WHERE scope IN {list:1} ORDER BY scope {lock}";
            self.query(Slot::Policy, text, vec![Param::List(scopes)], types.clone());
        }
        let others: Vec<String> =
            wanted.expected.keys().filter(|s| !wanted.locked_heads.contains(*s)).cloned().collect();
        if !others.is_empty() {
            let text = "SELECT scope, head FROM policy_heads WHERE scope IN {list:1}";
            self.query(Slot::Policy, text, vec![Param::List(others)], types);
        }
    }

    fn quotas(&mut self, wanted: &Reads) {
        let keys = || wanted.quotas.keys().map(|(ws, subject)| vec![ws.as_str().to_owned(), subject.clone()]).collect();
        self.keyed(Slot::Quotas, const { &QuotaHeadRow::SPEC }, &["workspace_id", "subject"], keys);
        let types = vec![ColumnType::Text, ColumnType::Text, ColumnType::Int, ColumnType::Time];
        for ((workspace, subject), quota) in &wanted.quotas {
            let limit = i64::try_from(quota.limit).unwrap_or(i64::MAX);
            let takers = i64::try_from(quota.takers).unwrap_or(i64::MAX);
            let text = "SELECT u.workspace_id, u.subject, u.n, u.at FROM quota_uses u \
                 JOIN quota_heads h ON h.workspace_id = u.workspace_id AND h.subject = u.subject \
                 WHERE u.workspace_id = $1 AND u.subject = $2 AND u.n >= h.next_n - $3 AND u.n < h.next_n - $3 + $4";
            let params =
                vec![workspace.as_str().into(), subject.as_str().into(), Param::Int(limit), Param::Int(takers)];
            self.query(Slot::Uses, text, params, types.clone());
        }
    }

    fn keyed(
        &mut self,
        slot: Slot,
        spec: &'static crate::db::table::TableSpec,
        key: &'static [&'static str],
        keys: impl Fn() -> Vec<Vec<String>>,
    ) {
        let keys = keys();
        if !keys.is_empty() {
            self.slots.push(slot);
            self.reads.push(Read::Keyed { spec, key, keys, lock: true });
        }
    }

    fn query(&mut self, slot: Slot, text: &str, params: Vec<Param>, types: Vec<ColumnType>) {
        self.slots.push(slot);
        self.reads.push(Read::Query { text: text.to_owned(), params, types });
    }

    /// Makes the batch's working set from what the flight brought.
    pub(crate) fn into_work(
        self,
        wanted: &Reads,
        claimed: Claimed,
        answers: Vec<Rows>,
        clock: Time,
    ) -> Result<Work, DbError> {
        let mut work = Work {
            now: clock,
            position: 0,
            streams: BTreeMap::new(),
            policy: BTreeMap::new(),
            at_begin: BTreeMap::new(),
            caches: Caches::default(),
            actors: HashMap::new(),
            open_asks: HashMap::new(),
            quotas: BTreeMap::new(),
            events: Vec::new(),
            egress: Vec::new(),
            decisions: Vec::new(),
            log: Vec::new(),
            uses: Vec::new(),
            claimable: BTreeMap::new(),
            parts: PartsIndex::default(),
            runs_ready: false,
            undo: Vec::new(),
            segments: Vec::new(),
            segments_gone: Vec::new(),
            after: Vec::new(),
        };
        for (table, rows) in claimed.locked {
            work.caches.load(table, rows)?;
        }
        claimed.found.load_into(&mut work);
        let mut uses = Vec::new();
        for (slot, rows) in self.slots.into_iter().zip(answers) {
            match slot {
                Slot::Policy => work.load_policy(rows)?,
                Slot::Streams => work.load_streams(rows)?,
                Slot::Rows(table) => work.caches.load(table, rows)?,
                Slot::Quotas => work.load_quotas(rows)?,
                Slot::Uses => uses.extend(rows),
                Slot::Actors => work.load_actors(rows)?,
                Slot::OpenAsks => work.load_open_asks(rows)?,
                Slot::OpenSteps => work.load_open_steps(rows)?,
                Slot::OpenCalls => work.load_open_calls(rows)?,
                Slot::Position => {
                    if let Some(Value::Int(n)) = rows.into_iter().next().and_then(|r| r.into_iter().next()) {
                        work.position = n;
                    }
                }
                Slot::Clock => {
                    if let Some(Value::Time(at)) = rows.into_iter().next().and_then(|r| r.into_iter().next()) {
                        work.now = at;
                    }
                }
            }
        }
        for key in wanted.quotas.keys() {
            work.quotas.entry(key.clone()).or_insert_with(|| Quota::fresh(work.now));
        }
        work.load_uses(uses)?;
        Ok(work)
    }
}

impl Work {
    fn load_policy(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = PolicyHeadRow::from_values(row)?;
            let head = u64::try_from(row.head).unwrap_or(0);
            self.policy.insert(row.scope, PolicyHead { head, stored: true, moved: false });
        }
        Ok(())
    }

    fn load_streams(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = StreamHeadRow::from_values(row)?;
            let kind = StreamType::parse(&row.stream_type).ok_or_else(bad_head)?;
            let last_hash = match row.last_event_hash {
                Some(text) => parse_hash(&text).ok_or_else(bad_head)?,
                None => [0; 32],
            };
            let head = StreamHead { next_seq: row.next_seq, last_hash, stored: true, moved: false };
            self.streams.insert(Stream { kind, id: row.stream_id }, head);
        }
        Ok(())
    }

    fn load_quotas(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = QuotaHeadRow::from_values(row)?;
            self.quotas.insert((row.workspace_id, row.subject), Quota::stored_at(row.next_n, row.last_at));
        }
        Ok(())
    }

    fn load_uses(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = crate::rows::QuotaUseRow::from_values(row)?;
            if let Some(quota) = self.quotas.get_mut(&(row.workspace_id, row.subject)) {
                quota.load_use(row.n, row.at);
            }
        }
        Ok(())
    }

    fn load_actors(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = PrincipalRow::from_values(row)?;
            if let (Some(workspace), Some(kind), Some(id)) =
                (row.workspace_id.clone(), row.legacy_actor_type, row.legacy_actor_id.clone())
            {
                self.actors.insert((workspace, Actor { kind, id }), row.principal_id.clone());
            }
            self.caches.load_one(row);
        }
        Ok(())
    }

    fn load_open_asks(&mut self, rows: Rows) -> Result<(), DbError> {
        for row in rows {
            let row = ApprovalRow::from_values(row)?;
            if let (true, Some(key)) = (row.status.is_open(), row.ask_key.clone()) {
                self.open_asks.insert((row.workspace_id.clone(), key), row.approval_id.clone());
            }
            self.caches.load_one(row);
        }
        Ok(())
    }
}
