//! The policy sets of a workspace: what holds, and every version there was.

use model::{CorrelationId, WorkspaceId};

use crate::Store;
use crate::db::{DbError, Param};
use crate::query::LIMIT_MAX;
use crate::rows::{EventRow, PolicySetRow, PolicyTextRow, PolicyVersionRow};

impl Store {
    /// Which set holds in the workspace, and what is tried beside it; `None` when there never was one.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn policy_set(&self, workspace: &WorkspaceId) -> Result<Option<PolicySetRow>, DbError> {
        self.reader().row("WHERE t.workspace_id = $1", vec![workspace.as_str().into()]).await
    }

    /// One version.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn policy_version(
        &self,
        workspace: &WorkspaceId,
        version: u64,
    ) -> Result<Option<PolicyVersionRow>, DbError> {
        let Ok(version) = i64::try_from(version) else { return Ok(None) };
        let params = vec![workspace.as_str().into(), Param::Int(version)];
        self.reader().row("WHERE t.workspace_id = $1 AND t.version = $2", params).await
    }

    /// Versions below `before`, newest first.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn policy_versions(
        &self,
        workspace: &WorkspaceId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<PolicyVersionRow>, DbError> {
        let tail = "WHERE t.workspace_id = $1 AND t.version < $2 ORDER BY t.version DESC LIMIT $3";
        let params = vec![
            workspace.as_str().into(),
            Param::Int(before.unwrap_or(i64::MAX)),
            Param::Int(limit.clamp(1, LIMIT_MAX + 1)),
        ];
        self.reader().rows(tail, params).await
    }

    /// The files with this digest.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn policy_text(&self, workspace: &WorkspaceId, digest: &str) -> Result<Option<PolicyTextRow>, DbError> {
        let params = vec![workspace.as_str().into(), digest.into()];
        self.reader().row("WHERE t.workspace_id = $1 AND t.digest = $2", params).await
    }

    /// The `policy.*` event that tells of a decision, when it appended one.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn policy_event(
        &self,
        workspace: &WorkspaceId,
        correlation: &CorrelationId,
    ) -> Result<Option<EventRow>, DbError> {
        let tail = "WHERE t.workspace_id = $1 AND t.correlation_id = $2 \
                    AND t.event_type IN ('policy.denied', 'policy.requires_approval') ORDER BY t.position LIMIT 1";
        self.reader().row(tail, vec![workspace.as_str().into(), correlation.as_str().into()]).await
    }
}
