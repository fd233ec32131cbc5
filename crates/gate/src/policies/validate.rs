//! Whether a set would load, and what is wrong with it if not. Changes nothing.

use serde::{Deserialize, Serialize};

use super::input::{self, FileInput};
use super::prepare::{Tests, Turn};
use super::{ProblemView, views};
use crate::{Caller, Gate, GateError, clock};

/// The files of a set.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilesInput {
    /// All files of the set.
    pub files: Option<Vec<FileInput>>,
}

/// What a look at a set found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Validation {
    /// Whether it could be published, but for its tests.
    pub valid: bool,
    /// The digest it would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// How many rules it has.
    pub rules: u64,
    /// Everything that is wrong with it.
    pub problems: Vec<ProblemView>,
    /// What was noticed beside.
    pub warnings: Vec<ProblemView>,
}

impl Gate {
    /// Looks at a set.
    ///
    /// # Errors
    /// 400 `invalid_request`. See [`GateError`].
    pub async fn validate_policies(&self, caller: &Caller, input: FilesInput) -> Result<Validation, GateError> {
        let files = self.told(caller, input::files(input.files)).await?;
        Ok(match self.prepare(Turn::Look, files, Tests::Leave, clock::now()).await? {
            Ok(prepared) => Validation {
                valid: true,
                digest: Some(prepared.text.digest.clone()),
                rules: prepared.compiled.set.rules.len() as u64,
                problems: Vec::new(),
                warnings: views(&prepared.compiled.warnings),
            },
            Err(problems) => {
                Validation { valid: false, digest: None, rules: 0, problems: views(&problems), warnings: Vec::new() }
            }
        })
    }
}
