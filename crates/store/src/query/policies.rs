//! The policy sets of a workspace: what holds, and every version there was.

use std::time::Duration;

use model::{CorrelationId, Time, WorkspaceId};

use crate::Store;
use crate::db::{DbError, Param};
use crate::query::LIMIT_MAX;
use crate::rows::{EventRow, PolicySetRow, PolicyTextRow, PolicyVersionRow};

/// How far the clocks of a process and of the store may be apart for an event to be found.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(30);

/// The least or the greatest id that is made at a moment (a UUID of version 7).
fn id_of(at: Time, middle: &str, last: char) -> String {
    let digits = format!("{:012x}", at.as_millis().max(0));
    let (front, back) = digits.split_at(digits.len().min(8));
    format!("{front}-{back}-{middle}-{}", last.to_string().repeat(12))
}

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

    /// The `policy.*` event that tells of a decision made at `at`, when it appended one.
    ///
    /// Ids of events begin with the moment they were made, so only those around `at` are looked at.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn policy_event(
        &self,
        workspace: &WorkspaceId,
        correlation: &CorrelationId,
        at: Time,
    ) -> Result<Option<EventRow>, DbError> {
        let tail = "WHERE t.event_id >= $1 AND t.event_id <= $2 AND t.workspace_id = $3 AND t.correlation_id = $4 \
                    AND t.event_type IN ('policy.denied', 'policy.requires_approval') ORDER BY t.event_id LIMIT 1";
        let (from, to) =
            (id_of(at.minus(CLOCKS_APART_MAX), "7000-8000", '0'), id_of(at.plus(CLOCKS_APART_MAX), "7fff-bfff", 'f'));
        let params = vec![Param::Text(from), Param::Text(to), workspace.as_str().into(), correlation.as_str().into()];
        self.reader().row(tail, params).await
    }
}
