//! Reading the store: one method per question. Everything is scoped to a workspace; a row of
//! another workspace is not there.

mod events;
mod gateways;
mod lists;
mod policies;
mod runs;
mod segments;

pub use events::{EventFilter, StreamPlace};
pub use lists::{ApprovalFilter, EgressFilter};
pub use runs::{RunBacklog, RunFilter, ToolCallFilter};
pub use segments::SegmentHead;

use crate::db::{ColumnType, DbError, Dialect, Param, Value};
use crate::rows::{
    AgentRow, ApprovalRow, CapabilityUseRow, DecisionRow, EgressRequestRow, KeyRow, LabelRow, PrincipalRow,
    RegistryRow, RoomRow, RunRow, SettingsRow, StepRow, TokenRow,
};
use crate::{INSTALL, Store};
use model::{
    AgentId, ApprovalId, DecisionId, EgressRequestId, KeyId, PrincipalId, RoomId, RunId, StepId, TokenId, WorkspaceId,
};

/// LIMIT: the most rows in one answer.
pub const LIMIT_MAX: i64 = 500;

macro_rules! by_id {
    ($($(#[$doc:meta])* $name:ident($id:ty) -> $row:ty, $column:literal;)*) => {
        impl Store {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`DbError`] when the store cannot be read.
                pub async fn $name(&self, workspace: &WorkspaceId, id: &$id) -> Result<Option<$row>, DbError> {
                    let tail = concat!("WHERE t.", $column, " = $1 AND t.workspace_id = $2");
                    self.reader().row(tail, vec![id.as_str().into(), workspace.as_str().into()]).await
                }
            )*
        }
    };
}

by_id! {
    /// A room of the workspace.
    room(RoomId) -> RoomRow, "room_id";
    /// A run of the workspace.
    run(RunId) -> RunRow, "run_id";
    /// A step of the workspace.
    step(StepId) -> StepRow, "step_id";
    /// An agent of the workspace.
    agent(AgentId) -> AgentRow, "agent_id";
    /// A capability token of the workspace.
    token(TokenId) -> TokenRow, "token_id";
    /// An egress request of the workspace.
    egress_request(EgressRequestId) -> EgressRequestRow, "egress_request_id";
    /// An approval of the workspace.
    approval(ApprovalId) -> ApprovalRow, "approval_id";
    /// A recorded decision of the workspace.
    decision(DecisionId) -> DecisionRow, "decision_id";
}

impl Store {
    /// A principal of the workspace, or of all.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn principal(&self, workspace: &WorkspaceId, id: &PrincipalId) -> Result<Option<PrincipalRow>, DbError> {
        let tail = "WHERE t.principal_id = $1 AND (t.workspace_id = $2 OR t.workspace_id IS NULL)";
        self.reader().row(tail, vec![id.as_str().into(), workspace.as_str().into()]).await
    }

    /// The label of a resource.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn label(
        &self,
        workspace: &WorkspaceId,
        resource_type: &str,
        resource_id: &str,
    ) -> Result<Option<LabelRow>, DbError> {
        let tail = "WHERE t.workspace_id = $1 AND t.resource_type = $2 AND t.resource_id = $3";
        self.reader().row(tail, vec![workspace.as_str().into(), resource_type.into(), resource_id.into()]).await
    }

    /// The settings of a workspace, when it has its own.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn settings(&self, workspace: &WorkspaceId) -> Result<Option<SettingsRow>, DbError> {
        self.reader().row("WHERE t.workspace_id = $1", vec![workspace.as_str().into()]).await
    }

    /// The action registry: the install's entries and the workspace's own.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn registry(&self, workspace: &WorkspaceId) -> Result<Vec<RegistryRow>, DbError> {
        let tail = "WHERE t.workspace_id = $1 OR t.workspace_id = $2 ORDER BY t.action_type, t.workspace_id";
        self.reader().rows(tail, vec![INSTALL.into(), workspace.as_str().into()]).await
    }

    /// A key, of whatever workspace.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn key(&self, id: &KeyId) -> Result<Option<KeyRow>, DbError> {
        self.reader().row("WHERE t.key_id = $1", vec![id.as_str().into()]).await
    }

    /// All keys, newest first; of one workspace when it is named.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn keys(&self, workspace: Option<&WorkspaceId>) -> Result<Vec<KeyRow>, DbError> {
        let tail = "WHERE $1 = '' OR t.workspace_id = $1 ORDER BY t.created_at DESC, t.key_id DESC";
        self.reader().rows(tail, vec![workspace.map_or("", |w| w.as_str()).into()]).await
    }

    /// How often tokens narrowed to a number of uses have been used; `chain` is the counter's name.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn capability_uses(
        &self,
        workspace: &WorkspaceId,
        chain: &str,
    ) -> Result<Option<CapabilityUseRow>, DbError> {
        let params = vec![workspace.as_str().into(), chain.into()];
        self.reader().row("WHERE t.workspace_id = $1 AND t.chain = $2", params).await
    }

    /// Whether the role this process runs as could switch the protection of the event log off: on
    /// PostgreSQL an owner or superuser. A SQLite file has no roles; there this is `false`.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn append_only_is_weak(&self) -> Result<bool, DbError> {
        if self.reader().dialect() == Dialect::Sqlite {
            return Ok(false);
        }
        let text = "SELECT (has_table_privilege(current_user, 'evt_events', 'UPDATE'))::int::bigint";
        let rows = self.reader().values(text, Vec::<Param>::new(), &[ColumnType::Int]).await?;
        Ok(rows.first().and_then(|row| row.first()) == Some(&Value::Int(1)))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`DbError`] when it does not.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.reader().values("SELECT count(*) FROM schema_migrations", Vec::<Param>::new(), &[]).await.map(|_| ())
    }
}
