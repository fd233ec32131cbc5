//! A consistent copy of a SQLite store while it is in use.

use std::path::Path;

use rusqlite::Connection;

use crate::Store;
use crate::db::DbError;
use crate::db::read::Reader;
use crate::db::sqlite::classify;

impl Store {
    /// Copies the store into `file`, which must not exist. PostgreSQL has tools of its own for
    /// this (`pg_dump`, base backups), and is refused with that hint.
    ///
    /// # Errors
    /// [`DbError::Refused`] with the reason; then `file` is not left half-written.
    pub async fn backup(&self, file: &Path) -> Result<(), DbError> {
        if file.exists() {
            return Err(DbError::Refused("the backup file already exists".to_owned()));
        }
        let file = file.to_owned();
        let copy = move |connection: &Connection| {
            let target = file.to_str().ok_or_else(|| DbError::Refused("the path is not UTF-8".to_owned()))?;
            let outcome = connection.execute("VACUUM INTO ?1", [target]).map_err(|e| classify(&e));
            if outcome.is_err() {
                let _ = std::fs::remove_file(&file);
            }
            outcome.map(|_| ())
        };
        match self.reader() {
            Reader::Sqlite(readers) => readers.with(move |connection| copy(connection)).await,
            Reader::Memory(memory) => memory.with(copy).await,
            Reader::Postgres(_) => {
                Err(DbError::Refused("a PostgreSQL store is backed up with `pg_dump` or a base backup".to_owned()))
            }
        }
    }
}
