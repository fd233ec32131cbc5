//! What a process that let requests out left open when it died: each gets the outcome `unknown`, once, and
//! each confined command that tried to get out another way its event.
//!
//! The name is ended first, which fences the process off should it only have slept; then the log is
//! read; then one command records all outcomes and that it was swept. Of two sweepers one is refused.

use std::time::Duration;

use model::event::{EventContext, Stream};
use model::{Actor, Canonical, GatewayId, Time, Zone};
use store::rows::{EgressRequestRow, GatewayRow, GuardMarkRow};
use store::{Command, DbError, Reads, Store, SubmitError, Tx};

use super::{SILENT, ended};
use crate::execution::{Ending, ExecutionOutcome, Finished, completed};
use crate::{Gate, GateError, Refusal, clock};

impl Gate {
    /// Gives every request that a dead process left open the outcome `unknown`, and every violation it had
    /// marked its event. To be called every few
    /// seconds; any number of replicas may sweep at once. Gives how many there were.
    ///
    /// # Errors
    /// [`GateError`] when the store cannot be read or written; the next sweep goes on.
    pub async fn sweep_gateways(&self) -> Result<u64, GateError> {
        let before = back(clock::now(), SILENT);
        let mut count = 0;
        for row in self.store().silent_gateways(before).await? {
            count += self.sweep_gateway(row).await?;
        }
        Ok(count)
    }

    async fn sweep_gateway(&self, row: GatewayRow) -> Result<u64, GateError> {
        let id = row.gateway_id.clone();
        if row.ended_at.is_none() {
            let silent_since = Some(row.seen_at);
            match self.store().submit(End { id: id.clone(), silent_since }).await {
                Ok(_) => {}
                Err(SubmitError::Refused(_)) => return Ok(0),
                Err(error) => return Err(crate::submit::plain_error(error)),
            }
        }
        let left = self.store().left_open(&id, row.open_after).await?;
        let marks = self.store().marks_left_open(&id).await?;
        let count = u64::try_from(left.len() + marks.len()).unwrap_or(u64::MAX);
        match self.store().submit(Sweep { id: id.clone(), left, marks }).await {
            Ok(_) => {
                tracing::info!(gateway = id.as_str(), count, "swept what a process left open");
                Ok(count)
            }
            Err(SubmitError::Refused(_)) => Ok(0),
            Err(error) => Err(crate::submit::plain_error(error)),
        }
    }
}

fn back(now: Time, by: Duration) -> Time {
    Time::from_millis(now.as_millis() - i64::try_from(by.as_millis()).unwrap_or(0))
}

/// Ends a gateway's name: nothing is recorded under it from then on.
pub(super) struct End {
    pub(super) id: GatewayId,
    /// Only if it gave no sign of life since.
    pub(super) silent_since: Option<Time>,
}

impl Command for End {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<GatewayRow>(&[self.id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        let row = tx.get::<GatewayRow>(&[self.id.as_str()]).cloned().ok_or_else(ended)?;
        if row.ended_at.is_some() {
            return Ok(());
        }
        if self.silent_since.is_some_and(|since| row.seen_at != since || back(tx.now(), SILENT) < row.seen_at) {
            return Err(Refusal::conflict("gateway_alive", "it gave a sign of life"));
        }
        let ended_at = Some(tx.now());
        tx.put(GatewayRow { ended_at, ..row });
        Ok(())
    }
}

struct Sweep {
    id: GatewayId,
    left: Vec<EgressRequestRow>,
    marks: Vec<GuardMarkRow>,
}

impl Command for Sweep {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<GatewayRow>(&[self.id.as_str()]);
        for row in &self.left {
            reads.stream(Stream::of(&row.workspace_id, row.room_id.as_ref()));
        }
        for mark in &self.marks {
            crate::violation::reads(mark, reads);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        let row = tx.get::<GatewayRow>(&[self.id.as_str()]).cloned().ok_or_else(ended)?;
        if row.swept_at.is_some() {
            return Err(Refusal::conflict("gateway_swept", "another process swept it"));
        }
        let now = tx.now();
        for left in &self.left {
            let duration_ms = u64::try_from(now.as_millis() - left.created_at.as_millis()).unwrap_or(0);
            let ending = Ending { error_code: Some("gateway_died"), ..Ending::of(ExecutionOutcome::Unknown) };
            tx.append(&context(left), completed(&left.egress_request_id, &ending, duration_ms));
        }
        for mark in &self.marks {
            crate::violation::settle(mark, tx);
        }
        tx.put(GatewayRow { swept_at: Some(now), ..row });
        Ok(())
    }
}

fn context(row: &EgressRequestRow) -> EventContext {
    EventContext {
        workspace_id: row.workspace_id.clone(),
        room_id: row.room_id.clone(),
        thread_id: None,
        run_id: row.run_id.clone(),
        step_id: row.step_id.clone(),
        actor: Actor::new(row.requested_by_type, row.requested_by_id.clone()),
        principal_id: row.requested_by_principal_id.clone(),
        zone: row.zone.unwrap_or(Zone::Supervised),
        correlation_id: row.correlation_id.clone(),
        policy_context: Canonical::empty(),
        model_context: Canonical::empty(),
        contains_secrets: false,
    }
}

/// What of a batch that could not be recorded still has to be.
pub(super) async fn unrecorded(
    store: &Store,
    now: &GatewayId,
    batch: Vec<Finished>,
) -> Result<Vec<Finished>, (DbError, Vec<Finished>)> {
    match sort_out(store, now, &batch).await {
        Ok(keep) => Ok(batch
            .into_iter()
            .zip(keep)
            .filter_map(|(mut finished, keep)| {
                finished.open.life.id = keep?;
                Some(finished)
            })
            .collect()),
        Err(error) => Err((error, batch)),
    }
}

/// Under which name each is to be recorded; none when it is recorded already.
async fn sort_out(store: &Store, now: &GatewayId, batch: &[Finished]) -> Result<Vec<Option<GatewayId>>, DbError> {
    let mut names = Vec::with_capacity(batch.len());
    for finished in batch {
        let open = &finished.open;
        let earlier = if open.life.id == *now { None } else { store.gateway(&open.life.id).await? };
        names.push(match earlier {
            // Ended and not swept yet: then it is too early to know.
            Some(row) if row.swept_at.is_none() => Some(open.life.id.clone()),
            _ if store.has_outcome(&open.id).await? => None,
            _ => Some(now.clone()),
        });
    }
    Ok(names)
}
