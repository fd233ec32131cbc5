//! Keeping a lease, and giving it back.

use std::time::Duration;

use gate::change::{By, Facts};
use gate::wording::{REASON_CHARS_MAX, Wording};
use gate::{Caller, Fence, GateError, Refusal};
use model::event::Stream;
use model::run::RunStatus;
use model::{RunId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::{LeaseRow, RunRow};
use store::{Command, Reads, Tx};

use crate::Runs;
use crate::attempt::give_back;
use crate::error::{no_run, not_running};
use crate::record::{Author, RunOutput};

/// A sign of life.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatInput {
    /// What the claim gave.
    pub claim_token: Option<String>,
}

/// A lease that was prolonged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatOutput {
    /// Always true.
    pub ok: bool,
    /// When the lease is over now.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub lease_expires_at: Time,
}

/// A run that is given back.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseInput {
    /// What the claim gave.
    pub claim_token: Option<String>,
    /// Why, when the worker could not do it; such an attempt counts as failed. At most 4,000
    /// characters.
    pub message: Option<String>,
    /// The same for programs.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub error: Option<Value>,
}

impl Runs {
    /// Prolongs a lease by its own length, from now.
    ///
    /// # Errors
    /// 404 `run_not_found`; 409 `lease_token_mismatch`, `lease_expired`, `run_not_running`; see
    /// [`GateError`].
    pub async fn heartbeat(
        &self,
        caller: &Caller,
        run_id: &str,
        input: HeartbeatInput,
    ) -> Result<HeartbeatOutput, GateError> {
        let run = self.stored(caller, run_id).await?;
        let fence = shown(&run, input.claim_token.as_deref());
        let kept =
            self.gate.submit(caller, None, |caller| Ok(KeepLease { by: By::of(caller), fence: fence.clone() })).await?;
        Ok(kept.value)
    }

    /// Gives a run back to the queue. With a message or error the attempt counts as failed: after
    /// the third one the run fails.
    ///
    /// # Errors
    /// As [`Runs::heartbeat`]; and 400 `invalid_request`.
    pub async fn release(&self, caller: &Caller, run_id: &str, input: ReleaseInput) -> Result<RunOutput, GateError> {
        let run = self.stored(caller, run_id).await?;
        let read = || {
            let mut wording = Wording::new();
            let message = wording.optional(input.message.as_deref(), "/message", REASON_CHARS_MAX)?;
            let error = input.error.clone().filter(|v| !v.is_null()).map(|v| wording.clean_value(v));
            Ok((message, error))
        };
        let (message, error) = self.gate.told(caller, read()).await?;
        let fence = shown(&run, input.claim_token.as_deref());
        let given = self
            .gate
            .submit(caller, None, |caller| {
                Ok(ReleaseLease {
                    by: By::of(caller),
                    run: run.clone(),
                    fence: fence.clone(),
                    message: message.clone(),
                    error: error.clone(),
                })
            })
            .await?;
        Ok(given.value)
    }
}

/// A lease is only spoken of with a token; without one it does not match.
fn shown(run: &RunRow, token: Option<&str>) -> Fence {
    Fence::shown(run.run_id.clone(), Some(token.unwrap_or_default()))
}

/// The lease that the fence is for.
fn held(tx: &Tx<'_>, fence: &Fence) -> Result<LeaseRow, Refusal> {
    let run = fence.run_id();
    let status = tx.get::<RunRow>(&[run.as_str()]).ok_or_else(no_run)?.status;
    let lease = tx.get::<LeaseRow>(&[run.as_str()]).cloned();
    if lease.is_none() && status != RunStatus::Running {
        return Err(not_running());
    }
    fence.check(tx)?;
    lease.ok_or_else(not_running)
}

/// The lease, prolonged from now on.
pub(crate) fn prolonged(lease: LeaseRow, now: Time) -> LeaseRow {
    let length = Duration::from_millis(u64::try_from(lease.lease_ms).unwrap_or(0));
    LeaseRow { lease_expires_at: now.plus(length), lease_heartbeat_at: now, ..lease }
}

struct KeepLease {
    by: By,
    fence: Fence,
}

impl Command for KeepLease {
    type Output = HeartbeatOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.row::<RunRow>(&[self.fence.run_id().as_str()]);
        self.fence.reads(reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<HeartbeatOutput, Refusal> {
        let lease = prolonged(held(tx, &self.fence)?, tx.now());
        let lease_expires_at = lease.lease_expires_at;
        tx.put(lease);
        Ok(HeartbeatOutput { ok: true, lease_expires_at })
    }
}

struct ReleaseLease {
    by: By,
    /// The run as it was when the command was made; only what never changes is used of it.
    run: RunRow,
    fence: Fence,
    message: Option<String>,
    error: Option<Value>,
}

impl Command for ReleaseLease {
    type Output = RunOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.run(&self.run.run_id);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RunOutput, Refusal> {
        let lease = held(tx, &self.fence)?;
        let errored = self.message.is_some() || self.error.is_some();
        let facts = Facts::new().maybe("message", self.message.as_ref()).maybe("error", self.error.as_ref());
        give_back(tx, &Author::of(&self.by), &lease, errored, facts);
        Ok(RunOutput::of(tx, &self.run.run_id))
    }
}

/// Prolongs every lease of a process at once. What is no longer its own is left alone.
pub(crate) struct KeepLeases {
    pub(crate) held: Vec<(RunId, model::ClaimToken)>,
}

impl Command for KeepLeases {
    /// The runs that are no longer its own.
    type Output = Vec<RunId>;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        for (run, _) in &self.held {
            reads.row::<LeaseRow>(&[run.as_str()]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Vec<RunId>, Refusal> {
        let mut lost = Vec::new();
        for (run, token) in &self.held {
            if Fence::new(run.clone(), Some(token.clone())).check(tx).is_err() {
                lost.push(run.clone());
            } else if let Some(lease) = tx.get::<LeaseRow>(&[run.as_str()]).cloned() {
                let lease = prolonged(lease, tx.now());
                tx.put(lease);
            }
        }
        Ok(lost)
    }
}
