//! The two databases behind one small surface: typed rows, keyed reads, columnar writes, queries.
//!
//! Every statement exists once. What the dialects spell differently is generated from the table
//! (inserts, keyed reads) or from a handful of tokens in the text (see [`sql`]).

pub(crate) mod memory;
pub(crate) mod pg_types;
pub(crate) mod postgres;
pub(crate) mod read;
pub(crate) mod sql;
pub(crate) mod sqlite;
pub(crate) mod table;
pub(crate) mod writer;

use model::Time;

/// Which of the two databases a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    Json,
    Int,
    Bool,
    Time,
    Bytes,
}

/// A value on its way into the database.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ValueRef<'a> {
    Null,
    Text(&'a str),
    Int(i64),
    Bool(bool),
    Time(Time),
    Bytes(&'a [u8]),
}

/// A value read from the database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
    Time(Time),
    Bytes(Vec<u8>),
}

/// A parameter of a query.
#[derive(Debug, Clone)]
pub(crate) enum Param {
    Text(String),
    Int(i64),
    Time(Time),
    /// A list of texts, used as `IN {list:N}`.
    List(Vec<String>),
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What went wrong in the database, by what the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The connection is gone or could not be made. Nothing is known to be written; try again.
    #[error("the database cannot be reached: {0}")]
    Lost(String),
    /// Another transaction was in the way; the same work may be tried again at once.
    #[error("the database asks to try again: {0}")]
    Conflict(String),
    /// One of the values was refused; the others of the batch may still be written.
    #[error("the database refused a value: {0}")]
    BadValue(String),
    /// The database refused to work: full disk, read-only, a broken file, a trigger.
    #[error("the database refused: {0}")]
    Refused(String),
    /// A row does not read back as what it should be.
    #[error("a row of `{table}` cannot be read: column `{column}`")]
    BadRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
}

impl DbError {
    /// Whether the same request may succeed when it is tried a little later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Conflict(_))
    }
}
