//! SQLite: WAL, every commit on disk, one writer that excludes other processes for a batch at a
//! time, and a few readers on threads of their own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value as SqliteValue, ValueRef as SqliteRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params_from_iter};

use super::sql::{self, WriteMode};
use super::table::TableSpec;
use super::writer::{Read, Rows, Write};
use super::{ColumnType, DbError, Dialect, Param, Value, ValueRef};
use model::Time;

/// How long a writer waits for another process's batch.
const BUSY: Duration = Duration::from_secs(10);

/// LIMIT: prepared statements that a connection keeps.
pub(super) const STATEMENTS_KEPT: usize = 256;

/// How safely commits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on disk before it is acknowledged.
    Full,
    /// Nothing is forced to disk: for data that is gone on exit anyway.
    Ephemeral,
}

pub(crate) fn open(path: &Path, durability: Durability) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| classify(&e))?;
    connection.busy_timeout(BUSY).map_err(|e| classify(&e))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Ephemeral => "OFF",
    };
    connection
        .execute_batch(&format!(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA temp_store = MEMORY; \
             PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;"
        ))
        .map_err(|e| classify(&e))?;
    Ok(connection)
}

pub(crate) fn classify(error: &rusqlite::Error) -> DbError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => DbError::Conflict(text),
        Some(ErrorCode::ConstraintViolation) => match error.sqlite_error().map(|e| e.extended_code) {
            Some(rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER) => DbError::Refused(text),
            Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
                DbError::BadValue(text)
            }
            _ => DbError::BadValue(text),
        },
        Some(ErrorCode::TypeMismatch | ErrorCode::TooBig) => DbError::BadValue(text),
        _ => DbError::Refused(text),
    }
}

/// The writing connection. Its calls block: it lives on the recorder's own thread.
pub(crate) struct SqliteWriter {
    connection: Connection,
}

impl SqliteWriter {
    pub(crate) fn open(path: &Path, durability: Durability) -> Result<Self, DbError> {
        Ok(Self { connection: open(path, durability)? })
    }

    pub(crate) fn begin(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        begin(&self.connection, reads)
    }

    pub(crate) fn read(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        read(&self.connection, reads)
    }

    pub(crate) fn commit(&mut self, writes: &[Write]) -> Result<(), DbError> {
        commit(&self.connection, writes)
    }

    pub(crate) fn rollback(&mut self) {
        rollback(&self.connection);
    }
}

/// Begins a transaction that excludes other writers, and reads.
pub(super) fn begin(connection: &Connection, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|e| classify(&e))?;
    read(connection, reads)
}

/// Reads in the transaction that was begun, which an error undoes.
pub(super) fn read(connection: &Connection, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
    let mut all = Vec::with_capacity(reads.len());
    for read in reads {
        match run_read(connection, read) {
            Ok(rows) => all.push(rows),
            Err(error) => {
                rollback(connection);
                return Err(error);
            }
        }
    }
    Ok(all)
}

/// Writes and commits, or undoes all of it.
pub(super) fn commit(connection: &Connection, writes: &[Write]) -> Result<(), DbError> {
    let outcome = writes
        .iter()
        .try_for_each(|write| run_write(connection, write))
        .and_then(|()| connection.execute_batch("COMMIT").map_err(|e| classify(&e)));
    if outcome.is_err() {
        rollback(connection);
    }
    outcome
}

/// Undoes the transaction that was begun, if one was.
pub(super) fn rollback(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::warn!(%error, "rolling back failed");
    }
}

fn run_write(connection: &Connection, write: &Write) -> Result<(), DbError> {
    let mut statement = statement_for(connection, write.spec, write.mode)?;
    for row in 0..write.rows.len() {
        for column in 0..write.spec.columns.len() {
            statement.raw_bind_parameter(column + 1, write.rows.value(row, column)).map_err(|e| classify(&e))?;
        }
        statement.raw_execute().map_err(|e| classify(&e))?;
    }
    Ok(())
}

fn statement_for<'c>(
    connection: &'c Connection,
    spec: &TableSpec,
    mode: WriteMode,
) -> Result<rusqlite::CachedStatement<'c>, DbError> {
    connection.prepare_cached(&sql::write(Dialect::Sqlite, spec, mode)).map_err(|e| classify(&e))
}

fn run_read(connection: &Connection, read: &Read) -> Result<Rows, DbError> {
    match read {
        Read::Keyed { spec, key, keys, .. } => {
            let types: Vec<ColumnType> = spec.columns.iter().map(|c| c.ty).collect();
            let text = sql::keyed_read(Dialect::Sqlite, spec, key, false);
            let mut statement = connection.prepare_cached(&text).map_err(|e| classify(&e))?;
            let mut out = Vec::with_capacity(keys.len());
            for key in keys {
                let rows = statement.query(params_from_iter(key.iter())).map_err(|e| classify(&e))?;
                collect(rows, &types, &mut out)?;
            }
            Ok(out)
        }
        Read::Query { text, params, types } => query(connection, text, params, types),
    }
}

/// Runs a query text and gives its rows.
pub(crate) fn query(
    connection: &Connection,
    text: &str,
    params: &[Param],
    types: &[ColumnType],
) -> Result<Rows, DbError> {
    let text = sql::render(Dialect::Sqlite, text);
    let mut statement = connection.prepare_cached(&text).map_err(|e| classify(&e))?;
    let rows = statement.query(params_from_iter(params.iter())).map_err(|e| classify(&e))?;
    let mut out = Vec::new();
    collect(rows, types, &mut out)?;
    Ok(out)
}

fn collect(mut rows: rusqlite::Rows<'_>, types: &[ColumnType], out: &mut Rows) -> Result<(), DbError> {
    while let Some(row) = rows.next().map_err(|e| classify(&e))? {
        let mut values = Vec::with_capacity(types.len());
        for column in 0..types.len() {
            let value = match row.get_ref(column).map_err(|e| classify(&e))? {
                SqliteRef::Integer(n) => Value::Int(n),
                SqliteRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                SqliteRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                SqliteRef::Null | SqliteRef::Real(_) => Value::Null,
            };
            values.push(value);
        }
        out.push(values);
    }
    Ok(())
}

impl ToSql for ValueRef<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(SqliteRef::Null),
            Self::Text(text) => ToSqlOutput::Borrowed(SqliteRef::Text(text.as_bytes())),
            Self::Int(n) => ToSqlOutput::Borrowed(SqliteRef::Integer(*n)),
            Self::Bool(b) => ToSqlOutput::Borrowed(SqliteRef::Integer(i64::from(*b))),
            Self::Time(at) => ToSqlOutput::Owned(SqliteValue::Text(at.to_string())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(SqliteRef::Blob(bytes)),
        })
    }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let time = |at: &Time| ToSqlOutput::Owned(SqliteValue::Text(at.to_string()));
        Ok(match self {
            Self::Text(text) => ToSqlOutput::Borrowed(SqliteRef::Text(text.as_bytes())),
            Self::Int(n) => ToSqlOutput::Borrowed(SqliteRef::Integer(*n)),
            Self::Time(at) => time(at),
            Self::List(items) => {
                ToSqlOutput::Owned(SqliteValue::Text(serde_json::to_string(items).unwrap_or_else(|_| "[]".to_owned())))
            }
        })
    }
}

/// Runs one statement of this dialect, and says how many rows it changed.
pub(super) fn execute(connection: &Connection, text: &str, params: &[Param]) -> Result<u64, DbError> {
    let changed = connection.execute(text, params_from_iter(params.iter())).map_err(|e| classify(&e))?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A few reading connections, each on its own thread; work goes to whichever is free.
#[derive(Clone)]
pub(crate) struct SqliteReaders {
    jobs: mpsc::Sender<Job>,
    path: Arc<PathBuf>,
    durability: Durability,
}

impl SqliteReaders {
    pub(crate) fn open(path: &Path, durability: Durability, threads: usize) -> Result<Self, DbError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads.max(1) {
            let mut connection = open(path, durability)?;
            connection.execute_batch("PRAGMA query_only = ON").map_err(|e| classify(&e))?;
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || {
                    loop {
                        // The lock is held while waiting: whoever holds it is the free reader.
                        let job = queue.lock().ok().and_then(|q| q.recv().ok());
                        let Some(job) = job else { break };
                        job(&mut connection);
                    }
                })
                .map_err(|e| DbError::Lost(e.to_string()))?;
        }
        Ok(Self { jobs, path: Arc::new(path.to_owned()), durability })
    }

    /// Runs one statement in a transaction of its own, on a connection of its own.
    pub(crate) async fn execute(&self, text: &str, params: Vec<Param>) -> Result<u64, DbError> {
        let (path, durability) = (Arc::clone(&self.path), self.durability);
        let text = sql::render(Dialect::Sqlite, text);
        tokio::task::spawn_blocking(move || {
            let connection = open(&path, durability)?;
            execute(&connection, &text, &params)
        })
        .await
        .map_err(|e| DbError::Lost(e.to_string()))?
    }

    /// Runs `work` on a reading connection.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let (send, receive) = tokio::sync::oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = send.send(work(connection));
        });
        self.jobs.send(job).map_err(|_| DbError::Lost("the readers have stopped".to_owned()))?;
        receive.await.map_err(|_| DbError::Lost("a reader stopped".to_owned()))?
    }
}
