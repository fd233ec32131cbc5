//! A gate on a store of each kind, callers of every role, and what to look at afterwards.

use std::time::Duration;

use gate::{Answered, Caller, Gate, GateError, InstallSecret, NewKey, Refusal};
use model::{KeyId, Mode, PrincipalId, Role, WorkspaceId};
use policy::Defaults;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use store::query::EventFilter;
use store::rows::EventRow;
use store::{IdempotencyKey, Location, Store, StoreConfig};

/// A database of one test.
pub(crate) struct Bed {
    pub(crate) location: Location,
    sqlite: Option<testkit::TempStore>,
    _postgres: Option<testkit::postgres::Database>,
}

impl Bed {
    pub(crate) fn sqlite() -> Self {
        let temp = testkit::TempStore::create().unwrap();
        Self { location: Location::parse(&temp.url()).unwrap(), sqlite: Some(temp), _postgres: None }
    }

    pub(crate) fn postgres() -> Self {
        let database = testkit::postgres::Database::create().unwrap();
        Self { location: Location::parse(&database.url()).unwrap(), sqlite: None, _postgres: Some(database) }
    }

    /// Every byte of the store's files, the log of what is not yet in its place included (SQLite only).
    pub(crate) fn everything(&self) -> Vec<u8> {
        let dir = self.sqlite.as_ref().unwrap().dir().to_owned();
        let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// Runs SQL in PostgreSQL from outside, as somebody with the database's own tools would. On SQLite the
    /// tests of the store do so.
    pub(crate) fn sql(&self, text: &str) {
        self._postgres.as_ref().unwrap().sql(text).unwrap();
    }

    pub(crate) async fn store(&self, mode: Mode, poll: Duration) -> Store {
        store_on(&self.location, mode, poll).await
    }

    pub(crate) async fn gate(&self) -> Gate {
        Gate::new(self.store(Mode::Enforce, Duration::from_millis(50)).await, InstallSecret::ephemeral().unwrap())
    }

    pub(crate) async fn shadow_gate(&self) -> Gate {
        Gate::new(self.store(Mode::Shadow, Duration::from_millis(50)).await, InstallSecret::ephemeral().unwrap())
    }
}

async fn store_on(location: &Location, mode: Mode, poll: Duration) -> Store {
    let defaults =
        Defaults { mode, kill_switch: false, egress_max_requests_per_hour: 0, trusted_upstreams: Vec::new() };
    let mut config = StoreConfig::new(location.clone(), defaults);
    config.poll = poll;
    Store::open(config).await.unwrap()
}

/// An enforcing gate on a database that may be another runtime's.
pub(crate) async fn gate_on(location: &Location) -> Gate {
    Gate::new(store_on(location, Mode::Enforce, Duration::from_millis(50)).await, InstallSecret::ephemeral().unwrap())
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

/// A caller with a new key of its own and, unless one is given, a new principal.
pub(crate) async fn caller(gate: &Gate, role: Role, principal_id: Option<PrincipalId>) -> Caller {
    caller_in(gate, Some(workspace()), role, principal_id).await
}

/// The same for another workspace; `None` = a key of all, calling in the test's workspace.
pub(crate) async fn caller_in(
    gate: &Gate,
    ws: Option<WorkspaceId>,
    role: Role,
    principal_id: Option<PrincipalId>,
) -> Caller {
    let named = ws.clone().unwrap_or_else(workspace);
    let new = NewKey { workspace_id: ws, role, principal_id, expires_at: None };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    gate.authenticate(key.key.expose_secret(), Some(named.as_str()), "req_1").await.unwrap()
}

/// An idempotency key for a body.
pub(crate) fn once(caller: &Caller, key: &str, body: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey {
        workspace_id: caller.workspace_id.clone(),
        key_id: KeyId::parse(caller.key_id.as_str()).unwrap(),
        route: "POST /v1/test".to_owned(),
        key: key.to_owned(),
        body_digest: body.to_owned(),
    })
}

/// The refusal that a call has to end in.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, GateError>) -> Refusal {
    match outcome.unwrap_err() {
        GateError::Refused(refusal) => refusal,
        other => panic!("{other:?} is not a refusal"),
    }
}

/// The code of that refusal.
pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, GateError>) -> &'static str {
    refusal(outcome).code
}

/// An answer that was given for the first time.
pub(crate) fn first<T>(outcome: Result<Answered<T>, GateError>) -> T {
    let answered = outcome.unwrap();
    assert!(!answered.replayed);
    answered.value
}

/// Every event of the workspace, oldest first.
pub(crate) async fn events(gate: &Gate) -> Vec<EventRow> {
    gate.store().settled().await.unwrap();
    gate.store().events(&workspace(), &EventFilter::default(), 0, 500).await.unwrap()
}

/// The data of the events of a type, oldest first.
pub(crate) async fn data_of(gate: &Gate, event_type: &str) -> Vec<Value> {
    let events = events(gate).await;
    events.iter().filter(|e| e.event_type == event_type).map(|e| e.data.to_value()).collect()
}

/// How far the policy of the workspace has moved.
pub(crate) async fn head(gate: &Gate) -> u64 {
    gate.store().fresh(&workspace()).await.unwrap().head(workspace().as_str())
}

/// Every chain is whole and the projections are what the events say.
pub(crate) async fn assert_sound(bed: &Bed, gate: &Gate) {
    gate.store().drained().await;
    assert!(gate.store().verify_all(&[]).await.unwrap().valid);
    let report = store::rebuild(&bed.location).await.unwrap();
    for table in &report.tables {
        assert_eq!(table.differing, 0, "{table:?}");
    }
}
