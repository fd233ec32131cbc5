//! The life of a policy set: written as files, checked, tested, published as a version, rolled back;
//! and a candidate that is tried beside it. One file per operation.
//!
//! A set is replaced as a whole, in one transaction with its event and the policy head, so no
//! decision ever sees a part of one. Everything that takes time (reading, compiling, running the
//! tests) happens before, away from the threads that decide, one set at a time.

mod candidate;
mod diff;
mod folder;
mod get;
mod input;
mod prepare;
mod publish;
mod replay;
mod rollback;
mod test;
mod validate;
mod versions;

use model::{PrincipalId, Time};
use rules::Problem;
use serde::{Deserialize, Serialize};
use store::rows::{PolicySetRow, PolicyVersionRow};

use crate::Refusal;

pub use candidate::{CandidateInput, CandidateView};
pub use diff::{DiffInput, DiffReport, DiffSide};
pub use folder::FolderState;
pub use get::PolicySetView;
pub use input::{BYTES_MAX, FILES_MAX, FileInput};
pub use publish::{Expect, PublishInput, Published};
pub use replay::{ReplayInput, ReplayOutput};
pub use rollback::RollbackInput;
pub use test::{TestInput, TestReport};
pub use validate::{FilesInput, Validation};
pub use versions::VersionView;

pub(crate) use folder::Folder;
pub(crate) use prepare::{Turn, Turns};
pub(crate) use replay::moment;

/// Where a version came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Somebody sent it.
    Api,
    /// The folder that the server watches.
    Folder,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Folder => "folder",
        }
    }
}

/// Something that was found in a text, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProblemView {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 = the file or the set as a whole.
    pub line: u32,
    /// The column in characters, from 1; 0 with line 0.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What may have been meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<&Problem> for ProblemView {
    fn from(problem: &Problem) -> Self {
        Self {
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

/// LIMIT: how many problems one answer lists.
const PROBLEMS_MAX: usize = 200;

fn views(problems: &[Problem]) -> Vec<ProblemView> {
    problems.iter().take(PROBLEMS_MAX).map(ProblemView::from).collect()
}

/// 422 `invalid_policy` with what is wrong.
fn invalid(problems: &[Problem]) -> Refusal {
    let detail = match problems.first() {
        Some(first) if problems.len() == 1 => first.to_string(),
        Some(first) => format!("{first} (and {} more)", problems.len() - 1),
        None => "the policy cannot be read".to_owned(),
    };
    Refusal::unprocessable("invalid_policy", detail).with("problems", views(problems))
}

/// The workspace's row, which begins as none.
fn own(row: Option<&PolicySetRow>, workspace: &model::WorkspaceId, now: Time) -> PolicySetRow {
    row.cloned().unwrap_or_else(|| PolicySetRow {
        workspace_id: workspace.clone(),
        active_version: 0,
        digest: None,
        source: None,
        candidate_version: 0,
        candidate_digest: None,
        candidate_rules: None,
        candidate_note: None,
        candidate_by_principal_id: None,
        candidate_at: None,
        updated_at: now,
    })
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A version number of the store as the wire has it.
fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// Who published, and when.
fn published(row: &PolicyVersionRow) -> (Option<PrincipalId>, Time) {
    (row.published_by_principal_id.clone(), row.created_at)
}
