//! Runs on a store of each kind, callers, a worker, and what to look at afterwards.

use std::time::Duration;

use gate::approvals::DecideApprovalInput;
use gate::{Caller, Gate, GateError, InstallSecret, NewKey, Refusal};
use model::run::{RunStatus, ToolCallStatus};
use model::{Mode, Role, RunId, WorkspaceId};
use policy::Defaults;
use runs::{ClaimRunsInput, ClaimedRun, CreateRunInput, Cycle, Runs, Worker, WorkerConfig};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use store::query::{EventFilter, RunBacklog, RunFilter, ToolCallFilter};
use store::rows::{EventRow, RunRow};
use store::{Location, Store, StoreConfig};

/// A database of one test.
pub(crate) struct Bed {
    pub(crate) location: Location,
    _sqlite: Option<testkit::TempStore>,
    _postgres: Option<testkit::postgres::Database>,
}

impl Bed {
    pub(crate) fn sqlite() -> Self {
        let temp = testkit::TempStore::create().unwrap();
        Self { location: Location::parse(&temp.url()).unwrap(), _sqlite: Some(temp), _postgres: None }
    }

    pub(crate) fn postgres() -> Self {
        let database = testkit::postgres::Database::create().unwrap();
        Self { location: Location::parse(&database.url()).unwrap(), _sqlite: None, _postgres: Some(database) }
    }

    async fn store(&self, mode: Mode) -> Store {
        let defaults =
            Defaults { mode, kill_switch: false, egress_max_requests_per_hour: 0, trusted_upstreams: Vec::new() };
        let mut config = StoreConfig::new(self.location.clone(), defaults);
        config.poll = Duration::from_millis(50);
        Store::open(config).await.unwrap()
    }

    pub(crate) async fn runs(&self) -> Runs {
        Runs::new(Gate::new(self.store(Mode::Enforce).await, InstallSecret::ephemeral().unwrap()))
    }

    pub(crate) async fn shadow_runs(&self) -> Runs {
        Runs::new(Gate::new(self.store(Mode::Shadow).await, InstallSecret::ephemeral().unwrap()))
    }
}

/// Runs a test against both databases, as two tests.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() { super::super::$name(&$crate::bed::Bed::sqlite()).await; }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() { super::super::$name(&$crate::bed::Bed::postgres()).await; }
        }
    )*};
}
pub(crate) use on_both;

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::parse("ws_test").unwrap()
}

/// A caller with a new key of its own and a new principal.
pub(crate) async fn caller(runs: &Runs, role: Role) -> Caller {
    caller_in(runs, workspace().as_str(), role).await
}

/// The same in another workspace.
pub(crate) async fn caller_in(runs: &Runs, workspace: &str, role: Role) -> Caller {
    let gate = runs.gate();
    let new = NewKey {
        workspace_id: Some(WorkspaceId::parse(workspace).unwrap()),
        role,
        principal_id: None,
        expires_at: None,
    };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    gate.authenticate(key.key.expose_secret(), None, "req_1").await.unwrap()
}

/// A queued run with this input.
pub(crate) async fn queued(runs: &Runs, caller: &Caller, input: Value) -> RunId {
    let input = CreateRunInput { input: Some(input), ..CreateRunInput::default() };
    runs.create(caller, input, None).await.unwrap().value.run_id
}

/// One cycle of a worker.
pub(crate) async fn cycle(runs: &Runs) -> Cycle {
    Worker::new(runs.clone(), WorkerConfig::default()).once().await.unwrap()
}

/// The run as it stands.
pub(crate) async fn row(runs: &Runs, run: &RunId) -> RunRow {
    runs.gate().store().run(&workspace(), run).await.unwrap().unwrap()
}

/// The error of a run that has failed.
pub(crate) async fn error(runs: &Runs, run: &RunId) -> Value {
    let row = row(runs, run).await;
    assert_eq!(row.status, RunStatus::Failed, "{row:?}");
    row.error.map_or(Value::Null, |error| error.to_value())
}

/// Takes up to `limit` runs, as an external worker does.
pub(crate) async fn claim(runs: &Runs, caller: &Caller, limit: u64, lease_seconds: u64) -> Vec<ClaimedRun> {
    let input = ClaimRunsInput { room_id: None, limit: Some(limit), lease_seconds: Some(lease_seconds) };
    let claimed = runs.claim(caller, input).await.unwrap();
    assert_eq!((claimed.claimed, claimed.run.as_ref()), (!claimed.runs.is_empty(), claimed.runs.first()));
    claimed.runs
}

/// Takes the one run there is, and gives its claim token.
pub(crate) async fn claim_one(runs: &Runs, caller: &Caller) -> String {
    let mut claimed = claim(runs, caller, 10, 60).await;
    assert_eq!(claimed.len(), 1);
    claimed.remove(0).claim_token.as_str().to_owned()
}

/// The approval that a run asked for last.
pub(crate) async fn asked(runs: &Runs, run: &RunId) -> String {
    let events = events(runs, run).await;
    let asked = events.iter().rfind(|event| event.event_type == "approval.requested").unwrap();
    asked.data.to_value()["approval_id"].as_str().unwrap().to_owned()
}

/// Decides an approval, as a new approver.
pub(crate) async fn decide(runs: &Runs, approval: &str, decision: &str) {
    let approver = caller(runs, Role::Approver).await;
    let decision = DecideApprovalInput { decision: Some(decision.to_owned()), ..DecideApprovalInput::default() };
    runs.gate().decide_approval(&approver, approval, decision).await.unwrap();
}

/// The code of the refusal that a call has to end in.
pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, GateError>) -> &'static str {
    refusal(outcome).code
}

/// The refusal that a call has to end in.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, GateError>) -> Refusal {
    match outcome.unwrap_err() {
        GateError::Refused(refusal) => refusal,
        other => panic!("{other:?} is not a refusal"),
    }
}

/// Every event of the run, oldest first.
pub(crate) async fn events(runs: &Runs, run: &RunId) -> Vec<EventRow> {
    let store = runs.gate().store();
    store.settled().await.unwrap();
    let filter = EventFilter { run_id: Some(run.clone()), ..EventFilter::default() };
    store.events(&workspace(), &filter, 0, 500).await.unwrap()
}

/// Their types.
pub(crate) async fn types(runs: &Runs, run: &RunId) -> Vec<String> {
    events(runs, run).await.into_iter().map(|event| event.event_type).collect()
}

/// Nobody has a run, waits for one or is to take one; and in runs that have ended nothing runs.
pub(crate) async fn assert_at_rest(runs: &Runs) {
    let store = runs.gate().store();
    let backlog = store.run_backlog(10).await.unwrap();
    assert_eq!(backlog, RunBacklog { queued: 0, leased: 0, waiting: 0 });
    assert_nothing_runs(runs).await;
}

/// In runs that have ended, no step is open and no tool call runs.
pub(crate) async fn assert_nothing_runs(runs: &Runs) {
    let store = runs.gate().store();
    for run in store.runs(&workspace(), &RunFilter::default(), None, 10_000).await.unwrap() {
        if !run.status.is_ended() {
            continue;
        }
        let steps = store.steps(&workspace(), &run.run_id, None, 10_000).await.unwrap();
        assert!(steps.iter().all(|step| !step.status.is_open()), "{run:?}: {steps:?}");
        let filter = ToolCallFilter { run_id: Some(run.run_id.clone()), step_id: None };
        let calls = store.tool_calls(&workspace(), &filter, None, 10_000).await.unwrap();
        assert!(calls.iter().all(|call| call.status != ToolCallStatus::Running), "{run:?}: {calls:?}");
        let attempts = store.attempts(&workspace(), &run.run_id, run.attempt_no).await.unwrap();
        assert!(attempts.iter().all(|attempt| attempt.released_at.is_some()), "{run:?}: {attempts:?}");
    }
}

/// Every chain is whole and the projections are what the events say.
pub(crate) async fn assert_sound(bed: &Bed, runs: &Runs) {
    let store = runs.gate().store();
    store.drained().await;
    assert!(store.verify_all(&[]).await.unwrap().valid);
    let report = store::rebuild(&bed.location).await.unwrap();
    for table in &report.tables {
        assert_eq!(table.differing, 0, "{table:?}");
    }
}
