//! Driving one run: what each step needs is looked up, the step is recorded, and so on to the end.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use gate::change::Facts;
use gate::{Caller, EgressInput, Fence, GateError, Place, PreparedEgress, PreparedToolCall, Refusal, ToolCallAsk};
use model::event::Stream;
use model::run::{StepStatus, ToolCallStatus};
use model::{StepId, Zone};
use serde_json::{Value, json};
use store::query::ToolCallFilter;
use store::rows::{LeaseRow, RunRow, StepRow, ToolCallRow};
use store::{Command, DbError, Reads, SubmitError, Tx, weaken};
use tokio_util::sync::CancellationToken;

use super::advance::{Advance, Advanced, Call, Ready};
use super::carry::{self, Errand};
use super::process::Process;
use super::{ACTOR, Ending, Worker};
use crate::attempt::give_back;
use crate::claim::Taken;
use crate::http::HttpRequest;
use crate::machine::{self, Failure, Phase, State};
use crate::plan::{self, Plan, Tool, Unresolved};

/// How long a worker rests after the store could not be reached.
const REST: Duration = Duration::from_millis(100);
/// LIMIT: how many steps and tool calls of a run are read to find where it stands.
const READ_MAX: i64 = 100_000;

/// Why driving stopped before the end of a run.
#[derive(Debug)]
enum Stop {
    /// It is no longer this worker's.
    Lost,
    /// The store refuses what is written.
    Refused(String),
}

/// One step, looked up and decided.
struct Prepared {
    command: Advance,
    /// The `once` approvals it may use up.
    used: Vec<model::ApprovalId>,
    /// What is to be carried out once the step is recorded, and whose call it is.
    carries: Option<(Carries, Option<String>)>,
}

/// What is carried out once it is recorded.
enum Carries {
    /// A request is sent.
    Request(HttpRequest, Arc<PreparedEgress>),
    /// A command is run.
    Command(Process),
}

/// How far a run has come.
struct Progress {
    state: State,
    /// The steps there are, by their place.
    steps: HashMap<usize, StepId>,
    /// What each step that has ended gave: `{status, output}`.
    gave: Vec<Value>,
    /// The places of steps whose tool was cut off while it may have had an effect outside.
    cut_off: BTreeSet<usize>,
}

impl Worker {
    /// Drives a run to its end, or as far as it is this worker's.
    pub(super) async fn drive(&self, taken: Taken, lost: CancellationToken) -> Ending {
        let run = Arc::new(taken.run.clone());
        match self.drive_to_end(&taken, &run, &lost).await {
            Ok(ending) => ending,
            Err(Stop::Lost) => {
                tracing::info!(run_id = %run.run_id, "the run is no longer this worker's");
                Ending::Lost
            }
            Err(Stop::Refused(why)) => {
                tracing::warn!(run_id = %run.run_id, %why, "the run cannot be driven and is given back");
                self.give_back(&taken, "worker_error").await;
                Ending::Lost
            }
        }
    }

    async fn drive_to_end(&self, taken: &Taken, run: &Arc<RunRow>, lost: &CancellationToken) -> Result<Ending, Stop> {
        let input = run.input.as_ref().map_or(Value::Null, model::Canonical::to_value);
        let plan = Arc::new(self.plan(&input));
        let mut progress = match taken.begun {
            true => self.found(taken, run, &plan).await?,
            false => Progress::new(taken),
        };
        let Some(principal) = &taken.principal_id else {
            return Err(Stop::Refused("the worker has no principal".to_owned()));
        };
        let gate = self.runs.gate();
        let request = format!("run-{}", run.run_id);
        let mut caller = gate.inside(run.workspace_id.clone(), principal.clone(), &request);
        loop {
            let (step_id, step_exists) = match progress.steps.get(&progress.state.at) {
                Some(id) => (id.clone(), true),
                None => (StepId::new(), false),
            };
            let advance = self.prepare(&caller, taken, run, &plan, &input, &progress, &step_id, step_exists).await;
            let Prepared { command, used, carries } = match advance {
                Ok(ready) => ready,
                Err(error) => {
                    caller = self.after(caller, error).await?;
                    continue;
                }
            };
            match gate.store().submit(command).await {
                Ok(recorded) => {
                    gate.forget_used(&used).await;
                    let advanced = match carries {
                        Some((carries, principal)) if recorded.get().begun.is_some() => {
                            let errand = Errand {
                                caller: &caller,
                                taken,
                                run,
                                plan: &plan,
                                step_id: &step_id,
                                place: place(run, &step_id),
                                principal,
                                ordinal: progress.state.at,
                                times_out_at: progress.state.times_out_at,
                                lost,
                            };
                            match self.carry(&errand, carries, recorded).await? {
                                Some(advanced) => advanced,
                                None => {
                                    progress = self.found(taken, run, &plan).await?;
                                    continue;
                                }
                            }
                        }
                        _ => recorded.into_inner(),
                    };
                    let Advanced { state, succeeded, output, .. } = advanced;
                    match state.phase {
                        Phase::Ended if succeeded => return Ok(Ending::Completed),
                        Phase::Ended => return Ok(Ending::Failed),
                        Phase::Waiting => return Ok(Ending::Waiting),
                        Phase::Ready | Phase::Asking | Phase::Running => {}
                    }
                    let status = if output.is_some() { StepStatus::Succeeded } else { StepStatus::Failed };
                    progress.gave.push(json!({"status": status, "output": output}));
                    progress.state = state;
                }
                Err(SubmitError::Refused(_)) => return Err(Stop::Lost),
                Err(SubmitError::Stale) => caller = self.refreshed(caller).await?,
                Err(SubmitError::Unavailable(error)) => {
                    caller = self.after(caller, error.into()).await?;
                    // The commit may have come through: the step must not be recorded twice.
                    progress = self.found(taken, run, &plan).await?;
                }
                Err(SubmitError::Failed(error)) => return Err(Stop::Refused(error.to_string())),
            }
        }
    }

    /// The caller to go on with after an error that passes. While the lease lasts the worker tries
    /// again; after that the store says that the run is no longer its own.
    async fn after(&self, caller: Caller, error: GateError) -> Result<Caller, Stop> {
        match error {
            GateError::Unavailable(error) => {
                tracing::debug!(%error, "the store cannot be reached; the worker tries again");
                tokio::time::sleep(REST).await;
                Ok(caller)
            }
            other => Err(Stop::Refused(other.to_string())),
        }
    }

    async fn refreshed(&self, caller: Caller) -> Result<Caller, Stop> {
        loop {
            match self.runs.gate().fresh(caller.clone()).await {
                Ok(fresh) => return Ok(fresh),
                Err(gate::AuthError::Unavailable(error)) => {
                    tracing::debug!(%error, "the store cannot be reached; the worker tries again");
                    tokio::time::sleep(REST).await;
                }
                Err(other) => return Err(Stop::Refused(other.to_string())),
            }
        }
    }

    /// Looks up what a step needs and decides what can be decided before it is recorded.
    #[expect(clippy::too_many_arguments, reason = "one caller; a struct would only rename them")]
    async fn prepare(
        &self,
        caller: &Caller,
        taken: &Taken,
        run: &Arc<RunRow>,
        plan: &Arc<Plan>,
        input: &Value,
        progress: &Progress,
        step_id: &StepId,
        step_exists: bool,
    ) -> Result<Prepared, GateError> {
        let place = place(run, step_id);
        let whom = self.accountable(caller, run, plan).await?;
        let (mut used, mut carries) = (Vec::new(), None);
        let (call, ready) = match self.resolved(plan, input, progress) {
            Err(failure) => (Call::Broken(failure.clone()), Ready::Broken(failure)),
            Ok((tool, input)) => {
                let call = self.call(caller, run, plan, &place, &tool, input.as_ref(), whom.as_deref()).await?;
                used.extend(call.iter().flat_map(|call| call.once().to_vec()));
                let call = call.map_or_else(Call::Broken, |call| Call::Asked(Box::new(call)));
                let ready = match tool {
                    Tool::Noop => Ready::Noop,
                    Tool::EgressRequest => {
                        let ready = self.egress(caller, run, plan, &place, &input, whom.as_deref()).await?;
                        if let Ready::Egress(egress) = &ready {
                            used.extend(egress.once().to_vec());
                        }
                        ready
                    }
                    Tool::ProcessExec | Tool::Registered(_) => {
                        let cut_off = progress.cut_off.contains(&progress.state.at);
                        match self.process(&tool, &input, cut_off) {
                            Err(failure) => Ready::Broken(failure),
                            Ok(process) => {
                                carries = Some((Carries::Command(process), whom));
                                Ready::Process
                            }
                        }
                    }
                    Tool::HttpRequest => match HttpRequest::read(&input) {
                        Err(failure) => Ready::Broken(failure),
                        Ok(request) if progress.cut_off.contains(&progress.state.at) && !request.may_be_repeated() => {
                            Ready::Broken(carry::uncertain())
                        }
                        Ok(request) => {
                            let whom = whom.as_deref();
                            match carry::prepare(self, caller, run, plan, &place, whom, &request).await {
                                Ok(egress) => {
                                    used.extend(egress.once().to_vec());
                                    let egress = Arc::new(egress);
                                    let principal = whom.map(str::to_owned);
                                    carries = Some((Carries::Request(request, Arc::clone(&egress)), principal));
                                    Ready::Http(egress)
                                }
                                Err(GateError::Refused(refusal)) => {
                                    Ready::Broken(coded("egress", &refusal, &Tool::HttpRequest))
                                }
                                Err(error) => return Err(error),
                            }
                        }
                    },
                };
                (call, ready)
            }
        };
        let (state, step_id) = (progress.state, step_id.clone());
        let command = self.advance(taken, run, plan, state, step_id, step_exists, call, ready);
        Ok(Prepared { command, used, carries })
    }

    #[expect(clippy::too_many_arguments, reason = "two callers; a struct would only rename them")]
    fn advance(
        &self,
        taken: &Taken,
        run: &Arc<RunRow>,
        plan: &Arc<Plan>,
        state: State,
        step_id: StepId,
        step_exists: bool,
        call: Call,
        ready: Ready,
    ) -> Advance {
        Advance {
            run: Arc::clone(run),
            fence: Fence::new(run.run_id.clone(), Some(taken.claim_token.clone())),
            epoch: taken.epoch,
            plan: Arc::clone(plan),
            state,
            step_id,
            step_exists,
            begun: taken.begun,
            author: crate::record::Author { principal_id: taken.principal_id.clone(), ..Self::author() },
            call,
            ready,
        }
    }

    /// Carries out what was recorded, and records what came of it. None when that may be recorded already:
    /// then where the run stands is to be read again.
    async fn carry(
        &self,
        errand: &Errand<'_>,
        carries: Carries,
        recorded: store::Recorded<Advanced>,
    ) -> Result<Option<Advanced>, Stop> {
        let gate = self.runs.gate();
        let state = recorded.get().state;
        let Some((mut begun, settled)) = recorded.get().begun.clone() else { return Ok(Some(recorded.into_inner())) };
        let event = match carries {
            Carries::Request(request, egress) => {
                let permit = settled.and_then(|settled| egress.permit(gate, &recorded.map(|_| settled)));
                self.carry_out(errand, &request, permit, &mut begun).await
            }
            Carries::Command(process) => Box::pin(self.run_process(errand, &process, &mut begun)).await,
        };
        let event = match event {
            Ok(event) => event,
            Err(GateError::Refused(_)) => return Err(Stop::Lost),
            Err(GateError::Unavailable(_)) => {
                let message = "The event log could not be reached: the redirect was not followed";
                machine::Event::Broken(Failure::coded("http", "event_log_failure", message, Tool::HttpRequest.name()))
            }
            Err(error) => return Err(Stop::Refused(error.to_string())),
        };
        loop {
            let call = Call::Carried { begun: Box::new(begun.clone()), event: event.clone() };
            let (taken, run, step_id) = (errand.taken, errand.run, errand.step_id.clone());
            let command = self.advance(taken, run, errand.plan, state, step_id, true, call, Ready::Noop);
            match gate.store().submit(command).await {
                Ok(recorded) => return Ok(Some(recorded.into_inner())),
                Err(SubmitError::Refused(_)) => return Err(Stop::Lost),
                // No policy is expected of it: it only records what has happened.
                Err(SubmitError::Stale) => {}
                Err(SubmitError::Unavailable(error)) => {
                    tracing::debug!(%error, "what came of a request cannot be recorded now");
                    tokio::time::sleep(REST).await;
                    let call = gate.store().tool_call(&run.workspace_id, &begun.call_id).await;
                    if call.is_ok_and(|call| call.is_some_and(|call| call.status != ToolCallStatus::Running)) {
                        return Ok(None);
                    }
                }
                Err(SubmitError::Failed(error)) => return Err(Stop::Refused(error.to_string())),
            }
        }
    }

    /// The tool of the step and what it is called with, references resolved.
    fn resolved<'p>(
        &self,
        plan: &'p Plan,
        input: &Value,
        progress: &Progress,
    ) -> Result<(Tool, Cow<'p, Value>), Failure> {
        let Some(step) = plan.step(progress.state.at) else {
            return Err(Failure::coded("plan", "invalid_step", "The run has no such step", ""));
        };
        let tool = step.tool.clone().map_err(|flaw| {
            let (code, message) = flaw.told();
            Failure::coded("plan", code, message, step.tool_name())
        })?;
        if !plan.listed {
            return Ok((tool, Cow::Borrowed(&step.input)));
        }
        let resolved = plan::resolve(&step.input, input, &progress.gave).map_err(|unresolved| {
            let (code, message) = match unresolved {
                Unresolved::NothingThere => {
                    ("reference_not_found", "A reference in the step's input points at nothing")
                }
                Unresolved::TooMuch => ("references_too_large", "The references in the step's input bring in too much"),
            };
            Failure::coded("plan", code, message, tool.name())
        })?;
        Ok((tool, Cow::Owned(resolved)))
    }

    /// Whom a run's tools are called for: whom its input names, else the agent that made it.
    async fn accountable(&self, caller: &Caller, run: &RunRow, plan: &Plan) -> Result<Option<String>, DbError> {
        if plan.policy.principal_id.is_some() {
            return Ok(plan.policy.principal_id.clone());
        }
        let Some(creator) = &run.created_by_principal_id else { return Ok(None) };
        let view = match caller.view.snapshot.principal(&run.workspace_id, creator) {
            Some(_) => Arc::clone(&caller.view),
            None => self.runs.gate().store().learn_principal(creator.as_str()).await?,
        };
        let agent = view.snapshot.agent_of_principal(&run.workspace_id, creator);
        Ok(agent.map(|_| creator.as_str().to_owned()))
    }

    #[expect(clippy::too_many_arguments, reason = "one caller; a struct would only rename them")]
    async fn call(
        &self,
        caller: &Caller,
        run: &RunRow,
        plan: &Plan,
        place: &Place,
        tool: &Tool,
        input: &Value,
        principal: Option<&str>,
    ) -> Result<Result<PreparedToolCall, Failure>, GateError> {
        // Always so in a release: a tool that nobody asks for with the run's authority is a hole.
        let asked_for = !(weaken::asked("drop_tool_from_matrix") && *tool == Tool::HttpRequest);
        let ask = ToolCallAsk {
            tool_name: tool.name(),
            input: (!input.is_null()).then_some(input),
            actor_type: Some(model::ActorType::Service.as_str()),
            actor_id: Some(ACTOR),
            principal_id: principal.filter(|_| asked_for),
            capability_token_id: plan.policy.capability_token_id.as_deref().filter(|_| asked_for),
            zone: Some(zone(plan).as_str()),
        };
        match self.runs.gate().prepare_tool_call(caller, &ask, place, &run.correlation_id).await {
            Ok(call) => Ok(Ok(call)),
            Err(GateError::Refused(refusal)) => Ok(Err(coded("tool_policy", &refusal, tool))),
            Err(error) => Err(error),
        }
    }

    async fn egress(
        &self,
        caller: &Caller,
        run: &RunRow,
        plan: &Plan,
        place: &Place,
        input: &Value,
        principal: Option<&str>,
    ) -> Result<Ready, GateError> {
        let text = |name: &str| input.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let egress = EgressInput {
            target_url: Some(text("target_url").unwrap_or_default().to_owned()),
            action: Some(text("action").unwrap_or("internal.read").to_owned()),
            method: text("method").map(str::to_owned),
            actor_type: Some(model::ActorType::Service.as_str().to_owned()),
            actor_id: Some(ACTOR.to_owned()),
            principal_id: principal.map(str::to_owned),
            capability_token_id: plan.policy.capability_token_id.clone(),
            zone: Some(zone(plan).as_str().to_owned()),
            correlation_id: Some(run.correlation_id.as_str().to_owned()),
            ..EgressInput::default()
        };
        match self.runs.gate().prepare_egress(caller, &egress, place).await {
            Ok(egress) => Ok(Ready::Egress(Arc::new(egress))),
            Err(GateError::Refused(refusal)) => Ok(Ready::Broken(coded("egress", &refusal, &Tool::EgressRequest))),
            Err(error) => Err(error),
        }
    }

    /// Where a run stands that somebody has worked on before.
    async fn found(&self, taken: &Taken, run: &RunRow, plan: &Plan) -> Result<Progress, Stop> {
        let store = self.runs.gate().store();
        let filter = ToolCallFilter { run_id: Some(run.run_id.clone()), step_id: None };
        loop {
            let read = async {
                let steps = store.steps(&run.workspace_id, &run.run_id, None, READ_MAX).await?;
                let calls = store.tool_calls(&run.workspace_id, &filter, None, READ_MAX).await?;
                Ok::<_, DbError>((steps, calls))
            };
            match read.await {
                Ok((steps, calls)) => return Ok(Progress::found(taken, plan, &steps, &calls)),
                Err(error) if error.is_passing() => tokio::time::sleep(REST).await,
                Err(error) => return Err(Stop::Refused(error.to_string())),
            }
        }
    }

    /// Gives a run back that could not be driven; the attempt counts as failed.
    pub(super) async fn give_back(&self, taken: &Taken, code: &'static str) {
        let author = crate::record::Author { principal_id: taken.principal_id.clone(), ..Self::author() };
        let fence = Fence::new(taken.run.run_id.clone(), Some(taken.claim_token.clone()));
        let command = GiveBack { run: taken.run.clone(), fence, author, code };
        if let Err(error) = self.runs.gate().store().submit(command).await {
            tracing::debug!(%error, "a run could not be given back; its lease will end");
        }
    }
}

pub(super) fn zone(plan: &Plan) -> Zone {
    plan.policy.zone.unwrap_or(Zone::Sandbox)
}

fn coded(stage: &str, refusal: &Refusal, tool: &Tool) -> Failure {
    Failure::coded(stage, refusal.code, &refusal.detail, tool.name())
}

impl Progress {
    fn new(taken: &Taken) -> Self {
        let state = State { at: 0, phase: Phase::Ready, passed_over: 0, times_out_at: taken.times_out_at };
        Self { state, steps: HashMap::new(), gave: Vec::new(), cut_off: BTreeSet::new() }
    }

    /// `calls` newest first.
    fn found(taken: &Taken, plan: &Plan, steps: &[StepRow], calls: &[ToolCallRow]) -> Self {
        let mut progress = Self::new(taken);
        for step in steps.iter().filter(|step| step.kind == "runtime") {
            let ordinal = step.input.as_ref().and_then(|input| input.to_value().get("ordinal")?.as_u64());
            let place = if plan.listed { ordinal } else { Some(0) };
            if let Some(place) = place.and_then(|place| usize::try_from(place).ok()) {
                progress.steps.entry(place).or_insert_with(|| step.step_id.clone());
            }
        }
        while let Some(planned) = plan.step(progress.state.at) {
            let Some(id) = progress.steps.get(&progress.state.at) else { break };
            let acts = planned.tool.as_ref().is_ok_and(Tool::acts_outside);
            let acted = |call: &&ToolCallRow| acts && call.step_id == *id && call.tool_name == planned.tool_name();
            if calls.iter().filter(acted).any(|call| call.status == ToolCallStatus::Running || is_uncertain(call)) {
                progress.cut_off.insert(progress.state.at);
            }
            let Some(last) = calls.iter().find(|call| call.step_id == *id) else { break };
            let passed_over = last.status == ToolCallStatus::Failed && planned.continue_on_error && !was_cut_off(last);
            if last.status != ToolCallStatus::Succeeded && !passed_over {
                break;
            }
            let status = if passed_over { StepStatus::Failed } else { StepStatus::Succeeded };
            progress.gave.push(json!({"status": status, "output": last.output}));
            progress.state.passed_over += usize::from(passed_over);
            progress.state.at += 1;
        }
        progress
    }
}

/// Whether a tool call failed only because its worker stopped, or because the run waited.
fn was_cut_off(call: &ToolCallRow) -> bool {
    let error = call.error.as_ref().map_or(Value::Null, model::Canonical::to_value);
    let code = error.get("code").and_then(Value::as_str).unwrap_or_default();
    ["lease_expired", "lease_released", "waiting_approval"].contains(&code)
}

/// Whether a tool call ended without anybody seeing what it came to outside.
fn is_uncertain(call: &ToolCallRow) -> bool {
    let error = call.error.as_ref().map_or(Value::Null, model::Canonical::to_value);
    ["lease_expired", "lease_released"].contains(&error.get("code").and_then(Value::as_str).unwrap_or_default())
}

fn place(run: &RunRow, step_id: &StepId) -> Place {
    Place {
        room_id: run.room_id.clone(),
        thread_id: run.thread_id.clone(),
        run_id: Some(run.run_id.clone()),
        step_id: Some(step_id.clone()),
    }
}

struct GiveBack {
    run: RunRow,
    fence: Fence,
    author: crate::record::Author,
    code: &'static str,
}

impl Command for GiveBack {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.run(&self.run.run_id);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        self.fence.check(tx)?;
        let lease = tx.get::<LeaseRow>(&[self.run.run_id.as_str()]).cloned();
        let lease = lease.ok_or_else(crate::error::not_running)?;
        let facts = Facts::new().with("error", crate::error::cut_off(self.code));
        give_back(tx, &self.author, &lease, true, facts);
        Ok(())
    }
}
