//! Reading runs: what they are made of, who has them, who waits.

use model::run::RunStatus;
use model::{RoomId, RunAttemptId, RunId, StepId, ToolCallId, WorkspaceId};

use super::lists::Tail;
use crate::Store;
use crate::db::{ColumnType, DbError, Param, Value};
use crate::rows::{AttemptRow, LeaseRow, RunRow, StepRow, ToolCallRow};

/// Which runs are wanted.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this room.
    pub room_id: Option<RoomId>,
    /// With this status.
    pub status: Option<RunStatus>,
}

/// Which tool calls are wanted.
#[derive(Debug, Clone, Default)]
pub struct ToolCallFilter {
    /// Of this run.
    pub run_id: Option<RunId>,
    /// Of this step.
    pub step_id: Option<StepId>,
}

impl Store {
    /// The runs of the workspace, newest first.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn runs(
        &self,
        ws: &WorkspaceId,
        filter: &RunFilter,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<RunRow>, DbError> {
        let tail = Tail::of(ws)
            .and("t.room_id = ?", filter.room_id.as_ref().map(|id| id.as_str().into()))
            .and("t.status = ?", filter.status.map(|status| status.as_str().into()))
            .page("run_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// The steps of a run, oldest first, after the one with the id `after`.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn steps(
        &self,
        ws: &WorkspaceId,
        run: &RunId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<StepRow>, DbError> {
        let tail = "WHERE t.run_id = $1 AND t.workspace_id = $2 AND t.step_id > $3 ORDER BY t.step_id LIMIT $4";
        let params = vec![run.as_str().into(), ws.as_str().into(), after.unwrap_or("").into(), Param::Int(limit)];
        self.reader().rows(tail, params).await
    }

    /// The attempts at a run of which `attempts` were made, oldest first.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn attempts(&self, ws: &WorkspaceId, run: &RunId, attempts: i64) -> Result<Vec<AttemptRow>, DbError> {
        let ids = (1..=attempts).map(|number| RunAttemptId::of(run, number).into_string()).collect();
        let tail = "WHERE t.run_attempt_id IN {list:1} AND t.workspace_id = $2 ORDER BY t.attempt_no";
        self.reader().rows(tail, vec![Param::List(ids), ws.as_str().into()]).await
    }

    /// Who has a run, if anybody.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn lease(&self, ws: &WorkspaceId, run: &RunId) -> Result<Option<LeaseRow>, DbError> {
        let tail = "WHERE t.run_id = $1 AND t.workspace_id = $2";
        self.reader().row(tail, vec![run.as_str().into(), ws.as_str().into()]).await
    }

    /// A tool call of the workspace.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn tool_call(&self, ws: &WorkspaceId, id: &ToolCallId) -> Result<Option<ToolCallRow>, DbError> {
        let tail = "WHERE t.tool_call_id = $1 AND t.workspace_id = $2";
        self.reader().row(tail, vec![id.as_str().into(), ws.as_str().into()]).await
    }

    /// The tool calls of the workspace, newest first.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn tool_calls(
        &self,
        ws: &WorkspaceId,
        filter: &ToolCallFilter,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<ToolCallRow>, DbError> {
        let tail = Tail::of(ws)
            .and("t.run_id = ?", filter.run_id.as_ref().map(|id| id.as_str().into()))
            .and("t.step_id = ?", filter.step_id.as_ref().map(|id| id.as_str().into()))
            .page("tool_call_id", after, limit);
        self.reader().rows(&tail.text, tail.params).await
    }

    /// Workspaces with a queued run whose time has come, in order of their ids, after `after`.
    ///
    /// It looks each workspace up in the queue's index, however long the queue is.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn ready_workspaces(&self, after: &str, limit: i64) -> Result<Vec<WorkspaceId>, DbError> {
        let text = "WITH RECURSIVE w(id, n) AS ( \
               SELECT (SELECT min(workspace_id) FROM run_queue WHERE workspace_id > $1), 1 \
               UNION ALL \
               SELECT (SELECT min(q.workspace_id) FROM run_queue q WHERE q.workspace_id > w.id), w.n + 1 \
               FROM w WHERE w.id IS NOT NULL AND w.n < CAST($2 AS bigint) * 4) \
             SELECT w.id FROM w WHERE w.id IS NOT NULL AND EXISTS \
               (SELECT 1 FROM run_queue q WHERE q.workspace_id = w.id AND q.ready_at <= {now}) \
             ORDER BY w.id LIMIT $2";
        let rows = self.reader().values(text, vec![after.into(), Param::Int(limit)], &[ColumnType::Text]).await?;
        let id = |row: Vec<Value>| match row.into_iter().next() {
            Some(Value::Text(id)) => Some(WorkspaceId::from_stored(id)),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(id).collect())
    }

    /// How many runs are queued, leased and waiting, up to `most` each.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn run_backlog(&self, most: i64) -> Result<RunBacklog, DbError> {
        let text = "SELECT (SELECT count(*) FROM (SELECT 1 FROM run_queue LIMIT $1) q), \
                           (SELECT count(*) FROM (SELECT 1 FROM run_leases LIMIT $1) l), \
                           (SELECT count(*) FROM (SELECT 1 FROM run_waits LIMIT $1) w)";
        let rows = self.reader().values(text, vec![Param::Int(most)], &[ColumnType::Int; 3]).await?;
        let mut counts = rows.into_iter().next().unwrap_or_default().into_iter();
        let mut next = || match counts.next() {
            Some(Value::Int(n)) => n,
            _ => 0,
        };
        Ok(RunBacklog { queued: next(), leased: next(), waiting: next() })
    }
}

/// How much there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunBacklog {
    /// Runs in the queue.
    pub queued: i64,
    /// Runs that a worker has.
    pub leased: i64,
    /// Runs that wait for an approval.
    pub waiting: i64,
}
