//! Which processes let requests out, and what those that died left open.

use std::collections::BTreeSet;

use model::event::EventType;
use model::{CorrelationId, EgressRequestId, GatewayId, Time};

use crate::Store;
use crate::db::{ColumnType, DbError, Param, Value};
use crate::feed::head_position;
use crate::rows::{EgressRequestRow, EventRow, GatewayRow};

/// LIMIT: events, or ids, looked at in one read.
const CHUNK: usize = 2_000;

impl Store {
    /// The position of the last event that every later one comes after; 0 when there is none.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn position(&self) -> Result<i64, DbError> {
        head_position(self.reader()).await
    }

    /// The gateways that are not swept and gave no sign of life since `before`, or said that they ended.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn silent_gateways(&self, before: Time) -> Result<Vec<GatewayRow>, DbError> {
        let tail = "WHERE t.swept_at IS NULL AND (t.ended_at IS NOT NULL OR t.seen_at < $1) ORDER BY t.gateway_id";
        self.reader().rows(tail, vec![Param::Time(before)]).await
    }

    /// A gateway by its id.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn gateway(&self, id: &GatewayId) -> Result<Option<GatewayRow>, DbError> {
        self.reader().row("WHERE t.gateway_id = $1", vec![id.as_str().into()]).await
    }

    /// Whether the outcome of a request is recorded. Looks at the events of its correlation.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn has_outcome(&self, id: &EgressRequestId, correlation: &CorrelationId) -> Result<bool, DbError> {
        let tail = "WHERE t.correlation_id = $1 AND t.event_type = $2 AND t.data->>'egress_request_id' = $3";
        let completed = EventType::EgressCompleted.as_str();
        let params = vec![correlation.as_str().into(), completed.into(), id.as_str().into()];
        Ok(self.reader().row::<EventRow>(tail, params).await?.is_some())
    }

    /// The requests that `gateway` let out after `position` and that have no outcome.
    ///
    /// Reads every egress event after that position: for what a process left behind, not for a list.
    /// The process must be silent: what it is still committing may be missed.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn left_open(&self, gateway: &GatewayId, position: i64) -> Result<Vec<EgressRequestRow>, DbError> {
        let [allowed, blocked, completed] =
            [EventType::EgressAllowed, EventType::EgressBlocked, EventType::EgressCompleted].map(|kind| kind.as_str());
        let text = format!(
            "SELECT t.position, t.event_type, t.data->>'egress_request_id' FROM evt_events t \
             WHERE t.position > $1 AND t.event_type IN ('{allowed}', '{blocked}', '{completed}') \
             ORDER BY t.position LIMIT {CHUNK}"
        );
        let (mut open, mut after) = (BTreeSet::new(), position);
        loop {
            let columns = [ColumnType::Int, ColumnType::Text, ColumnType::Text];
            let rows = self.reader().values(&text, vec![Param::Int(after)], &columns).await?;
            let count = rows.len();
            for row in rows {
                let [Value::Int(at), Value::Text(kind), Value::Text(id)] = row.as_slice() else { continue };
                after = *at;
                if kind == completed {
                    open.remove(id.as_str());
                } else {
                    open.insert(id.to_string());
                }
            }
            if count < CHUNK {
                break;
            }
        }
        let mut left = Vec::new();
        for id in open {
            let id = EgressRequestId::from_stored(id);
            let tail = "WHERE t.egress_request_id = $1 AND t.gateway_id = $2";
            let row = self.reader().row(tail, vec![id.as_str().into(), gateway.as_str().into()]).await?;
            left.extend(row.filter(|row: &EgressRequestRow| !row.blocked));
        }
        Ok(left)
    }
}
