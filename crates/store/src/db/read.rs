//! Reading outside the recorder's transactions.

use super::memory::Memory;
use super::postgres::PgReaders;
use super::sqlite::{self, SqliteReaders};
use super::table::Table;
use super::writer::Rows;
use super::{ColumnType, DbError, Dialect, Param, sql};

/// The reading side of the database.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there are a handful of readers, and none is moved on a hot path")]
pub(crate) enum Reader {
    Sqlite(SqliteReaders),
    Memory(Memory),
    Postgres(PgReaders),
}

impl Reader {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) | Self::Memory(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a query text of [`sql`] and gives its rows as values of `types`.
    pub(crate) async fn values(&self, text: &str, params: Vec<Param>, types: &[ColumnType]) -> Result<Rows, DbError> {
        match self {
            Self::Sqlite(readers) => {
                let (text, types) = (text.to_owned(), types.to_vec());
                readers.with(move |connection| sqlite::query(connection, &text, &params, &types)).await
            }
            Self::Memory(memory) => memory.with(|connection| sqlite::query(connection, text, &params, types)).await,
            Self::Postgres(readers) => readers.query(text, &params, types).await,
        }
    }

    /// Runs one statement that removes what has run out.
    pub(crate) async fn execute(&self, text: &str, params: Vec<Param>) -> Result<u64, DbError> {
        match self {
            Self::Sqlite(readers) => readers.execute(text, params).await,
            Self::Memory(memory) => memory.execute(text, &params).await,
            Self::Postgres(readers) => readers.execute(text, &params).await,
        }
    }

    /// The rows of a table: `tail` is what follows `FROM table t`.
    pub(crate) async fn rows<T: Table>(&self, tail: &str, params: Vec<Param>) -> Result<Vec<T>, DbError> {
        let types: Vec<ColumnType> = T::SPEC.columns.iter().map(|c| c.ty).collect();
        let text = format!("SELECT {} FROM {} t {tail}", sql::columns::<T>(self.dialect(), "t"), T::SPEC.name);
        self.values(&text, params, &types).await?.into_iter().map(T::from_values).collect()
    }

    /// The first row of a table, if any.
    pub(crate) async fn row<T: Table>(&self, tail: &str, params: Vec<Param>) -> Result<Option<T>, DbError> {
        Ok(self.rows(tail, params).await?.into_iter().next())
    }
}
