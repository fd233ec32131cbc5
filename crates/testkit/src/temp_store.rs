//! A directory of its own for a store kept in a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A temporary directory with the place of an SQLite store in it; removed when dropped.
///
/// The file itself is not created: migrating an empty store is part of what is tested.
#[derive(Debug)]
pub struct TempStore {
    dir: TempDir,
}

impl TempStore {
    /// Makes the directory.
    ///
    /// # Errors
    /// When the temporary directory of the system is not writable.
    pub fn create() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("exeat-store-").tempdir().context("making a store directory")?;
        Ok(Self { dir })
    }

    /// Makes the directory inside `parent`, e.g. one that is kept in memory.
    ///
    /// # Errors
    /// When `parent` is not writable.
    pub fn create_in(parent: &Path) -> Result<Self> {
        let dir =
            tempfile::Builder::new().prefix("exeat-store-").tempdir_in(parent).context("making a store directory")?;
        Ok(Self { dir })
    }

    /// The store as a `DATABASE_URL`: `sqlite:<dir>/exeat.db`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    /// The file of the store.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("exeat.db")
    }

    /// The directory around it, also for anything else the test wants to keep.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
