//! Commands: what the recorder settles and writes, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::event::Stream;
use model::{Actor, RunId, WorkspaceId};

use crate::db::table::{Key, Table, TableSpec};
use crate::rows::{LeaseRow, QueueRow, RunRow, WaitRow};
use crate::tx::Tx;
use crate::tx::claim::Claim;

/// One change of the store: which rows it needs, and what it makes of them.
///
/// A command is settled inside a batch, possibly more than once (a batch that lost a race is
/// settled again from fresh rows), so `settle` must depend on nothing but `self` and the [`Tx`].
pub trait Command: Send + 'static {
    /// What the caller gets once everything is durable.
    type Output: Send + 'static;
    /// Why the command was refused. A refusal writes nothing.
    type Refusal: Send + 'static;

    /// Declares the rows that `settle` looks at. What is not declared counts as absent.
    fn reads(&self, reads: &mut Reads);

    /// Decides and writes into `tx`.
    ///
    /// # Errors
    /// The refusal; then nothing that this call wrote into `tx` remains.
    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Self::Output, Self::Refusal>;
}

/// The scope of the policy head that covers all workspaces.
pub const INSTALL: &str = "*";

/// The rows of one table that are wanted.
#[derive(Clone)]
pub(crate) struct KeyedRows {
    pub(crate) spec: &'static TableSpec,
    pub(crate) keys: BTreeSet<Key>,
}

/// What a command wants to see, by key.
#[derive(Default, Clone)]
pub struct Reads {
    pub(crate) streams: BTreeSet<Stream>,
    pub(crate) expected: BTreeMap<String, u64>,
    pub(crate) locked_heads: BTreeSet<String>,
    pub(crate) rows: BTreeMap<&'static str, KeyedRows>,
    pub(crate) actors: BTreeSet<(WorkspaceId, Actor)>,
    pub(crate) open_asks: BTreeSet<(WorkspaceId, String)>,
    pub(crate) quotas: BTreeMap<(WorkspaceId, String), QuotaRead>,
    pub(crate) claims: BTreeMap<Claim, u32>,
    pub(crate) open_parts: BTreeSet<RunId>,
    pub(crate) open_attempts: BTreeSet<RunId>,
}

/// How far back into a quota's uses a batch must see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuotaRead {
    pub(crate) limit: u64,
    pub(crate) takers: u64,
}

impl Reads {
    /// The stream that is appended to.
    pub fn stream(&mut self, stream: Stream) {
        self.streams.insert(stream);
    }

    /// The policy head that the caller decided under. If it has moved, the command is not settled
    /// and the caller gets [`crate::SubmitError::Stale`]. Of two heads of one scope the older counts.
    pub fn expect_head(&mut self, scope: &str, head: u64) {
        self.expected.entry(scope.to_owned()).and_modify(|known| *known = (*known).min(head)).or_insert(head);
    }

    /// A policy head that is going to be moved by [`Tx::policy_changed`].
    pub fn moves_head(&mut self, scope: &str) {
        self.locked_heads.insert(scope.to_owned());
    }

    /// A row by its primary key, in the order of the table's key columns.
    pub fn row<T: TableRow>(&mut self, key: &[&str]) {
        self.rows
            .entry(T::SPEC.name)
            .or_insert_with(|| KeyedRows { spec: const { &T::SPEC }, keys: BTreeSet::new() })
            .keys
            .insert(key.iter().map(|k| (*k).to_owned()).collect());
    }

    /// The principal of an actor, which is made when it is needed and not there.
    pub fn actor(&mut self, workspace: &WorkspaceId, actor: &Actor) {
        self.actors.insert((workspace.clone(), actor.clone()));
    }

    /// The open approval raised by the same ask, if any.
    pub fn open_ask(&mut self, workspace: &WorkspaceId, ask_key: &str) {
        self.open_asks.insert((workspace.clone(), ask_key.to_owned()));
    }

    /// One use of a quota of `limit` per rolling hour.
    pub fn quota(&mut self, workspace: &WorkspaceId, subject: &str, limit: u64) {
        let read = self.quotas.entry((workspace.clone(), subject.to_owned())).or_insert(QuotaRead { limit, takers: 0 });
        read.limit = read.limit.max(limit);
        read.takers += 1;
    }

    /// Up to `limit` runs that can be taken now; [`Tx::claimable`] names them. With each come its
    /// run, its stream, its attempt, the approval it waited for and what is open in it.
    pub fn claim(&mut self, claim: Claim, limit: u32) {
        *self.claims.entry(claim).or_insert(0) += limit;
    }

    /// The steps and tool calls of a run that have not ended, for [`Tx::open_parts`].
    pub fn open_parts(&mut self, run: &RunId) {
        self.open_parts.insert(run.clone());
    }

    /// Everything about a run but its steps and tool calls that have ended: its row, its place in
    /// the queue, its lease, its wait and the attempt that is under way.
    pub fn run(&mut self, run: &RunId) {
        self.row::<RunRow>(&[run.as_str()]);
        self.row::<QueueRow>(&[run.as_str()]);
        self.row::<LeaseRow>(&[run.as_str()]);
        self.row::<WaitRow>(&[run.as_str()]);
        self.open_parts(run);
        self.open_attempts.insert(run.clone());
    }

    /// Takes over what another command wants.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.streams.extend(other.streams.iter().cloned());
        for (scope, head) in &other.expected {
            self.expected.entry(scope.clone()).or_insert(*head);
        }
        self.locked_heads.extend(other.locked_heads.iter().cloned());
        for (name, rows) in &other.rows {
            let mine = self.rows.entry(name).or_insert_with(|| KeyedRows { spec: rows.spec, keys: BTreeSet::new() });
            mine.keys.extend(rows.keys.iter().cloned());
        }
        self.actors.extend(other.actors.iter().cloned());
        self.open_asks.extend(other.open_asks.iter().cloned());
        for (key, quota) in &other.quotas {
            let mine = self.quotas.entry(key.clone()).or_insert(QuotaRead { limit: quota.limit, takers: 0 });
            mine.limit = mine.limit.max(quota.limit);
            mine.takers += quota.takers;
        }
        for (claim, limit) in &other.claims {
            *self.claims.entry(claim.clone()).or_insert(0) += limit;
        }
        self.open_parts.extend(other.open_parts.iter().cloned());
        self.open_attempts.extend(other.open_attempts.iter().cloned());
    }

    /// Which lane of the recorder this goes to: everything of one stream goes to one lane.
    pub(crate) fn lane(&self) -> u64 {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        self.streams.first().hash(&mut hasher);
        hasher.finish()
    }
}

/// A row type that commands may read and write.
#[allow(private_bounds, reason = "sealed: only rows of this crate are rows")]
pub trait TableRow: Table + crate::tx::cache::Cached {}
impl<T: Table + crate::tx::cache::Cached> TableRow for T {}
