//! Every version there was.

use model::{PrincipalId, Time};
use rules::Source;
use serde::Serialize;
use store::rows::PolicyVersionRow;
use store::sets::files_of;

use super::{published, unsigned};
use crate::{Caller, Gate, GateError};

/// One version of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionView {
    /// Its number: 1, 2, 3, … without gaps.
    pub version: u64,
    /// Whether it holds.
    pub active: bool,
    /// The digest of its files: the same text, the same digest.
    pub digest: String,
    /// How many rules it has.
    pub rules: u64,
    /// `api` or `folder`.
    pub source: String,
    /// Why it was published.
    pub note: Option<String>,
    /// Who published it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub published_by_principal_id: Option<PrincipalId>,
    /// The version that a rollback left.
    pub rolled_back_from: Option<u64>,
    /// The version whose text a rollback brought back.
    pub restores: Option<u64>,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_at: Time,
    /// Its files; in lists left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub files: Option<Vec<Source>>,
}

impl VersionView {
    fn of(row: PolicyVersionRow, active: u64, files: Option<Vec<Source>>) -> Self {
        let (published_by_principal_id, created_at) = published(&row);
        Self {
            version: unsigned(row.version),
            active: unsigned(row.version) == active,
            digest: row.digest,
            rules: unsigned(row.rules),
            source: row.source,
            note: row.note,
            published_by_principal_id,
            rolled_back_from: row.rolled_back_from.map(unsigned),
            restores: row.restores.map(unsigned),
            created_at,
            files,
        }
    }
}

impl Gate {
    /// The versions of the caller's workspace below `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn policy_versions(
        &self,
        caller: &Caller,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<VersionView>, GateError> {
        let active = self.active_version(caller).await?;
        let rows = self.store().policy_versions(&caller.workspace_id, before, limit).await?;
        Ok(rows.into_iter().map(|row| VersionView::of(row, active, None)).collect())
    }

    /// One version with its files.
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn policy_version(&self, caller: &Caller, version: u64) -> Result<Option<VersionView>, GateError> {
        let active = self.active_version(caller).await?;
        let Some(row) = self.store().policy_version(&caller.workspace_id, version).await? else { return Ok(None) };
        let text = self.store().policy_text(&caller.workspace_id, &row.digest).await?;
        let files = text.and_then(|text| files_of(&text.files)).unwrap_or_default();
        Ok(Some(VersionView::of(row, active, Some(files))))
    }

    async fn active_version(&self, caller: &Caller) -> Result<u64, GateError> {
        let row = self.store().policy_set(&caller.workspace_id).await?;
        Ok(row.map_or(0, |row| unsigned(row.active_version)))
    }
}
