//! Running a command for a step: recorded as called before it starts, and what came of it after its last
//! process is dead.
//!
//! A worker that dies takes its commands along, and nobody has seen what they did by then: such a command is
//! not run again unless that was said to do no harm.

use gate::GateError;
use model::PrincipalId;
use serde_json::Value;

use super::Worker;
use super::advance::Begun;
use super::carry;
use super::drive::zone;
use crate::machine::{Event, Failure};
use crate::plan::Tool;
use crate::process::{self, Errand, Processes, Wanted};

/// A command that is ready to be run.
pub(super) struct Process {
    processes: Processes,
    wanted: Wanted,
    tool: Tool,
    input_hmac: String,
}

impl Worker {
    /// What a step's tool is to run.
    pub(super) fn process(&self, tool: &Tool, input: &Value, cut_off: bool) -> Result<Process, Failure> {
        let Some(processes) = &self.processes else {
            let message = "This worker starts no processes";
            return Err(Failure::coded("process", "tool_unavailable", message, tool.name()));
        };
        let wanted = processes.wanted(tool, input)?;
        if cut_off && !wanted.idempotent {
            return Err(process::uncertain(tool.name()));
        }
        let input_hmac = process::input_hmac(self.runs.gate(), input);
        Ok(Process { processes: processes.clone(), wanted, tool: tool.clone(), input_hmac })
    }

    /// Runs it, and says what came of it. What is recorded next follows the evidence, where there is some.
    ///
    /// # Errors
    /// [`GateError::Refused`] when the run is no longer this worker's.
    pub(super) async fn run_process(
        &self,
        errand: &carry::Errand<'_>,
        process: &Process,
        begun: &mut Begun,
    ) -> Result<Event, GateError> {
        let carry::Errand { taken, run, plan, .. } = errand;
        let named = errand.principal.as_deref().map(PrincipalId::parse).transpose();
        let Ok(named) = named else {
            let message = "The principal that the tool was called for is none";
            return Ok(Event::Broken(Failure::coded("process", "principal_not_found", message, process.tool.name())));
        };
        let Some(principal) = named.or_else(|| taken.principal_id.clone()) else {
            return Err(crate::error::no_run().into());
        };
        let tied = gate::Errand {
            capability_token_id: plan.policy.capability_token_id.clone(),
            zone: Some(zone(plan)),
            correlation_id: Some(run.correlation_id.clone()),
            run_id: Some(run.run_id.clone()),
            hosts: process.wanted.hosts(),
        };
        let request = format!("run-{}", run.run_id);
        let caller = self.runs.gate().errand(run.workspace_id.clone(), principal, &request, tied);
        let launched = Errand {
            caller,
            run_id: &run.run_id,
            place: errand.place.clone(),
            tool_name: process.tool.name(),
            cause: begun.cause.clone(),
            correlation_id: run.correlation_id.clone(),
            time_left: errand.time_left(),
            input_hmac: process.input_hmac.clone(),
        };
        let ran = process.processes.launch(&process.wanted, launched, errand.lost.child_token()).await;
        let name = process.tool.name();
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                tracing::warn!(run_id = %run.run_id, tool = name, %error, "a command was not run to its end");
                return Ok(Event::Broken(process::failed(&error, name)));
            }
        };
        let outcome = process::event(ran, name, process.wanted.idempotent);
        begun.context.contains_secrets |= outcome.redacted;
        if let Some(evidence) = outcome.evidence {
            begun.cause = Some(evidence.event_id);
        }
        if errand.lost.is_cancelled() {
            return Err(crate::error::not_running().into());
        }
        Ok(outcome.event)
    }
}
