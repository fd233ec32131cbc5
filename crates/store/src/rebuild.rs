//! Rebuilding the projections from the events: replayed aside, compared, swapped in one transaction.

use std::collections::BTreeMap;

use model::event::EventType;
use model::{ApprovalId, RunId, WorkspaceId};
use serde::Serialize;

use crate::command::TableRow;
use crate::db::postgres::{PgTarget, PgWriter};
use crate::db::sql::{self, WriteMode};
use crate::db::sqlite::SqliteWriter;
use crate::db::table::{Key, Table};
use crate::db::writer::{Read, Rows, Write, Writer};
use crate::db::{DbError, Dialect, Param};
use crate::project::{self, Projections};
use crate::rows::{ApprovalRow, EventRow, RoomRow, RunRow, StepRow, ToolCallRow};
use crate::tx::cache::Caches;
use crate::tx::claim::{OpenParts, PartsIndex};
use crate::{Location, OpenError};

/// What rebuilding one table found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebuiltTable {
    /// The table.
    pub name: &'static str,
    /// How many rows it has now.
    pub rows: u64,
    /// How many rows were missing, surplus or different before.
    pub differing: u64,
}

/// What rebuilding found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Every projection.
    pub tables: Vec<RebuiltTable>,
}

/// Drops and replays the projections in one transaction, during which nothing else is written.
///
/// LIMIT: the events that projections show are held in memory.
///
/// # Errors
/// [`OpenError`]; then nothing has changed.
pub async fn rebuild(location: &Location) -> Result<RebuildReport, OpenError> {
    let mut writer = match location {
        Location::Sqlite { path, durability } => Writer::Sqlite(SqliteWriter::open(path, *durability)?),
        // It begins empty: there is nothing to replay.
        Location::Memory => return Ok(RebuildReport { tables: Vec::new() }),
        Location::Postgres(url) => Writer::Postgres(Box::new(PgWriter::new(PgTarget::parse(url)?))),
    };
    let mut answers = writer.begin(&reads(writer.dialect())).await?.into_iter();
    let outcome = replay(&mut answers);
    let (report, writes) = match outcome {
        Ok(done) => done,
        Err(error) => {
            writer.rollback().await;
            return Err(error.into());
        }
    };
    if writes.is_empty() {
        writer.rollback().await;
    } else {
        writer.commit(&writes).await?;
    }
    Ok(report)
}

/// Events that a projection shows.
const SHOWN: &[EventType] = &[
    EventType::RoomCreated,
    EventType::ApprovalRequested,
    EventType::ApprovalDecided,
    EventType::ApprovalRevoked,
    EventType::ApprovalExpired,
    EventType::ApprovalConsumed,
    EventType::EgressAllowed,
    EventType::RunCreated,
    EventType::RunStarted,
    EventType::RunCompleted,
    EventType::RunFailed,
    EventType::RunWaiting,
    EventType::RunResumed,
    EventType::RunCancelled,
    EventType::RunLeaseExpired,
    EventType::StepCreated,
    EventType::ToolInvoked,
    EventType::ToolSucceeded,
    EventType::ToolFailed,
];

fn reads(dialect: Dialect) -> Vec<Read> {
    let mut reads = Vec::with_capacity(8);
    if dialect == Dialect::Postgres {
        let text = "LOCK TABLE evt_events, proj_rooms, proj_runs, proj_steps, proj_tool_calls, proj_approvals \
                    IN SHARE ROW EXCLUSIVE MODE";
        reads.push(Read::Query { text: text.to_owned(), params: Vec::new(), types: Vec::new() });
    }
    let types: Vec<String> = SHOWN.iter().map(|t| t.as_str().to_owned()).collect();
    let order = "WHERE t.event_type IN {list:1} ORDER BY t.position";
    reads.push(select::<EventRow>(dialect, order, vec![Param::List(types)]));
    reads.push(select::<RoomRow>(dialect, "", Vec::new()));
    reads.push(select::<RunRow>(dialect, "", Vec::new()));
    reads.push(select::<StepRow>(dialect, "", Vec::new()));
    reads.push(select::<ToolCallRow>(dialect, "", Vec::new()));
    reads.push(select::<ApprovalRow>(dialect, "", Vec::new()));
    reads
}

fn select<T: Table>(dialect: Dialect, tail: &str, params: Vec<Param>) -> Read {
    let text = format!("SELECT {} FROM {} t {tail}", sql::columns::<T>(dialect, "t"), T::SPEC.name);
    Read::Query { text, params, types: T::SPEC.columns.iter().map(|c| c.ty).collect() }
}

fn replay(answers: &mut impl DoubleEndedIterator<Item = Rows>) -> Result<(RebuildReport, Vec<Write>), DbError> {
    // From the back, since PostgreSQL's flight begins with the lock.
    let mut next = || answers.next_back().unwrap_or_default();
    let (approvals, tool_calls, steps, runs, rooms, events) = (next(), next(), next(), next(), next(), next());
    let mut memory = Memory::default();
    for row in events {
        project::apply(&mut memory, &EventRow::from_values(row)?);
    }
    let mut writes = Vec::new();
    let tables = vec![
        swap::<RoomRow>(&memory, rooms, &mut writes)?,
        swap::<RunRow>(&memory, runs, &mut writes)?,
        swap::<StepRow>(&memory, steps, &mut writes)?,
        swap::<ToolCallRow>(&memory, tool_calls, &mut writes)?,
        swap::<ApprovalRow>(&memory, approvals, &mut writes)?,
    ];
    Ok((RebuildReport { tables }, writes))
}

/// Compares what is stored with what the events say, and writes what differs.
fn swap<T: TableRow + PartialEq>(memory: &Memory, stored: Rows, out: &mut Vec<Write>) -> Result<RebuiltTable, DbError> {
    let due: BTreeMap<Key, T> = T::cache(&memory.caches).rows();
    let mut has = BTreeMap::new();
    for row in stored {
        let row = T::from_values(row)?;
        has.insert(row.key(), row);
    }
    let wrong: Vec<T> =
        due.iter().filter(|(key, row)| has.get(*key) != Some(*row)).map(|(_, row)| row.clone()).collect();
    let surplus: Vec<T> = has.iter().filter(|(key, _)| !due.contains_key(*key)).map(|(_, row)| row.clone()).collect();
    let differing = u64::try_from(wrong.len() + surplus.len()).unwrap_or(u64::MAX);
    if !surplus.is_empty() {
        out.push(Write::of(WriteMode::Delete, surplus));
    }
    if !wrong.is_empty() {
        out.push(Write::of(WriteMode::Upsert, wrong));
    }
    Ok(RebuiltTable { name: T::SPEC.name, rows: u64::try_from(due.len()).unwrap_or(u64::MAX), differing })
}

/// Projections in memory.
#[derive(Default)]
struct Memory {
    caches: Caches,
    parts: PartsIndex,
}

impl Projections for Memory {
    fn get<T: TableRow>(&self, key: &[&str]) -> Option<T> {
        let key: Vec<String> = key.iter().map(|k| (*k).to_owned()).collect();
        T::cache(&self.caches).get(&key).cloned()
    }
    fn put<T: TableRow>(&mut self, row: T) {
        let _ = T::cache_mut(&mut self.caches).put(row);
    }
    fn opened_ask(&mut self, _: &WorkspaceId, _: &str, _: &ApprovalId) {}
    fn closed_ask(&mut self, _: &RunId, _: &ApprovalId) {}
    fn put_step(&mut self, row: StepRow) {
        self.parts.step(&row);
        self.put(row);
    }
    fn put_tool_call(&mut self, row: ToolCallRow) {
        self.parts.tool_call(&row);
        self.put(row);
    }
    fn open_parts(&self, run: &RunId) -> OpenParts {
        self.parts.of(run)
    }
}
