//! Calling a run off, whoever has it: what its worker writes from then on is refused.

use gate::change::{By, Facts};
use gate::wording::Wording;
use gate::{Caller, GateError, Refusal};
use model::event::Stream;
use serde::Deserialize;
use store::rows::RunRow;
use store::{Command, Reads, Tx};

use crate::Runs;
use crate::error::{already_ended, no_run};
use crate::record::{Author, End, RunOutput};

/// Why a run is called off.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelRunInput {
    /// Why, at most 4,000 characters.
    pub reason: Option<String>,
}

impl Runs {
    /// Calls a run off.
    ///
    /// # Errors
    /// 404 `run_not_found`; 400 `invalid_request`; 409 `run_already_ended`; see [`GateError`].
    pub async fn cancel(&self, caller: &Caller, run_id: &str, input: CancelRunInput) -> Result<RunOutput, GateError> {
        let run = self.stored(caller, run_id).await?;
        let mut wording = Wording::new();
        let reason = wording.reason(input.reason.as_deref());
        let reason = self.gate.told(caller, reason).await?;
        let contains_secrets = wording.contains_secrets();
        let cancelled = self
            .gate
            .submit(caller, None, |caller| {
                Ok(CancelRun { by: By::of(caller), run: run.clone(), reason: reason.clone(), contains_secrets })
            })
            .await?;
        Ok(cancelled.value)
    }
}

struct CancelRun {
    by: By,
    /// The run as it was when the command was made; only what never changes is used of it.
    run: RunRow,
    reason: Option<String>,
    contains_secrets: bool,
}

impl Command for CancelRun {
    type Output = RunOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.run(&self.run.run_id);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RunOutput, Refusal> {
        let id = &self.run.run_id;
        if tx.get::<RunRow>(&[id.as_str()]).ok_or_else(no_run)?.status.is_ended() {
            return Err(already_ended());
        }
        let facts = Facts::new().maybe("reason", self.reason.as_ref());
        Author::of(&self.by).end(tx, id, End::cancelled(facts, self.contains_secrets));
        Ok(RunOutput::of(tx, id))
    }
}
