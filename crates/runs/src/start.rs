//! Starting a run without a lease: whoever started it sees to it itself.

use gate::change::{By, Facts};
use gate::{Caller, GateError, Refusal};
use model::RunId;
use model::event::{EventType, Stream};
use model::run::RunStatus;
use store::rows::{QueueRow, RunRow};
use store::{Command, Reads, Tx};

use crate::Runs;
use crate::error::no_run;
use crate::record::{Author, RunOutput};

impl Runs {
    /// The run of the caller's workspace.
    ///
    /// # Errors
    /// 404 `run_not_found`; see [`GateError`].
    pub async fn stored(&self, caller: &Caller, run_id: &str) -> Result<RunRow, GateError> {
        let row = match RunId::parse(run_id) {
            Ok(id) => self.gate.store().run(&caller.workspace_id, &id).await?,
            Err(_) => None,
        };
        self.gate.told(caller, row.ok_or_else(no_run)).await
    }

    /// Starts a queued run without taking a lease.
    ///
    /// # Errors
    /// 404 `run_not_found`; 409 `run_not_queued`; see [`GateError`].
    pub async fn start(&self, caller: &Caller, run_id: &str) -> Result<RunOutput, GateError> {
        let run = self.stored(caller, run_id).await?;
        let started =
            self.gate.submit(caller, None, |caller| Ok(StartRun { by: By::of(caller), run: run.clone() })).await?;
        Ok(started.value)
    }
}

struct StartRun {
    by: By,
    /// The run as it was when the command was made; only what never changes is used of it.
    run: RunRow,
}

impl Command for StartRun {
    type Output = RunOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.run(&self.run.run_id);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RunOutput, Refusal> {
        let id = &self.run.run_id;
        let status = tx.get::<RunRow>(&[id.as_str()]).ok_or_else(no_run)?.status;
        if status != RunStatus::Queued {
            return Err(Refusal::conflict("run_not_queued", "the run is no longer queued"));
        }
        tx.remove::<QueueRow>(&[id.as_str()]);
        Author::of(&self.by).append(tx, id, EventType::RunStarted, Facts::new().with("run_id", id), false);
        Ok(RunOutput::of(tx, id))
    }
}
