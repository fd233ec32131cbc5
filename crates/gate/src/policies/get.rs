//! The set that holds.

use model::{PrincipalId, Time};
use rules::Source;
use serde::Serialize;
use store::sets::files_of;

use super::{CandidateView, FolderState, ProblemView, unsigned, views};
use crate::{Caller, Gate, GateError};

/// The set of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicySetView {
    /// The version that holds; 0 = there is none.
    pub version: u64,
    /// The digest of its files.
    pub digest: Option<String>,
    /// How many rules it has.
    pub rules: u64,
    /// `api` or `folder`.
    pub source: Option<String>,
    /// Why it was published.
    pub note: Option<String>,
    /// Who published it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub published_by_principal_id: Option<PrincipalId>,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub published_at: Option<Time>,
    /// Its files.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub files: Vec<Source>,
    /// What was noticed while reading it.
    pub warnings: Vec<ProblemView>,
    /// Why it cannot be read, and everything is denied; empty for a good set.
    pub problems: Vec<ProblemView>,
    /// What is tried beside it.
    pub candidate: Option<CandidateView>,
    /// The folder that it comes from, when this server watches one for the workspace.
    pub folder: Option<FolderState>,
}

impl Gate {
    /// The set of the caller's workspace. `caller` must come from [`Gate::fresh`].
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn policies(&self, caller: &Caller) -> Result<PolicySetView, GateError> {
        let workspace = &caller.workspace_id;
        let row = self.store().policy_set(workspace).await?;
        let version = row.as_ref().map_or(0, |row| row.active_version);
        let told = self.store().policy_version(workspace, unsigned(version)).await?;
        let text = match &told {
            Some(told) => self.store().policy_text(workspace, &told.digest).await?,
            None => None,
        };
        let held = caller.view.policy_sets(workspace).and_then(|sets| sets.active.clone());
        // The view may be a little ahead of or behind these rows: what it knows is told of its own text only.
        let held = held.filter(|held| told.as_ref().is_some_and(|told| told.digest == held.compiled.digest));
        Ok(PolicySetView {
            version: unsigned(version),
            digest: told.as_ref().map(|told| told.digest.clone()),
            rules: told.as_ref().map_or(0, |told| unsigned(told.rules)),
            source: told.as_ref().map(|told| told.source.clone()),
            note: told.as_ref().and_then(|told| told.note.clone()),
            published_by_principal_id: told.as_ref().and_then(|told| told.published_by_principal_id.clone()),
            published_at: told.as_ref().map(|told| told.created_at),
            files: text.and_then(|text| files_of(&text.files)).unwrap_or_default(),
            warnings: held.as_ref().map(|held| views(&held.compiled.warnings)).unwrap_or_default(),
            problems: held.as_ref().map(|held| views(&held.compiled.problems)).unwrap_or_default(),
            candidate: row.as_ref().and_then(CandidateView::of),
            folder: self.folder().state_of(workspace),
        })
    }
}
