//! A connection that writes: one transaction at a time, in two flights.

use super::memory::MemoryWriter;
use super::postgres::PgWriter;
use super::sql::WriteMode;
use super::sqlite::SqliteWriter;
use super::table::{Key, Table, TableSpec};
use super::{ColumnType, DbError, Dialect, Param, Value, ValueRef};

/// Rows on their way into one table.
pub(crate) struct Write {
    pub(crate) spec: &'static TableSpec,
    pub(crate) mode: WriteMode,
    pub(crate) rows: Box<dyn RowSource>,
}

impl Write {
    pub(crate) fn of<T: Table>(mode: WriteMode, rows: Vec<T>) -> Self {
        Self { spec: const { &T::SPEC }, mode, rows: Box::new(rows) }
    }
}

/// Rows of one table, whatever their type.
pub(crate) trait RowSource: Send + Sync {
    fn len(&self) -> usize;
    fn value(&self, row: usize, column: usize) -> ValueRef<'_>;
}

impl<T: Table> RowSource for Vec<T> {
    fn len(&self) -> usize {
        Vec::len(self)
    }
    fn value(&self, row: usize, column: usize) -> ValueRef<'_> {
        self.get(row).map_or(ValueRef::Null, |r| r.value(column))
    }
}

/// A read at the start of a transaction.
pub(crate) enum Read {
    /// The rows with these keys, locked on PostgreSQL when `lock`.
    Keyed { spec: &'static TableSpec, key: &'static [&'static str], keys: Vec<Key>, lock: bool },
    /// A query text of [`super::sql`].
    Query { text: String, params: Vec<Param>, types: Vec<ColumnType> },
}

/// The rows a read gave.
pub(crate) type Rows = Vec<Vec<Value>>;

/// The writing connection.
pub(crate) enum Writer {
    Sqlite(SqliteWriter),
    Memory(MemoryWriter),
    Postgres(Box<PgWriter>),
}

impl Writer {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) | Self::Memory(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Whether its calls wait for a disk: then it is to have a thread of its own.
    pub(crate) fn blocks(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Begins a transaction and reads, in this order.
    pub(crate) async fn begin(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        match self {
            Self::Sqlite(writer) => writer.begin(reads),
            Self::Memory(writer) => writer.begin(reads).await,
            Self::Postgres(writer) => writer.begin(reads).await,
        }
    }

    /// Reads more in the transaction that was begun. On an error the transaction is undone.
    pub(crate) async fn read(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        match self {
            Self::Sqlite(writer) => writer.read(reads),
            Self::Memory(writer) => writer.read(reads),
            Self::Postgres(writer) => writer.read(reads).await,
        }
    }

    /// Writes, in this order, and commits. On an error nothing is written, except that after
    /// [`DbError::Lost`] it is not known.
    pub(crate) async fn commit(&mut self, writes: &[Write]) -> Result<(), DbError> {
        match self {
            Self::Sqlite(writer) => writer.commit(writes),
            Self::Memory(writer) => writer.commit(writes),
            Self::Postgres(writer) => writer.commit(writes).await,
        }
    }

    /// Ends the transaction without writing.
    pub(crate) async fn rollback(&mut self) {
        match self {
            Self::Sqlite(writer) => writer.rollback(),
            Self::Memory(writer) => writer.rollback(),
            Self::Postgres(writer) => writer.rollback().await,
        }
    }
}
