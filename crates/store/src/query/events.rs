//! Reading events: oldest first, by position or by place in a stream.

use std::time::{Duration, Instant};

use model::event::Stream;
use model::{CorrelationId, EventId, PrincipalId, RoomId, RunId, StepId, Time, WorkspaceId};

use crate::Store;
use crate::db::{ColumnType, DbError, Dialect, Param, Value};
use crate::feed::settled;
use crate::rows::EventRow;

/// A stream, from after a place in it.
#[derive(Debug, Clone)]
pub struct StreamPlace {
    /// Which stream.
    pub stream: Stream,
    /// After this sequence; 0 for all of it.
    pub from_seq: i64,
}

/// Which events are wanted. All that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this stream.
    pub stream: Option<StreamPlace>,
    /// In this room.
    pub room_id: Option<RoomId>,
    /// Of this run.
    pub run_id: Option<RunId>,
    /// Of this step.
    pub step_id: Option<StepId>,
    /// Of this cause.
    pub correlation_id: Option<CorrelationId>,
    /// Of one of these types; empty for all.
    pub event_types: Vec<String>,
    /// On behalf of this principal.
    pub principal_id: Option<PrincipalId>,
    /// Before this moment.
    pub before: Option<Time>,
    /// After this moment.
    pub after: Option<Time>,
}

impl EventFilter {
    /// Whether an event of the feed is wanted.
    #[must_use]
    pub fn wants(&self, event: &EventRow) -> bool {
        fn same<T: PartialEq>(wanted: &Option<T>, has: &Option<T>) -> bool {
            wanted.is_none() || wanted == has
        }
        self.stream.as_ref().is_none_or(|p| {
            p.stream.kind.as_str() == event.stream_type
                && p.stream.id == event.stream_id
                && event.stream_seq > p.from_seq
        }) && same(&self.room_id, &event.room_id)
            && same(&self.run_id, &event.run_id)
            && same(&self.step_id, &event.step_id)
            && self.correlation_id.as_ref().is_none_or(|c| *c == event.correlation_id)
            && (self.event_types.is_empty() || self.event_types.contains(&event.event_type))
            && same(&self.principal_id, &event.actor_principal_id)
            && self.before.is_none_or(|t| event.occurred_at < t)
            && self.after.is_none_or(|t| event.occurred_at > t)
    }
}

/// How long a reader waits for transactions that began before it did.
const SETTLE: Duration = Duration::from_secs(5);

impl Store {
    /// Waits until everything that was acknowledged before this call is settled, and so visible to
    /// [`Store::events`]. On SQLite it always is. When transactions of others hold this up for more
    /// than 5 s, it gives up waiting and what follows may be short of the newest events.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn settled(&self) -> Result<(), DbError> {
        if self.reader().dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let text = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, \
                    pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        let types = [ColumnType::Int, ColumnType::Int];
        let (mut fence, started) = (None, Instant::now());
        while started.elapsed() < SETTLE {
            let row = self.reader().values(text, Vec::new(), &types).await?.into_iter().next().unwrap_or_default();
            let [Value::Int(oldest), Value::Int(next)] = row.as_slice() else { return Ok(()) };
            if *oldest >= *fence.get_or_insert(*next) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Settled events after `position`, oldest first.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn events(
        &self,
        ws: &WorkspaceId,
        filter: &EventFilter,
        position: i64,
        limit: i64,
    ) -> Result<Vec<EventRow>, DbError> {
        let mut text = format!("WHERE t.workspace_id = $1 AND t.position > $2{}", settled(self.reader().dialect()));
        let mut params: Vec<Param> = vec![ws.as_str().into(), Param::Int(position)];
        let mut and = |condition: &str, param: Option<Param>| {
            if let Some(param) = param {
                params.push(param);
                text.push_str(&condition.replace('?', &format!("${}", params.len())));
            }
        };
        let owned = |v: &str| Some(Param::Text(v.to_owned()));
        if let Some(place) = &filter.stream {
            and(" AND t.stream_type = ?", owned(place.stream.kind.as_str()));
            and(" AND t.stream_id = ?", owned(&place.stream.id));
            and(" AND t.stream_seq > ?", Some(Param::Int(place.from_seq)));
        }
        and(" AND t.room_id = ?", filter.room_id.as_ref().and_then(|v| owned(v.as_str())));
        and(" AND t.run_id = ?", filter.run_id.as_ref().and_then(|v| owned(v.as_str())));
        and(" AND t.step_id = ?", filter.step_id.as_ref().and_then(|v| owned(v.as_str())));
        and(" AND t.correlation_id = ?", filter.correlation_id.as_ref().and_then(|v| owned(v.as_str())));
        and(" AND t.actor_principal_id = ?", filter.principal_id.as_ref().and_then(|v| owned(v.as_str())));
        and(" AND t.occurred_at < ?", filter.before.map(Param::Time));
        and(" AND t.occurred_at > ?", filter.after.map(Param::Time));
        if !filter.event_types.is_empty() {
            params.push(Param::List(filter.event_types.clone()));
            text.push_str(&format!(" AND t.event_type IN {{list:{}}}", params.len()));
        }
        params.push(Param::Int(limit));
        // A stream is read by its own index, everything else by position.
        let order = if filter.stream.is_some() { "t.stream_seq" } else { "t.position" };
        text.push_str(&format!(" ORDER BY {order} LIMIT ${}", params.len()));
        self.reader().rows(&text, params).await
    }

    /// One event of the workspace.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn event(&self, ws: &WorkspaceId, id: &EventId) -> Result<Option<EventRow>, DbError> {
        let tail = "WHERE t.event_id = $1 AND t.workspace_id = $2";
        self.reader().row(tail, vec![id.as_str().into(), ws.as_str().into()]).await
    }

    /// The position of the last settled event, 0 when there is none.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn head_position(&self) -> Result<i64, DbError> {
        crate::feed::head_position(self.reader()).await
    }
}
