//! The decision log: every decision that counts, allows too, for replay and the shadow report.
//!
//! Nobody waits for it. Whoever decides puts what it has anyway (the ask, the decision, the view)
//! into a bounded queue; a task makes entries of it, and writes them twice a second. What the queue
//! has no room for is only counted, and the count is kept in the segment, so that a report can say
//! what it does not know.
//!
//! What is being gathered is written in parts of [`PART_ROWS`] decisions, of which only the last is
//! written again while it grows; [`WHOLE_ROWS`] decisions, or an hour of them, are then written once
//! more as one segment in place of its parts. So a decision is written some four times, whatever the
//! rate, and a reader meets few small segments. Each process has segments of its own.

mod clean;
mod gathered;
pub(crate) mod read;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use model::{Ask, Decision, DecisionId, Mode, PrincipalId, Time, WorkspaceId};
use replay::Entry;
use replay::entry::Made;
use store::{Store, View};
use tokio::sync::{mpsc, oneshot};

use clean::Clean;
use gathered::Gathered;

/// LIMIT: how many decisions wait to be written.
const QUEUE_MAX: usize = 32_768;
/// LIMIT: how many are taken from the queue at once.
const TAKEN_MAX: usize = 1_024;
/// LIMIT: how many workspaces are gathered at once; the one that began first gives way.
const WORKSPACES_MAX: usize = 256;
/// How often what was gathered is written.
const PAUSE: Duration = Duration::from_millis(400);
/// How many decisions a part has before the next one is begun.
pub(super) const PART_ROWS: usize = 2_048;
/// How many decisions a segment has before the next one is begun.
pub(super) const WHOLE_ROWS: usize = 65_536;
/// How long a segment is gathered.
pub(super) const WHOLE_TIME: Duration = Duration::from_secs(3_600);

/// One decision on its way into the log.
pub(crate) struct Logged {
    /// What it is known by.
    pub(crate) id: DecisionId,
    /// What it was decided on.
    pub(crate) view: Arc<View>,
    /// What was asked.
    pub(crate) ask: Arc<Ask>,
    /// Who is accountable, when that is known.
    pub(crate) principal_id: Option<PrincipalId>,
    /// What was answered.
    pub(crate) decision: Arc<Decision>,
    /// In which mode.
    pub(crate) mode: Mode,
    /// When.
    pub(crate) at: Time,
}

enum Waiting {
    Logged(Logged),
    /// Told once everything before it is written, or could not be.
    Flush(oneshot::Sender<()>),
}

/// The handle to the task that writes the log. The task starts with the first decision and ends with
/// the last handle, after writing what waits.
#[derive(Clone)]
pub(crate) struct DecisionLog {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    queue: OnceLock<mpsc::Sender<Waiting>>,
    dropped: Arc<Dropped>,
}

/// How many decisions found no room, by workspace.
#[derive(Default)]
struct Dropped(Mutex<HashMap<WorkspaceId, u32>>);

impl Dropped {
    fn add(&self, workspace: &WorkspaceId, count: u32) {
        metrics::counter!("exeat_decision_log_dropped_total").increment(u64::from(count));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(workspace) {
            Some(own) => *own = own.saturating_add(count),
            None => {
                all.insert(workspace.clone(), count);
            }
        }
    }

    fn take(&self) -> HashMap<WorkspaceId, u32> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl DecisionLog {
    pub(crate) fn new(store: Store) -> Self {
        Self { inner: Arc::new(Inner { store, queue: OnceLock::new(), dropped: Arc::default() }) }
    }

    /// Logs a decision soon.
    pub(crate) fn log(&self, logged: Logged) {
        if let Err(refused) = self.queue().try_send(Waiting::Logged(logged))
            && let Waiting::Logged(logged) = refused.into_inner()
        {
            self.inner.dropped.add(&logged.ask.workspace_id, 1);
        }
    }

    fn queue(&self) -> &mpsc::Sender<Waiting> {
        self.inner.queue.get_or_init(|| {
            let (send, receive) = mpsc::channel(QUEUE_MAX);
            let writer = Writer {
                store: self.inner.store.clone(),
                dropped: Arc::clone(&self.inner.dropped),
                clean: Clean::default(),
                gathered: HashMap::new(),
            };
            tokio::spawn(writer.run(receive));
            send
        })
    }

    /// Waits until what was logged before is written.
    pub(crate) async fn flush(&self) {
        let Some(queue) = self.inner.queue.get() else { return };
        let (told, done) = oneshot::channel();
        if queue.send(Waiting::Flush(told)).await.is_ok() {
            let _ = done.await;
        }
    }
}

struct Writer {
    store: Store,
    dropped: Arc<Dropped>,
    clean: Clean,
    gathered: HashMap<WorkspaceId, Gathered>,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Waiting>) {
        let mut waiting = Vec::new();
        let mut due = tokio::time::Instant::now() + PAUSE;
        loop {
            let taken = tokio::time::timeout_at(due, queue.recv_many(&mut waiting, TAKEN_MAX)).await;
            let mut told = Vec::new();
            for each in waiting.drain(..) {
                match each {
                    Waiting::Logged(logged) => self.gather(&logged).await,
                    Waiting::Flush(done) => told.push(done),
                }
            }
            let ended = taken == Ok(0);
            if taken.is_err() || ended || !told.is_empty() || tokio::time::Instant::now() >= due {
                self.write().await;
                due = tokio::time::Instant::now() + PAUSE;
            }
            for done in told {
                let _ = done.send(());
            }
            if ended {
                return;
            }
        }
    }

    async fn gather(&mut self, logged: &Logged) {
        let entry = self.entry(logged);
        let workspace = &logged.ask.workspace_id;
        if !self.gathered.contains_key(workspace) {
            self.make_room().await;
            self.gathered.insert(workspace.clone(), Gathered::new());
        }
        let Some(gathered) = self.gathered.get_mut(workspace) else { return };
        if gathered.is_full() {
            // It is written when it gets full: only a store that cannot be written leaves it so.
            self.dropped.add(workspace, 1);
            return;
        }
        gathered.push(&entry);
        if gathered.is_due() {
            gathered.write(&self.store, workspace).await;
        }
    }

    fn entry(&mut self, logged: &Logged) -> Entry {
        let made =
            Made { id: logged.id.clone(), principal_id: logged.principal_id.clone(), mode: logged.mode, at: logged.at };
        let facts = logged.view.snapshot.facts(&logged.ask);
        Entry::of(made, &logged.ask, &facts, &logged.decision, &self.clean)
    }

    async fn make_room(&mut self) {
        if self.gathered.len() < WORKSPACES_MAX {
            return;
        }
        let first = self.gathered.iter().min_by_key(|(_, gathered)| gathered.begun()).map(|(id, _)| id.clone());
        let Some((id, mut gathered)) = first.and_then(|id| self.gathered.remove_entry(&id)) else { return };
        gathered.end();
        if gathered.write(&self.store, &id).await.is_none() {
            self.dropped.add(&id, gathered.unwritten());
        }
    }

    async fn write(&mut self) {
        for (workspace, count) in self.dropped.take() {
            if !self.gathered.contains_key(&workspace) {
                self.make_room().await;
            }
            self.gathered.entry(workspace).or_insert_with(Gathered::new).drop_rows(count);
        }
        for (workspace, gathered) in &mut self.gathered {
            gathered.write(&self.store, workspace).await;
        }
        self.gathered.retain(|_, gathered| !gathered.is_empty());
    }
}
