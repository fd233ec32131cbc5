//! Runs on a store of each kind, callers, a worker, and what to look at afterwards.

use std::time::Duration;

use gate::{Caller, Gate, GateError, InstallSecret, NewKey, Refusal};
use model::{Mode, Role, RunId, WorkspaceId};
use policy::Defaults;
use runs::{CreateRunInput, Cycle, Runs, Worker, WorkerConfig};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use store::query::EventFilter;
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
    let gate = runs.gate();
    let new = NewKey { workspace_id: Some(workspace()), role, principal_id: None, expires_at: None };
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
