//! A store of each kind, and small commands to drive it.

use std::time::Duration;

use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, ActorType, Canonical, CorrelationId, Mode, RoomId, WorkspaceId, Zone};
use policy::Defaults;
use serde_json::json;
use store::{Command, Location, ObjectKind, QuotaOutcome, Reads, Store, StoreConfig, Tx};

/// A store and the database below it.
pub struct Bed {
    pub location: Location,
    sqlite: Option<testkit::TempStore>,
    postgres: Option<testkit::postgres::Database>,
}

pub fn defaults() -> Defaults {
    Defaults { mode: Mode::Enforce, kill_switch: false, egress_max_requests_per_hour: 0, trusted_upstreams: Vec::new() }
}

impl Bed {
    pub fn sqlite() -> Self {
        let temp = testkit::TempStore::create().unwrap();
        Self { location: Location::parse(&temp.url()).unwrap(), sqlite: Some(temp), postgres: None }
    }

    pub fn postgres() -> Self {
        let database = testkit::postgres::Database::create().unwrap();
        Self { location: Location::parse(&database.url()).unwrap(), sqlite: None, postgres: Some(database) }
    }

    pub async fn open(&self) -> Store {
        let mut config = StoreConfig::new(self.location.clone(), defaults());
        config.poll = Duration::from_millis(50);
        Store::open(config).await.unwrap()
    }

    /// A store whose poll is too slow to help.
    pub async fn open_without_polling(&self) -> Store {
        let mut config = StoreConfig::new(self.location.clone(), defaults());
        config.poll = Duration::from_secs(3_600);
        Store::open(config).await.unwrap()
    }

    /// Runs SQL from outside, as somebody with the database's own tools would.
    pub fn sql(&self, text: &str) -> Result<String, String> {
        match (&self.sqlite, &self.postgres) {
            (Some(temp), _) => {
                let connection = rusqlite::Connection::open(temp.path()).map_err(|e| e.to_string())?;
                connection.busy_timeout(Duration::from_secs(10)).map_err(|e| e.to_string())?;
                connection.execute_batch(text).map(|()| String::new()).map_err(|e| e.to_string())
            }
            (_, Some(database)) => database.sql(text).map_err(|e| format!("{e:#}")),
            _ => Err("no database".into()),
        }
    }

    pub fn is_sqlite(&self) -> bool {
        self.sqlite.is_some()
    }
}

/// Runs a test against both databases, as two tests.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() { super::super::$name(&$crate::harness::Bed::sqlite()).await; }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() { super::super::$name(&$crate::harness::Bed::postgres()).await; }
        }
    )*};
}
pub(crate) use on_both;

pub fn workspace() -> WorkspaceId {
    WorkspaceId::parse("ws_test").unwrap()
}

pub fn context(room: Option<&str>) -> EventContext {
    EventContext {
        workspace_id: workspace(),
        room_id: room.map(|r| RoomId::parse(r).unwrap()),
        thread_id: None,
        run_id: None,
        step_id: None,
        actor: Actor::new(ActorType::User, "anon"),
        principal_id: None,
        zone: Zone::Supervised,
        correlation_id: CorrelationId::new(),
        policy_context: Canonical::empty(),
        model_context: Canonical::empty(),
        contains_secrets: false,
    }
}

/// Appends `count` events to the stream of a room or the workspace.
pub struct Append {
    pub context: EventContext,
    pub count: usize,
    pub event_type: EventType,
    pub data: serde_json::Value,
    pub expect: Option<(String, u64)>,
    pub moves: bool,
}

impl Append {
    pub fn one(room: Option<&str>) -> Self {
        Self {
            context: context(room),
            count: 1,
            event_type: EventType::EgressRequested,
            data: json!({"n": 1, "text": "täxt \"quoted\" \u{1}"}),
            expect: None,
            moves: false,
        }
    }
}

impl Command for Append {
    type Output = usize;
    type Refusal = &'static str;

    fn reads(&self, reads: &mut Reads) {
        reads.stream(Stream::of(&self.context.workspace_id, self.context.room_id.as_ref()));
        reads.actor(&self.context.workspace_id, &self.context.actor);
        if let Some((scope, head)) = &self.expect {
            reads.expect_head(scope, *head);
        }
        if self.moves {
            reads.moves_head(self.context.workspace_id.as_str());
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<usize, &'static str> {
        for _ in 0..self.count {
            tx.append(&self.context, EventDraft::new(self.event_type, Canonical::from(&self.data)));
        }
        if self.moves {
            tx.policy_changed(self.context.workspace_id.as_str(), ObjectKind::Settings, "ws_test");
        }
        Ok(self.count)
    }
}

/// Takes one use of a quota and appends an event when it got one.
pub struct TakeQuota {
    pub limit: u64,
}

impl Command for TakeQuota {
    type Output = bool;
    type Refusal = ();

    fn reads(&self, reads: &mut Reads) {
        reads.stream(Stream::of(&workspace(), None));
        reads.actor(&workspace(), &Actor::new(ActorType::User, "anon"));
        reads.quota(&workspace(), "p1", self.limit);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<bool, ()> {
        let taken = tx.take_quota(&workspace(), "p1", self.limit) == QuotaOutcome::Taken;
        tx.append(&context(None), EventDraft::new(EventType::EgressRequested, Canonical::empty()));
        Ok(taken)
    }
}
