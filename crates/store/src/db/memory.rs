//! SQLite without a file: one connection, which whoever reads or writes takes in turn.
//!
//! For a store that lives as long as one command. It is made from an image of the schema instead of by its
//! migrations, the schema is parsed once, and no thread is started; nothing of it waits for a disk, so that holding
//! up the runtime for a statement is cheaper than handing it to another thread.
//!
//! LIMIT: SQLite lets it grow to 1 GiB. What comes then is not recorded, and so not done.

use std::sync::Arc;

use rusqlite::{Connection, MAIN_DB, OpenFlags};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::sqlite::{self, classify};
use super::writer::{Read, Rows, Write};
use super::{DbError, Dialect, Param, sql};
use crate::migrate::{self, SchemaStatus};

/// The schema with every migration applied, and nothing else. A test compares it with the migrations, and writes it
/// anew when asked to.
const IMAGE: &[u8] = include_bytes!("../../migrations/schema.sqlite");

/// What migrations put in is as old as the store that they make, and so it is here.
const STAMPS: &str = "UPDATE sec_action_registry SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ','now'), \
                      updated_at = strftime('%Y-%m-%dT%H:%M:%fZ','now')";

/// The database. Cloning gives another handle to the same one; it ends with the last.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Mutex<Connection>>);

impl Memory {
    /// Makes it. Migrations that the image lacks are applied.
    pub(crate) fn open() -> Result<(Self, SchemaStatus), DbError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_in_memory_with_flags(flags).map_err(|e| classify(&e))?;
        connection.set_prepared_statement_cache_capacity(sqlite::STATEMENTS_KEPT);
        connection.deserialize_read_exact(MAIN_DB, IMAGE, IMAGE.len(), false).map_err(|e| classify(&e))?;
        // A statement that fails is undone, and so is a transaction.
        connection
            .execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA temp_store = MEMORY")
            .map_err(|e| classify(&e))?;
        connection.execute_batch(STAMPS).map_err(|e| classify(&e))?;
        let mut status = migrate::sqlite_status(&connection)?;
        if status.applied < status.known {
            status = migrate::sqlite(&mut connection)?;
        }
        Ok((Self(Arc::new(Mutex::new(connection))), status))
    }

    /// Runs `work` between transactions.
    pub(crate) async fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, DbError>) -> Result<T, DbError> {
        work(&*self.0.lock().await)
    }

    /// Runs one statement in a transaction of its own.
    pub(crate) async fn execute(&self, text: &str, params: &[Param]) -> Result<u64, DbError> {
        let text = sql::render(Dialect::Sqlite, text);
        self.with(|connection| sqlite::execute(connection, &text, params)).await
    }

    /// What writes. There is to be one.
    pub(crate) fn writer(&self) -> MemoryWriter {
        MemoryWriter { memory: self.clone(), held: None }
    }
}

/// What writes. From the begin of a transaction to its end nobody else reads.
pub(crate) struct MemoryWriter {
    memory: Memory,
    held: Option<OwnedMutexGuard<Connection>>,
}

impl MemoryWriter {
    pub(crate) async fn begin(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        // One that was given up in the middle.
        self.rollback();
        let held = Arc::clone(&self.memory.0).lock_owned().await;
        let rows = sqlite::begin(&held, reads)?;
        self.held = Some(held);
        Ok(rows)
    }

    pub(crate) fn read(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        let held = self.held.take().ok_or_else(none_begun)?;
        let rows = sqlite::read(&held, reads)?;
        self.held = Some(held);
        Ok(rows)
    }

    pub(crate) fn commit(&mut self, writes: &[Write]) -> Result<(), DbError> {
        let held = self.held.take().ok_or_else(none_begun)?;
        sqlite::commit(&held, writes)
    }

    pub(crate) fn rollback(&mut self) {
        if let Some(held) = self.held.take() {
            sqlite::rollback(&held);
        }
    }
}

fn none_begun() -> DbError {
    DbError::Refused("no transaction was begun".to_owned())
}

#[cfg(test)]
mod tests;
