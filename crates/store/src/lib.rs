//! The only crate that speaks SQL: the recorder, the view of policy, projections and queries, on
//! SQLite or PostgreSQL.
//!
//! What it deliberately lacks: HTTP, and opinions about policy. A [`Command`] says which rows it
//! needs and what becomes of them; the [recorder](recorder) writes many of them in one transaction.
//!
//! Invariants kept here: all or nothing; streams without gaps; a command decided under an old
//! policy head is never recorded; quotas and `once` approvals are settled under their row's lock.
//!
//! Start with [`Store`], then `recorder.rs`, then `tx.rs`.

mod backup;
mod command;
mod db;
mod feed;
mod idempotency;
mod migrate;
mod project;
pub mod query;
mod rebuild;
mod recorder;
mod refresh;
pub mod rows;
pub mod sets;
mod sweep;
mod tx;
mod verify;
mod view;
pub mod weaken;

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::approval::ApprovalScope;
use model::{Actor, PrincipalId, Time, WorkspaceId};
use policy::Defaults;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, watch};

use db::memory::Memory;
use db::postgres::{PgReaders, PgTarget, PgWriter};
use db::read::Reader;
use db::sqlite::{SqliteReaders, SqliteWriter};
use db::writer::Writer;
use feed::Feed;
use idempotency::Idempotent;
use recorder::{Committed, News, Recorder};
use refresh::{Refresher, Unknown};
use sets::CompiledSet;
use sweep::Remote;

pub use command::{Command, INSTALL, Reads, TableRow};
pub use db::DbError;
pub use db::sqlite::Durability;
pub use idempotency::{Answer, IdempotencyKey, IdempotentRefusal};
pub use migrate::SchemaStatus;
pub use rebuild::{RebuildReport, RebuiltTable, rebuild};
pub use recorder::{Recorded, SubmitError};
pub use tx::claim::{Claim, ClaimKind, OpenParts};
pub use tx::{ObjectKind, QuotaOutcome, Tx};
pub use verify::{ChainReport, Mismatch, MismatchKind, StreamHead, VerifyReport};
pub use view::View;

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// How safely commits are kept.
        durability: Durability,
    },
    /// The memory of this process: SQLite without a file, gone with the last handle on the store. Each time it is
    /// named it is another one, and an empty one.
    Memory,
    /// A PostgreSQL server, by URL. Never logged: it may hold a password.
    Postgres(String),
}

impl Location {
    /// Reads a `DATABASE_URL`: `sqlite:PATH` (also `sqlite://PATH`) or `postgres://…`.
    ///
    /// # Errors
    /// [`OpenError::Url`] for any other scheme or an empty path.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or_default();
        if path.is_empty() || path.contains("\0") {
            return Err(OpenError::Url);
        }
        Ok(Self::Sqlite { path: PathBuf::from(path), durability: Durability::Full })
    }
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where the data is.
    pub location: Location,
    /// What holds where a workspace has no settings of its own.
    pub defaults: Defaults,
    /// Whether to bring the schema up to date first.
    pub migrate: bool,
    /// How often to look for changes that no wake-up told of.
    pub poll: Duration,
    /// Recorder connections on PostgreSQL; SQLite always has one.
    pub lanes: usize,
    /// Reading threads (SQLite) or connections (PostgreSQL).
    pub readers: usize,
}

impl StoreConfig {
    /// The usual configuration for `location`.
    #[must_use]
    pub fn new(location: Location, defaults: Defaults) -> Self {
        Self { location, defaults, migrate: true, poll: Duration::from_millis(500), lanes: 2, readers: 2 }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of neither kind.
    #[error("the database URL must be `sqlite:PATH` or `postgres://…`")]
    Url,
    /// The schema is newer than this program.
    #[error("the store's schema is at {applied}, this program knows {known}: use a newer exeat")]
    TooNew {
        /// The schema's newest migration.
        applied: i64,
        /// This program's newest.
        known: i64,
    },
    /// The schema is older and migrating was not asked for.
    #[error("the store's schema is at {applied}, this program needs {known}: run `exeat db migrate`")]
    TooOld {
        /// The schema's newest migration.
        applied: i64,
        /// This program's newest.
        known: i64,
    },
    /// The database.
    #[error("the store cannot be opened")]
    Db(#[from] DbError),
}

/// The store. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Store {
    recorder: Recorder,
    refresher: Refresher,
    feed: Feed,
    reader: Reader,
    runs: RunsWake,
}

struct WakeUps {
    refresher: Refresher,
    feed: Feed,
    runs: RunsWake,
    remote: Option<Arc<Remote>>,
}

impl Committed for WakeUps {
    fn committed(&self, news: News) {
        if news.events {
            self.feed.poke();
        }
        if news.policy {
            self.refresher.poke();
        }
        if news.runs {
            self.runs.wake();
        }
        if let Some(remote) = &self.remote
            && (news.events || news.policy)
        {
            remote.tell(news.runs);
        }
    }
}

/// Wakes whoever takes runs.
#[derive(Clone)]
pub(crate) struct RunsWake(watch::Sender<()>);

impl RunsWake {
    pub(crate) fn wake(&self) {
        self.0.send_replace(());
    }
}

impl Store {
    /// Opens a store: migrates it when asked, loads the view of policy, starts the recorder, the
    /// refresher and the feed on the current runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(config: StoreConfig) -> Result<Self, OpenError> {
        let (reader, writers) = connect(&config).await?;
        let refresher = Refresher::start(reader.clone(), config.defaults, config.poll).await?;
        let feed = Feed::start(reader.clone(), config.poll);
        let runs = RunsWake(watch::Sender::new(()));
        let mut wake_ups =
            WakeUps { refresher: refresher.clone(), feed: feed.clone(), runs: runs.clone(), remote: None };
        if let Reader::Postgres(readers) = &reader {
            wake_ups.remote = Some(Remote::start(readers.target().clone(), &feed, &refresher, &runs));
        }
        let listener: Arc<dyn Committed> = Arc::new(wake_ups);
        let recorder = Recorder::start(writers, &listener)?;
        Ok(Self { recorder, refresher, feed, reader, runs })
    }

    /// The view of policy as this process last knew it. For display; decide on [`Store::fresh`] or
    /// let the recorder check the heads.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.refresher.view()
    }

    /// A view that is as new as the store was at some moment after this call.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn fresh(&self, workspace: &WorkspaceId) -> Result<Arc<View>, DbError> {
        self.refresher.fresh(vec![INSTALL.to_owned(), workspace.as_str().to_owned()]).await
    }

    /// A view that knows the principal (and its agent), if the store has it.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn learn_principal(&self, id: &str) -> Result<Arc<View>, DbError> {
        self.refresher.learn(Unknown::Principal(id.to_owned())).await
    }

    /// A view that knows the principal of the actor, if the store has it.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn learn_actor(&self, workspace: &WorkspaceId, actor: &Actor) -> Result<Arc<View>, DbError> {
        let unknown = Unknown::Actor {
            workspace: workspace.as_str().to_owned(),
            kind: actor.kind.as_str().to_owned(),
            id: actor.id.clone(),
        };
        self.refresher.learn(unknown).await
    }

    /// A view that knows the agent, if the store has it.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn learn_agent(&self, id: &str) -> Result<Arc<View>, DbError> {
        self.refresher.learn(Unknown::Agent(id.to_owned())).await
    }

    /// A view that knows the capability token and what it was delegated from, if the store has it.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn learn_token(&self, id: &str) -> Result<Arc<View>, DbError> {
        self.refresher.learn(Unknown::Token(id.to_owned())).await
    }

    /// A view that knows how the approval stands now; one that is used up is forgotten.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn learn_approval(&self, id: &str) -> Result<Arc<View>, DbError> {
        self.refresher.learn(Unknown::Approval(id.to_owned())).await
    }

    /// A view that knows the key, if the store has it.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn learn_key(&self, id: &str) -> Result<Arc<View>, DbError> {
        self.refresher.learn(Unknown::Key(id.to_owned())).await
    }

    /// Records a command and waits until it is durable.
    ///
    /// # Errors
    /// See [`SubmitError`].
    ///
    /// # Cancel safety
    /// When the future is dropped the command may still be recorded.
    pub async fn submit<C: Command>(&self, command: C) -> Result<Recorded<C::Output>, SubmitError<C::Refusal>> {
        self.recorder.submit(command).await
    }

    /// Records a command under an idempotency key: when the key was used for the same body within
    /// 24 hours, the first answer comes again and nothing is recorded.
    ///
    /// # Errors
    /// See [`SubmitError`] and [`IdempotentRefusal`].
    pub async fn submit_once<C>(
        &self,
        command: C,
        key: Option<IdempotencyKey>,
    ) -> Result<Recorded<Answer<C::Output>>, SubmitError<IdempotentRefusal<C::Refusal>>>
    where
        C: Command,
        C::Output: Serialize + DeserializeOwned,
    {
        self.recorder.submit(Idempotent { command, key }).await
    }

    /// What is appended from now on, and the position it begins after. A receiver that lags reads
    /// what it missed with [`query::Events`].
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn subscribe(&self) -> Result<(i64, broadcast::Receiver<Arc<rows::EventRow>>), DbError> {
        self.feed.subscribe().await
    }

    /// Changes whenever there may be runs to take. A hint: another process's may come late or never.
    #[must_use]
    pub fn runs_ready(&self) -> watch::Receiver<()> {
        self.runs.0.subscribe()
    }

    /// Waits until everything that was submitted before has been answered.
    pub async fn drained(&self) {
        self.recorder.drained().await;
    }

    /// How many commands wait to be recorded.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.recorder.waiting()
    }

    /// The set with this digest, when this process has compiled it.
    #[must_use]
    pub fn compiled_set(&self, digest: &str) -> Option<Arc<CompiledSet>> {
        self.refresher.sets().get(digest)
    }

    /// Keeps a compiled set, so that the view need not compile it again once it is published.
    pub fn keep_compiled(&self, set: &Arc<CompiledSet>) {
        self.refresher.sets().keep(set);
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }
}

/// What makes two asks share one open approval; the projection derives the same from the event.
#[must_use]
pub fn ask_key(
    workspace: &WorkspaceId,
    scope: &ApprovalScope,
    ask_digest: &str,
    principal: Option<&PrincipalId>,
    domain: Option<&str>,
    action: &str,
) -> String {
    project::ask_key(workspace, scope, ask_digest, principal, domain, action)
}

pub(crate) fn clock_now() -> Time {
    let millis = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    Time::from_millis(millis)
}

/// Migrates, or only looks; then connects to what is as new as this program.
async fn connect(config: &StoreConfig) -> Result<(Reader, Vec<Writer>), OpenError> {
    match &config.location {
        Location::Sqlite { path, durability } => {
            if let Some(folder) = path.parent()
                && config.migrate
            {
                std::fs::create_dir_all(folder).map_err(|e| DbError::Refused(e.to_string()))?;
            }
            let mut connection = db::sqlite::open(path, *durability)?;
            let look = migrate::sqlite_status;
            fitting(&if config.migrate { migrate::sqlite(&mut connection)? } else { look(&connection)? })?;
            let reader = Reader::Sqlite(SqliteReaders::open(path, *durability, config.readers)?);
            Ok((reader, vec![Writer::Sqlite(SqliteWriter::open(path, *durability)?)]))
        }
        Location::Memory => {
            let (memory, status) = Memory::open()?;
            fitting(&status)?;
            let writer = Writer::Memory(memory.writer());
            Ok((Reader::Memory(memory), vec![writer]))
        }
        Location::Postgres(url) => {
            let target = PgTarget::parse(url)?;
            let status = migrate::postgres_status(&target).await?;
            let needed = config.migrate && status.applied < status.known;
            fitting(&if needed { migrate::postgres(&target, None).await? } else { status })?;
            let writers =
                (0..config.lanes.max(1)).map(|_| Writer::Postgres(Box::new(PgWriter::new(target.clone())))).collect();
            Ok((Reader::Postgres(PgReaders::new(target, config.readers)), writers))
        }
    }
}

fn fitting(status: &SchemaStatus) -> Result<(), OpenError> {
    let SchemaStatus { applied, known, .. } = *status;
    match applied.cmp(&known) {
        Ordering::Greater => Err(OpenError::TooNew { applied, known }),
        Ordering::Less => Err(OpenError::TooOld { applied, known }),
        Ordering::Equal => Ok(()),
    }
}

/// Brings a store's schema up to date without opening it. `service_role` is PostgreSQL's: the role
/// that the service runs as, which gets no right to change the event log.
///
/// # Errors
/// See [`OpenError`].
pub async fn migrate(location: &Location, service_role: Option<&str>) -> Result<SchemaStatus, OpenError> {
    match location {
        Location::Postgres(url) => Ok(migrate::postgres(&PgTarget::parse(url)?, service_role).await?),
        Location::Sqlite { path, durability } => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|e| DbError::Refused(e.to_string()))?;
            }
            Ok(migrate::sqlite(&mut db::sqlite::open(path, *durability)?)?)
        }
        Location::Memory => Ok(Memory::open()?.1),
    }
}

/// Where a store's schema stands. Changes nothing.
///
/// # Errors
/// See [`OpenError`].
pub async fn schema_status(location: &Location) -> Result<SchemaStatus, OpenError> {
    match location {
        Location::Postgres(url) => Ok(migrate::postgres_status(&PgTarget::parse(url)?).await?),
        Location::Sqlite { path, durability } => Ok(migrate::sqlite_status(&db::sqlite::open(path, *durability)?)?),
        Location::Memory => Ok(Memory::open()?.1),
    }
}
