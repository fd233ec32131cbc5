//! The note that a running `exeat dev` leaves for the other commands of the same user.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Key;

/// Address and owner key of a running `exeat dev`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DevFile {
    /// Its address.
    pub url: String,
    /// The owner key.
    pub key: Key,
    /// The workspace it uses.
    pub workspace_id: String,
    /// Its proxy's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Its process.
    pub pid: u32,
}

/// Why a note cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDevFile {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] std::io::Error),
    /// It is not what `exeat dev` writes.
    #[error("it is not what `exeat dev` writes: {0}")]
    Json(#[from] serde_json::Error),
}

impl DevFile {
    /// Its name in a directory of [`crate::config::Places::dev_dirs`].
    pub const NAME: &'static str = "dev.json";

    /// Reads the note in `dir`; `None` when there is none.
    ///
    /// # Errors
    /// [`InvalidDevFile`] when there is something else.
    pub fn read(dir: &Path) -> Result<Option<Self>, InvalidDevFile> {
        match std::fs::read(dir.join(Self::NAME)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
