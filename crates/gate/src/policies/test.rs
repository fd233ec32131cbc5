//! Running the tests beside a set, of the one that holds or of one that is sent. Changes nothing.

use rules::cases::CaseResult;
use serde::{Deserialize, Serialize};
use store::sets::files_of;

use super::input::{self, FileInput};
use super::invalid;
use super::prepare::{Tests, Turn};
use crate::{Caller, Gate, GateError, Refusal, clock};

/// Which set to test.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestInput {
    /// All files of a set with its tests; the set that holds when it is left out.
    pub files: Option<Vec<FileInput>>,
}

/// What the tests found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestReport {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// Each of them: `name`, `file`, `line`, `passed`, `expected`, `got`, `rules`, `message`.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub results: Vec<CaseResult>,
}

impl Gate {
    /// Runs the tests of a set.
    ///
    /// # Errors
    /// 400 `invalid_request`; 404 `policy_set_not_found` when nothing is sent and nothing holds; 422
    /// `invalid_policy` with `problems`. See [`GateError`].
    pub async fn test_policies(&self, caller: &Caller, input: TestInput) -> Result<TestReport, GateError> {
        let files = match input.files {
            Some(files) => self.told(caller, input::files(Some(files))).await?,
            None => self.active_files(caller).await?,
        };
        let prepared = self.prepare(Turn::Look, files, Tests::Run, clock::now()).await?;
        let prepared = self.told(caller, prepared.map_err(|problems| invalid(&problems))).await?;
        let results = prepared.results.clone();
        let passed = results.iter().filter(|result| result.passed).count() as u64;
        Ok(TestReport { passed, failed: results.len() as u64 - passed, results })
    }

    /// The files of the set that holds.
    pub(super) async fn active_files(&self, caller: &Caller) -> Result<Vec<rules::Source>, GateError> {
        let row = self.store().policy_set(&caller.workspace_id).await?;
        let text = match row.and_then(|row| row.digest) {
            Some(digest) => self.store().policy_text(&caller.workspace_id, &digest).await?,
            None => None,
        };
        let missing = || Refusal::not_found("policy_set_not_found", "this workspace has no policy set").into();
        text.and_then(|row| files_of(&row.files)).ok_or_else(missing)
    }
}
