//! Lists, newest first. Ids are time-ordered, so a cursor is the last id of the page before.

use model::approval::ApprovalStatus;
use model::{Outcome, PrincipalId, RoomId, RunId, Time, WorkspaceId};

use crate::Store;
use crate::db::{DbError, Param};
use crate::rows::{AgentRow, ApprovalRow, EdgeRow, EgressRequestRow, LabelRow, RoomRow, TokenRow};

/// Which egress requests are wanted.
#[derive(Debug, Clone, Default)]
pub struct EgressFilter {
    /// Of this room.
    pub room_id: Option<RoomId>,
    /// Of this run.
    pub run_id: Option<RunId>,
    /// With this decision.
    pub decision: Option<Outcome>,
    /// Made at or after this.
    pub since: Option<Time>,
}

/// Which approvals are wanted.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// With this status.
    pub status: Option<ApprovalStatus>,
    /// Of this room.
    pub room_id: Option<RoomId>,
    /// Of this run.
    pub run_id: Option<RunId>,
}

/// Conditions with their parameters.
pub(super) struct Tail {
    pub(super) text: String,
    pub(super) params: Vec<Param>,
}

impl Tail {
    pub(super) fn of(workspace: &WorkspaceId) -> Self {
        Self { text: "WHERE t.workspace_id = $1".to_owned(), params: vec![workspace.as_str().into()] }
    }

    /// Adds `condition`, whose `?` is the parameter.
    pub(super) fn and(mut self, condition: &str, param: Option<Param>) -> Self {
        if let Some(param) = param {
            self.params.push(param);
            let place = format!("${}", self.params.len());
            self.text.push_str(" AND ");
            self.text.push_str(&condition.replace('?', &place));
        }
        self
    }

    pub(super) fn page(self, id: &str, after: Option<&str>, limit: i64) -> Self {
        let mut tail = self.and(&format!("t.{id} < ?"), after.map(Param::from));
        tail.params.push(Param::Int(limit));
        let place = tail.params.len();
        tail.text.push_str(&format!(" ORDER BY t.{id} DESC LIMIT ${place}"));
        tail
    }
}

fn text(value: Option<impl AsRef<str>>) -> Option<Param> {
    value.map(|v| Param::Text(v.as_ref().to_owned()))
}

impl Store {
    /// The rooms of the workspace.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn rooms(&self, ws: &WorkspaceId, after: Option<&str>, limit: i64) -> Result<Vec<RoomRow>, DbError> {
        let tail = Tail::of(ws).page("room_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// The agents of the workspace.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn agents(&self, ws: &WorkspaceId, after: Option<&str>, limit: i64) -> Result<Vec<AgentRow>, DbError> {
        let tail = Tail::of(ws).page("agent_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// The capability tokens of the workspace, of one principal when it is named.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn tokens(
        &self,
        ws: &WorkspaceId,
        principal: Option<&PrincipalId>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<TokenRow>, DbError> {
        let tail = Tail::of(ws).and("t.issued_to_principal_id = ?", text(principal)).page("token_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// The delegations of the workspace, to or by one principal when it is named.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn delegations(
        &self,
        ws: &WorkspaceId,
        principal: Option<&PrincipalId>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<EdgeRow>, DbError> {
        let tail = Tail::of(ws)
            .and("(t.issued_to_principal_id = ? OR t.granted_by_principal_id = ?)", text(principal))
            .page("edge_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// Egress requests.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn egress_requests(
        &self,
        ws: &WorkspaceId,
        filter: &EgressFilter,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<EgressRequestRow>, DbError> {
        let tail = Tail::of(ws)
            .and("t.room_id = ?", text(filter.room_id.as_ref()))
            .and("t.run_id = ?", text(filter.run_id.as_ref()))
            .and("t.policy_decision = ?", text(filter.decision.map(Outcome::as_str)))
            .and("t.created_at >= ?", filter.since.map(Param::Time))
            .page("egress_request_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// Approvals.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn approvals(
        &self,
        ws: &WorkspaceId,
        filter: &ApprovalFilter,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<ApprovalRow>, DbError> {
        let tail = Tail::of(ws)
            .and("t.status = ?", text(filter.status.map(ApprovalStatus::as_str)))
            .and("t.room_id = ?", text(filter.room_id.as_ref()))
            .and("t.run_id = ?", text(filter.run_id.as_ref()))
            .page("approval_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// Open or approved approvals of all workspaces whose time has run out, for the sweep.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn approvals_out_of_time(&self, now: Time, limit: i64) -> Result<Vec<ApprovalRow>, DbError> {
        let tail = "WHERE t.status IN ('pending','held','approved') AND t.consumed_at IS NULL AND t.expires_at <= $1 \
                    ORDER BY t.expires_at LIMIT $2";
        self.reader().rows(tail, vec![Param::Time(now), Param::Int(limit)]).await
    }

    /// Open approvals that an ask raised, of all workspaces, oldest first, for the sweep.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn open_asks(&self, after: Option<&str>, limit: i64) -> Result<Vec<ApprovalRow>, DbError> {
        let tail = "WHERE t.status IN ('pending','held') AND t.ask_key IS NOT NULL AND t.approval_id > $1 \
                    ORDER BY t.approval_id LIMIT $2";
        self.reader().rows(tail, vec![after.unwrap_or("").into(), Param::Int(limit)]).await
    }

    /// The labels of the workspace, by resource; `after` is the last (type, id).
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn labels(
        &self,
        ws: &WorkspaceId,
        after: Option<(&str, &str)>,
        limit: i64,
    ) -> Result<Vec<LabelRow>, DbError> {
        let (kind, id) = after.unwrap_or(("", ""));
        let tail = "WHERE t.workspace_id = $1 AND (t.resource_type > $2 OR (t.resource_type = $2 AND t.resource_id > $3)) \
                    ORDER BY t.resource_type, t.resource_id LIMIT $4";
        self.reader().rows(tail, vec![ws.as_str().into(), kind.into(), id.into(), Param::Int(limit)]).await
    }
}
