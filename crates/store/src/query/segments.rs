//! Reading the decision log: which segments there are, and what is in them, only as far as wanted.
//!
//! A segment has an id, and while it is being gathered it exists as parts whose ids are the segment's
//! and `.` and a number. Parts are replaced by the whole in one transaction, so a reader who takes
//! all that share an id never sees a decision twice.

use model::{Time, WorkspaceId};

use crate::Store;
use crate::db::{ColumnType, DbError, Param, Value};
use crate::rows::ReviewRow;

/// A segment, or a part of one, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentHead {
    /// Its id.
    pub segment_id: String,
    /// The first decision.
    pub from_at: Time,
    /// The last decision.
    pub to_at: Time,
    /// How many decisions.
    pub rows: u64,
}

impl SegmentHead {
    /// The id of the segment that this is, or is a part of.
    #[must_use]
    pub fn whole(&self) -> &str {
        self.segment_id.split_once('.').map_or(&self.segment_id, |(whole, _)| whole)
    }
}

const HEAD: &[ColumnType] = &[ColumnType::Text, ColumnType::Time, ColumnType::Time, ColumnType::Int];

impl Store {
    /// The segments that overlap `since..until`, in the order of their ids, those after `after` (the
    /// id of a whole segment) only; at most `limit` with their parts.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn segments(
        &self,
        workspace: &WorkspaceId,
        since: Time,
        until: Time,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SegmentHead>, DbError> {
        // `/` is the character behind `.`: behind the segment and all of its parts.
        let text = "SELECT t.segment_id, t.from_at, t.to_at, t.rows FROM decision_segments t \
                    WHERE t.workspace_id = $1 AND t.to_at >= $2 AND t.from_at < $3 AND t.segment_id >= $4 \
                    ORDER BY t.segment_id LIMIT $5";
        let behind = if after.is_empty() { String::new() } else { format!("{after}/") };
        let params = vec![
            workspace.as_str().into(),
            Param::Time(since),
            Param::Time(until),
            Param::Text(behind),
            Param::Int(limit),
        ];
        self.reader().values(text, params, HEAD).await?.into_iter().map(head).collect()
    }

    /// How many decisions there are in the segments that [`Self::segments`] would give.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn segment_rows(
        &self,
        workspace: &WorkspaceId,
        since: Time,
        until: Time,
        after: &str,
    ) -> Result<u64, DbError> {
        let text = "SELECT CAST(coalesce(sum(t.rows), 0) AS bigint) FROM decision_segments t \
                    WHERE t.workspace_id = $1 AND t.to_at >= $2 AND t.from_at < $3 AND t.segment_id >= $4";
        let behind = if after.is_empty() { String::new() } else { format!("{after}/") };
        let params = vec![workspace.as_str().into(), Param::Time(since), Param::Time(until), Param::Text(behind)];
        let rows = self.reader().values(text, params, &[ColumnType::Int]).await?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(rows)) => u64::try_from(*rows).unwrap_or(0),
            _ => 0,
        })
    }

    /// What is in a segment and all of its parts, without the ids: their ids and bytes.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn segment_facts(&self, workspace: &WorkspaceId, whole: &str) -> Result<Vec<(String, Vec<u8>)>, DbError> {
        let text = "SELECT t.segment_id, t.facts FROM decision_segments t \
                    WHERE t.workspace_id = $1 AND t.segment_id >= $2 AND t.segment_id < $3 ORDER BY t.segment_id";
        let params = vec![workspace.as_str().into(), whole.into(), Param::Text(format!("{whole}/"))];
        let rows = self.reader().values(text, params, &[ColumnType::Text, ColumnType::Bytes]).await?;
        rows.into_iter()
            .map(|row| match <[Value; 2]>::try_from(row) {
                Ok([Value::Text(id), Value::Bytes(facts)]) => Ok((id, facts)),
                _ => Err(DbError::BadRow { table: "decision_segments", column: "facts" }),
            })
            .collect()
    }

    /// The ids of the decisions of a segment or part.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn segment_ids(&self, workspace: &WorkspaceId, segment_id: &str) -> Result<Option<Vec<u8>>, DbError> {
        let text = "SELECT t.ids FROM decision_segments t WHERE t.workspace_id = $1 AND t.segment_id = $2";
        let params = vec![workspace.as_str().into(), segment_id.into()];
        let rows = self.reader().values(text, params, &[ColumnType::Bytes]).await?;
        Ok(rows.into_iter().flatten().find_map(|value| match value {
            Value::Bytes(ids) => Some(ids),
            _ => None,
        }))
    }

    /// Removes what of the decision log ended before a moment. It is no evidence: the events are.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be written.
    pub async fn remove_decision_log(&self, before: Time) -> Result<u64, DbError> {
        self.reader().execute("DELETE FROM decision_segments WHERE to_at < $1", vec![Param::Time(before)]).await
    }

    /// The would-blocks that somebody looked at.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn reviews(&self, workspace: &WorkspaceId) -> Result<Vec<ReviewRow>, DbError> {
        self.reader().rows("WHERE t.workspace_id = $1 ORDER BY t.group_id", vec![workspace.as_str().into()]).await
    }
}

fn head(row: Vec<Value>) -> Result<SegmentHead, DbError> {
    let time = |value: Value| match value {
        Value::Time(at) => Some(at),
        Value::Text(text) => Time::parse(&text).ok(),
        _ => None,
    };
    let bad = |column| DbError::BadRow { table: "decision_segments", column };
    let [id, from, to, rows] = <[Value; 4]>::try_from(row).map_err(|_| bad("segment_id"))?;
    Ok(SegmentHead {
        segment_id: if let Value::Text(id) = id { id } else { return Err(bad("segment_id")) },
        from_at: time(from).ok_or_else(|| bad("from_at"))?,
        to_at: time(to).ok_or_else(|| bad("to_at"))?,
        rows: if let Value::Int(rows) = rows { u64::try_from(rows).unwrap_or(0) } else { 0 },
    })
}
