//! Which processes let requests out, and what those that died left open.

use model::event::EventType;
use model::{EgressRequestId, GatewayId, Time};

use crate::Store;
use crate::db::{ColumnType, DbError, Param, Value};
use crate::feed::head_position;
use crate::rows::{EgressRequestRow, EventRow, GatewayRow, GuardMarkRow};

/// LIMIT: requests found in one read.
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

    /// Whether the outcome of a request is recorded.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn has_outcome(&self, id: &EgressRequestId) -> Result<bool, DbError> {
        Ok(self.outcome(id).await?.is_some())
    }

    /// The event of a request's outcome, when it is recorded.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn outcome(&self, id: &EgressRequestId) -> Result<Option<EventRow>, DbError> {
        let tail = format!("WHERE {} AND t.data->>'egress_request_id' = $1", of_outcomes("t"));
        self.reader().row(&tail, vec![id.as_str().into()]).await
    }

    /// The confined commands of `gateway` that tried to get out another way and have no event yet.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn marks_left_open(&self, gateway: &GatewayId) -> Result<Vec<GuardMarkRow>, DbError> {
        let tail = "WHERE t.gateway_id = $1 AND t.event_id IS NULL ORDER BY t.guard_call_id";
        self.reader().rows(tail, vec![gateway.as_str().into()]).await
    }

    /// The requests that `gateway` let out after `position` and that have no outcome.
    ///
    /// Reads every egress event after that position: for what a process left behind, not for a list.
    /// The process must be silent: what it is still committing may be missed.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn left_open(&self, gateway: &GatewayId, position: i64) -> Result<Vec<EgressRequestRow>, DbError> {
        let [allowed, blocked] = [EventType::EgressAllowed, EventType::EgressBlocked].map(|kind| kind.as_str());
        let text = format!(
            "SELECT t.position, r.egress_request_id FROM evt_events t \
             JOIN sec_egress_requests r ON r.egress_request_id = t.data->>'egress_request_id' \
             WHERE t.position > $1 AND t.event_type IN ('{allowed}', '{blocked}') AND r.gateway_id = $2 AND NOT r.blocked \
             AND NOT EXISTS (SELECT 1 FROM evt_events o WHERE {} AND o.data->>'egress_request_id' = r.egress_request_id) \
             ORDER BY t.position LIMIT {CHUNK}",
            of_outcomes("o")
        );
        let (mut left, mut after) = (Vec::new(), position);
        loop {
            let params = vec![Param::Int(after), gateway.as_str().into()];
            let rows = self.reader().values(&text, params, &[ColumnType::Int, ColumnType::Text]).await?;
            let count = rows.len();
            for row in rows {
                let [Value::Int(at), Value::Text(id)] = row.as_slice() else { continue };
                after = *at;
                let tail = "WHERE t.egress_request_id = $1";
                left.extend(self.reader().row::<EgressRequestRow>(tail, vec![Param::Text(id.to_string())]).await?);
            }
            if count < CHUNK {
                return Ok(left);
            }
        }
    }
}

/// The condition of the index of outcomes, word for word.
fn of_outcomes(table: &str) -> String {
    format!("{table}.event_type = '{}'", EventType::EgressCompleted.as_str())
}
