//! What goes on for longer than a moment: looked at again and again, and ended when it must be.
//!
//! One task per proxy looks at everything that is open, so that none of it needs a timer of its own. Two
//! times a second it asks the gate again about what has lasted for half a second, under policy as new as
//! the store's; what is no longer allowed is cut. So is what has been silent for too long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use gate::{Admission, Gate, Now, Recheck};
use model::WorkspaceId;

use super::Inner;
use super::limits::Account;
use super::scan;

/// How often everything open is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Looks between two questions to the gate.
const ASK_EACH: u32 = 2;
/// How long something lasts before it is asked about again.
const SETTLED: Duration = Duration::from_millis(400);
/// How long nothing may move once the client has closed its side of a plain request.
const GONE: Duration = Duration::from_secs(5);

/// Why something is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cut {
    PolicyChanged = 1,
    CredentialEnded,
    IdleTimeout,
    AnswerTimeout,
    Shutdown,
    BytesLimit,
    ClientGone,
    Secret,
}

impl Cut {
    const ALL: [Self; 8] = [
        Self::PolicyChanged,
        Self::CredentialEnded,
        Self::IdleTimeout,
        Self::AnswerTimeout,
        Self::Shutdown,
        Self::BytesLimit,
        Self::ClientGone,
        Self::Secret,
    ];

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::PolicyChanged => "policy_changed",
            Self::CredentialEnded => "credential_ended",
            Self::IdleTimeout => "idle_timeout",
            Self::AnswerTimeout => "response_timeout",
            Self::Shutdown => "shutdown",
            Self::BytesLimit => "bytes_limit",
            Self::ClientGone => "client_gone",
            Self::Secret => scan::CODE,
        }
    }
}

/// What something that goes on is doing, which says how long it may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing is going on.
    Rest = 0,
    /// The head of an answer is waited for.
    Answer,
    /// Bytes flow.
    Stream,
    /// One side has finished.
    HalfClosed,
    /// The client has closed its side of a plain request.
    Gone,
}

/// One thing that goes on. Shared by who carries it out and who looks at it.
#[derive(Default)]
pub(super) struct Live {
    up: AtomicU64,
    down: AtomicU64,
    phase: AtomicU8,
    cut: AtomicU8,
    /// Whether a credential was seen that was let pass.
    noted: AtomicBool,
    waker: AtomicWaker,
    watched: Mutex<Option<Watched>>,
}

struct Watched {
    admission: Admission,
    account: Arc<Account>,
    since: Instant,
    seen: Seen,
}

/// What was seen at the last look.
struct Seen {
    moved: u64,
    phase: u8,
    at: Instant,
}

impl Live {
    /// Begins to be looked at.
    pub(super) fn begin(&self, admission: Admission, account: Arc<Account>, phase: Phase) {
        let now = Instant::now();
        let mut watched = self.watched();
        self.up.store(0, Ordering::Relaxed);
        self.down.store(0, Ordering::Relaxed);
        self.cut.store(0, Ordering::Relaxed);
        self.noted.store(false, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
        let seen = Seen { moved: 0, phase: phase as u8, at: now };
        *watched = Some(Watched { admission, account, since: now, seen });
    }

    /// Ends to be looked at; what has moved since the last look is counted.
    pub(super) fn end(&self) {
        if let Some(watched) = self.watched().take() {
            watched.account.moved(self.moved() - watched.seen.moved);
        }
        self.phase.store(Phase::Rest as u8, Ordering::Relaxed);
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn add_up(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_down(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }

    fn moved(&self) -> u64 {
        let (up, down) = self.bytes();
        up.saturating_add(down)
    }

    /// Whether it was cut. Registers who is to be woken when it is.
    pub(super) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<Cut> {
        if let Some(cut) = self.is_cut() {
            return Poll::Ready(cut);
        }
        self.waker.register(cx.waker());
        self.is_cut().map_or(Poll::Pending, Poll::Ready)
    }

    /// Ends when it is cut.
    pub(super) async fn cut(&self) -> Cut {
        std::future::poll_fn(|cx| self.poll_cut(cx)).await
    }

    pub(super) fn is_cut(&self) -> Option<Cut> {
        let code = self.cut.load(Ordering::Acquire);
        Cut::ALL.into_iter().find(|cut| *cut as u8 == code)
    }

    /// Ends it because of a credential on its way up.
    pub(super) fn stray(&self) {
        self.do_cut(Cut::Secret);
    }

    /// Notes a credential on its way up.
    pub(super) fn note(&self) {
        self.noted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Relaxed)
    }

    fn do_cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::Release);
        self.waker.wake();
    }

    /// Cuts what began at `since`, unless something else goes on by now.
    fn cut_since(&self, since: Instant, cut: Cut) {
        let watched = self.watched();
        if watched.as_ref().is_some_and(|watched| watched.since == since) {
            self.do_cut(cut);
        }
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, Option<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at it; gives what is to be asked about again.
    fn look(&self, inner: &Inner, now: Instant) -> Option<(Admission, Instant)> {
        let mut slot = self.watched();
        let watched = slot.as_mut()?;
        let phase = self.phase.load(Ordering::Relaxed);
        let moved = self.moved();
        if moved != watched.seen.moved || phase != watched.seen.phase {
            let within = watched.account.moved(moved - watched.seen.moved);
            watched.seen = Seen { moved, phase, at: now };
            if !within {
                self.do_cut(Cut::BytesLimit);
            }
        }
        let timeouts = &inner.config.timeouts;
        let (limit, cut) = match phase {
            p if p == Phase::Answer as u8 => (timeouts.answer, Cut::AnswerTimeout),
            p if p == Phase::HalfClosed as u8 => (timeouts.half_closed, Cut::IdleTimeout),
            p if p == Phase::Gone as u8 => (GONE, Cut::ClientGone),
            _ => (timeouts.idle, Cut::IdleTimeout),
        };
        if now.duration_since(watched.seen.at) > limit {
            self.do_cut(cut);
        }
        (now.duration_since(watched.since) > SETTLED).then(|| (watched.admission.clone(), watched.since))
    }

    fn is_going_on(&self) -> bool {
        self.watched().is_some()
    }
}

/// Everything that goes on.
#[derive(Default)]
pub(super) struct Registry {
    open: Mutex<Vec<Weak<Live>>>,
}

impl Registry {
    /// A place for one connection's, or one stream's, doings.
    pub(super) fn open(&self) -> Arc<Live> {
        let live = Arc::new(Live::default());
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&live));
        live
    }

    fn all(&self) -> Vec<Arc<Live>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::with_capacity(open.len());
        open.retain(|live| live.upgrade().map(|live| all.push(live)).is_some());
        all
    }

    /// Ends everything.
    pub(super) fn cut_all(&self) {
        for live in self.all().iter().filter(|live| live.is_going_on()) {
            live.do_cut(Cut::Shutdown);
        }
    }
}

/// Looks at everything that is open for as long as the proxy lives.
pub(super) async fn watch(inner: Weak<Inner>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0_u32;
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        count = count.wrapping_add(1);
        let now = Instant::now();
        let mut asked: HashMap<WorkspaceId, Vec<Asked>> = HashMap::new();
        for live in inner.live.all() {
            if let Some((admission, since)) = live.look(&inner, now)
                && count.is_multiple_of(ASK_EACH)
            {
                let workspace = admission.workspace_id().clone();
                asked.entry(workspace).or_default().push(Asked { live, admission, since });
            }
        }
        for (workspace, each) in asked {
            match inner.gate.now(&workspace).await {
                Ok(now) => ask_again(&inner.gate, &now, each).await,
                Err(error) => tracing::warn!(%error, "policy cannot be read to ask again about what is open"),
            }
        }
        inner.strangers.forget_old();
        inner.accounts.forget_unused();
    }
}

/// What is to be asked about again.
struct Asked {
    live: Arc<Live>,
    admission: Admission,
    since: Instant,
}

async fn ask_again(gate: &Gate, now: &Now, each: Vec<Asked>) {
    for Asked { live, admission, since } in each {
        match gate.recheck(now, &admission).await {
            Ok(Recheck::Stays) => {}
            Ok(Recheck::Unauthenticated) => live.cut_since(since, Cut::CredentialEnded),
            Ok(Recheck::Ends(_)) => live.cut_since(since, Cut::PolicyChanged),
            Err(error) => tracing::warn!(%error, "something open cannot be asked about again"),
        }
    }
}
