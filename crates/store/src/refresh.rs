//! Keeping the view as new as the store, with one reader for all who wait.
//!
//! A caller that needs freshness waits for a read of the policy heads that *began* after it asked;
//! one read serves everybody who waits. When a head has moved, only what changed is read.
//!
//! A policy set that this process has not compiled yet is compiled beside this: whoever asks in its
//! workspace waits for that, nobody else does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::db::read::Reader;
use crate::db::table::Table;
use crate::db::{ColumnType, DbError, Param, Value};
use crate::rows::{
    AgentRow, ApprovalRow, KeyRow, PolicyLogRow, PolicySetRow, PolicyTextRow, PrincipalRow, RegistryRow, SettingsRow,
    TokenRow,
};
use crate::sets::{CompiledSet, Shelf};
use crate::tx::ObjectKind;
use crate::view::View;
use model::Time;
use policy::Defaults;

/// LIMIT: the most ids in one query.
const CHUNK: usize = 500;

/// An object that a caller named and the view does not know.
#[derive(Debug, Clone)]
pub(crate) enum Unknown {
    Principal(String),
    Actor { workspace: String, kind: String, id: String },
    Agent(String),
    Token(String),
    Approval(String),
    Key(String),
}

enum Request {
    Fresh(Fresh),
    Learn {
        unknown: Unknown,
        reply: oneshot::Sender<Result<Arc<View>, DbError>>,
    },
    Poke,
    /// The set with this digest was compiled, or could not be read from the store.
    Compiled {
        digest: String,
        outcome: Result<Arc<CompiledSet>, DbError>,
    },
}

/// Somebody who waits for a view that is new in some scopes.
struct Fresh {
    scopes: Vec<String>,
    reply: oneshot::Sender<Result<Arc<View>, DbError>>,
}

/// What following the heads came to.
struct Followed {
    view: Arc<View>,
    /// Scopes that stay where they were, for the digests that have to be compiled first.
    behind: BTreeMap<String, Vec<String>>,
}

/// The handle to the task that refreshes the view.
#[derive(Clone)]
pub(crate) struct Refresher {
    requests: mpsc::UnboundedSender<Request>,
    view: Arc<ArcSwap<View>>,
    sets: Arc<Shelf>,
}

impl Refresher {
    /// Loads the first view and starts the task; it ends when the last handle is dropped.
    pub(crate) async fn start(reader: Reader, defaults: Defaults, poll: Duration) -> Result<Self, DbError> {
        let sets = Arc::new(Shelf::default());
        let view = Arc::new(ArcSwap::from_pointee(load_all(&reader, defaults, &sets).await?));
        let (requests, queue) = mpsc::unbounded_channel();
        let task = Task {
            reader,
            view: Arc::clone(&view),
            poll,
            sets: Arc::clone(&sets),
            requests: requests.downgrade(),
            compiling: HashSet::new(),
            compiled: Vec::new(),
            parked: Vec::new(),
        };
        tokio::spawn(task.run(queue));
        Ok(Self { requests, view, sets })
    }

    /// The sets this process knows.
    pub(crate) fn sets(&self) -> &Shelf {
        &self.sets
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// A view that is as new as the store was at some moment after this call.
    pub(crate) async fn fresh(&self, scopes: Vec<String>) -> Result<Arc<View>, DbError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Fresh(Fresh { scopes, reply }), answer).await
    }

    /// A view that knows the object, if the store has it.
    pub(crate) async fn learn(&self, unknown: Unknown) -> Result<Arc<View>, DbError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Learn { unknown, reply }, answer).await
    }

    /// Says that something may have moved.
    pub(crate) fn poke(&self) {
        let _ = self.requests.send(Request::Poke);
    }

    async fn ask(
        &self,
        request: Request,
        answer: oneshot::Receiver<Result<Arc<View>, DbError>>,
    ) -> Result<Arc<View>, DbError> {
        let stopped = || DbError::Lost("the view is no longer refreshed".to_owned());
        self.requests.send(request).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

struct Task {
    reader: Reader,
    view: Arc<ArcSwap<View>>,
    poll: Duration,
    sets: Arc<Shelf>,
    /// Weak, so that the task ends with the last handle.
    requests: mpsc::WeakUnboundedSender<Request>,
    /// Digests that are being compiled.
    compiling: HashSet<String>,
    /// What was compiled and not followed yet: kept, so that nothing is compiled twice.
    compiled: Vec<Arc<CompiledSet>>,
    /// Who waits for something that is being compiled.
    parked: Vec<Fresh>,
}

impl Task {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Request>) {
        let mut waiting = Vec::with_capacity(256);
        loop {
            waiting.clear();
            match tokio::time::timeout(self.poll, queue.recv_many(&mut waiting, 4_096)).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(_) => waiting.push(Request::Poke),
            }
            self.answer(&mut waiting).await;
        }
    }

    async fn answer(&mut self, waiting: &mut Vec<Request>) {
        let mut fresh = Vec::with_capacity(waiting.len());
        let mut poked = false;
        for request in waiting.drain(..) {
            match request {
                Request::Fresh(one) => fresh.push(one),
                Request::Poke => poked = true,
                Request::Learn { unknown, reply } => {
                    let _ = reply.send(self.learn(unknown).await);
                }
                Request::Compiled { digest, outcome } => {
                    self.compiling.remove(&digest);
                    poked = true;
                    match outcome {
                        Ok(set) => {
                            self.sets.keep(&set);
                            self.compiled.push(set);
                            fresh.append(&mut self.parked);
                        }
                        Err(error) => self.refuse_parked(&error),
                    }
                }
            }
        }
        if fresh.is_empty() && !poked {
            return;
        }
        let scopes: BTreeSet<String> = fresh.iter().flat_map(|one| one.scopes.iter().cloned()).collect();
        match self.refresh((!poked).then_some(scopes)).await {
            Ok(followed) => self.reply(fresh, followed),
            Err(error) => {
                tracing::warn!(%error, "the policy heads cannot be read");
                for one in fresh {
                    let _ = one.reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Answers whoever can be answered; the others wait for what is being compiled.
    fn reply(&mut self, fresh: Vec<Fresh>, followed: Followed) {
        for one in fresh {
            if one.scopes.iter().any(|scope| followed.behind.contains_key(scope)) {
                self.parked.push(one);
            } else {
                let _ = one.reply.send(Ok(Arc::clone(&followed.view)));
            }
        }
        for (scope, digests) in followed.behind {
            for digest in digests {
                self.compile(&scope, digest);
            }
        }
        if self.compiling.is_empty() {
            self.compiled.clear();
        }
    }

    fn refuse_parked(&mut self, error: &DbError) {
        tracing::warn!(%error, "the text of a policy set cannot be read");
        for one in self.parked.drain(..) {
            let _ = one.reply.send(Err(error.clone()));
        }
    }

    /// Reads and compiles a set beside this task, which is told when it is done.
    fn compile(&mut self, scope: &str, digest: String) {
        if !self.compiling.insert(digest.clone()) {
            return;
        }
        let (reader, requests, scope) = (self.reader.clone(), self.requests.clone(), scope.to_owned());
        tokio::spawn(async move {
            let outcome = compiled(&reader, &scope, &digest).await;
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Compiled { digest, outcome });
            }
        });
    }

    /// Follows the heads of `scopes`, or of all.
    async fn refresh(&self, scopes: Option<BTreeSet<String>>) -> Result<Followed, DbError> {
        let types = [ColumnType::Text, ColumnType::Int];
        let rows = match scopes {
            Some(scopes) => {
                let text = "SELECT scope, head FROM policy_heads WHERE scope IN {list:1}";
                self.reader.values(text, vec![Param::List(scopes.into_iter().collect())], &types).await?
            }
            None => self.reader.values("SELECT scope, head FROM policy_heads", Vec::new(), &types).await?,
        };
        let view = self.view.load_full();
        let mut behind = BTreeMap::new();
        let mut moved = Vec::new();
        for (scope, head) in rows.into_iter().filter_map(scope_and_head) {
            if head > view.head(&scope) {
                moved.push((scope, head));
            }
        }
        if moved.is_empty() {
            return Ok(Followed { view, behind });
        }
        let mut next = View::clone(&view);
        for (scope, head) in moved {
            // INVARIANT: a scope is followed as a whole or not at all, so no view mixes two policies.
            let mut followed = next.clone();
            match self.follow(&mut followed, &scope, head).await? {
                missing if missing.is_empty() => next = followed,
                missing => {
                    behind.insert(scope, missing);
                }
            }
        }
        let next = Arc::new(next);
        metrics::gauge!("exeat_policy_sets_unreadable").set(next.unreadable_sets() as f64);
        self.view.store(Arc::clone(&next));
        Ok(Followed { view: next, behind })
    }

    /// Brings what changed in a scope, and says which digests of policy sets have to be compiled first.
    async fn follow(&self, view: &mut View, scope: &str, head: u64) -> Result<Vec<String>, DbError> {
        let from = i64::try_from(view.head(scope)).unwrap_or(i64::MAX);
        let to = i64::try_from(head).unwrap_or(i64::MAX);
        let log: Vec<PolicyLogRow> = self
            .reader
            .rows(
                "WHERE t.scope = $1 AND t.head > $2 AND t.head <= $3 ORDER BY t.head",
                vec![scope.into(), Param::Int(from), Param::Int(to)],
            )
            .await?;
        let mut changed: BTreeMap<&'static str, (ObjectKind, BTreeSet<String>)> = BTreeMap::new();
        for row in log {
            if let Some(kind) = ObjectKind::parse(&row.object_kind) {
                changed.entry(kind.as_str()).or_insert_with(|| (kind, BTreeSet::new())).1.insert(row.object_id);
            }
        }
        let mut missing = Vec::new();
        for (kind, ids) in changed.into_values() {
            let ids: Vec<String> = ids.into_iter().collect();
            for chunk in ids.chunks(CHUNK) {
                missing.extend(self.load(view, kind, scope, chunk.to_vec()).await?);
            }
        }
        view.set_head(scope.to_owned(), head);
        Ok(missing)
    }

    async fn load(
        &self,
        view: &mut View,
        kind: ObjectKind,
        scope: &str,
        ids: Vec<String>,
    ) -> Result<Vec<String>, DbError> {
        match kind {
            ObjectKind::Principal => {
                self.by_ids::<PrincipalRow>("principal_id", ids).await?.into_iter().for_each(|r| view.put_principal(r));
            }
            ObjectKind::Agent => {
                self.by_ids::<AgentRow>("agent_id", ids).await?.into_iter().for_each(|r| view.put_agent(r));
            }
            ObjectKind::Token => {
                self.by_ids::<TokenRow>("token_id", ids).await?.into_iter().for_each(|r| view.put_token(r));
            }
            ObjectKind::Approval => {
                self.by_ids::<ApprovalRow>("approval_id", ids).await?.into_iter().for_each(|r| view.put_approval(r));
            }
            ObjectKind::Registry => {
                let rows: Vec<RegistryRow> = self.reader.rows("WHERE t.workspace_id = $1", vec![scope.into()]).await?;
                rows.into_iter().for_each(|r| view.put_registry(r));
            }
            ObjectKind::Settings => {
                self.by_ids::<SettingsRow>("workspace_id", ids).await?.into_iter().for_each(|r| view.put_settings(&r));
            }
            ObjectKind::Key => {
                self.by_ids::<KeyRow>("key_id", ids).await?.into_iter().for_each(|r| view.put_key(r));
            }
            ObjectKind::PolicySet => {
                let mut missing = Vec::new();
                for row in self.by_ids::<PolicySetRow>("workspace_id", ids).await? {
                    missing.extend(view.put_policy_set(&row, |digest| self.sets.get(digest)).err().unwrap_or_default());
                }
                return Ok(missing);
            }
            ObjectKind::Label => {}
        }
        Ok(Vec::new())
    }

    async fn by_ids<T: Table>(&self, column: &str, ids: Vec<String>) -> Result<Vec<T>, DbError> {
        self.reader.rows(&format!("WHERE t.{column} IN {{list:1}}"), vec![Param::List(ids)]).await
    }

    async fn learn(&self, unknown: Unknown) -> Result<Arc<View>, DbError> {
        let mut next = View::clone(&self.view.load());
        match unknown {
            Unknown::Principal(id) => {
                self.by_ids::<PrincipalRow>("principal_id", vec![id.clone()])
                    .await?
                    .into_iter()
                    .for_each(|r| next.put_principal(r));
                self.by_ids::<AgentRow>("principal_id", vec![id]).await?.into_iter().for_each(|r| next.put_agent(r));
            }
            Unknown::Actor { workspace, kind, id } => {
                let tail = "WHERE t.workspace_id = $1 AND t.legacy_actor_type = $2 AND t.legacy_actor_id = $3";
                let params = vec![Param::Text(workspace), Param::Text(kind), Param::Text(id)];
                let rows: Vec<PrincipalRow> = self.reader.rows(tail, params).await?;
                rows.into_iter().for_each(|r| next.put_principal(r));
            }
            Unknown::Agent(id) => {
                self.by_ids::<AgentRow>("agent_id", vec![id]).await?.into_iter().for_each(|r| next.put_agent(r));
            }
            Unknown::Token(id) => self.learn_token(&mut next, id).await?,
            Unknown::Approval(id) => {
                let rows = self.by_ids::<ApprovalRow>("approval_id", vec![id]).await?;
                rows.into_iter().for_each(|r| next.put_approval(r));
            }
            Unknown::Key(id) => {
                self.by_ids::<KeyRow>("key_id", vec![id]).await?.into_iter().for_each(|r| next.put_key(r));
            }
        }
        let next = Arc::new(next);
        self.view.store(Arc::clone(&next));
        Ok(next)
    }

    /// A token with everything it was delegated from. LIMIT: 16 ancestors, far over the depth allowed.
    async fn learn_token(&self, view: &mut View, id: String) -> Result<(), DbError> {
        let mut wanted = Some(id);
        for _ in 0..16 {
            let Some(id) = wanted.take() else { break };
            for row in self.by_ids::<TokenRow>("token_id", vec![id]).await? {
                wanted = row.parent_token_id.as_ref().map(|p| p.as_str().to_owned());
                view.put_token(row);
            }
        }
        Ok(())
    }
}

fn scope_and_head(row: Vec<Value>) -> Option<(String, u64)> {
    let mut row = row.into_iter();
    match (row.next(), row.next()) {
        (Some(Value::Text(scope)), Some(Value::Int(head))) => Some((scope, u64::try_from(head).unwrap_or(0))),
        _ => None,
    }
}

/// Everything policy rests on. Heads are read first: what changes meanwhile is followed later.
async fn load_all(reader: &Reader, defaults: Defaults, sets: &Shelf) -> Result<View, DbError> {
    let mut view = View::new(defaults);
    let heads =
        reader.values("SELECT scope, head FROM policy_heads", Vec::new(), &[ColumnType::Text, ColumnType::Int]).await?;
    for (scope, head) in heads.into_iter().filter_map(scope_and_head) {
        view.set_head(scope, head);
    }
    let now = crate::clock_now();
    reader.rows::<PrincipalRow>("", vec![]).await?.into_iter().for_each(|r| view.put_principal(r));
    reader.rows::<AgentRow>("", vec![]).await?.into_iter().for_each(|r| view.put_agent(r));
    tokens(reader, &mut view, now).await?;
    reader
        .rows::<ApprovalRow>(
            "WHERE t.status = 'approved' AND t.consumed_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $1)",
            vec![Param::Time(now)],
        )
        .await?
        .into_iter()
        .for_each(|r| view.put_approval(r));
    reader.rows::<RegistryRow>("", vec![]).await?.into_iter().for_each(|r| view.put_registry(r));
    reader.rows::<SettingsRow>("", vec![]).await?.into_iter().for_each(|r| view.put_settings(&r));
    reader.rows::<KeyRow>("", vec![]).await?.into_iter().for_each(|r| view.put_key(r));
    for row in reader.rows::<PolicySetRow>("", vec![]).await? {
        policy_set(reader, &mut view, sets, &row).await?;
    }
    metrics::gauge!("exeat_policy_sets_unreadable").set(view.unreadable_sets() as f64);
    Ok(view)
}

/// The sets of one workspace at the start, when nobody waits for anything yet.
async fn policy_set(reader: &Reader, view: &mut View, sets: &Shelf, row: &PolicySetRow) -> Result<(), DbError> {
    let mut ready: Vec<Arc<CompiledSet>> = Vec::new();
    loop {
        let known =
            |digest: &str| sets.get(digest).or_else(|| ready.iter().find(|set| set.digest == digest).map(Arc::clone));
        let Err(missing) = view.put_policy_set(row, known) else { return Ok(()) };
        for digest in missing {
            let set = compiled(reader, row.workspace_id.as_str(), &digest).await?;
            sets.keep(&set);
            ready.push(set);
        }
    }
}

/// Reads the text of a set and compiles it where it is in nobody's way.
async fn compiled(reader: &Reader, workspace: &str, digest: &str) -> Result<Arc<CompiledSet>, DbError> {
    let params = vec![workspace.into(), digest.into()];
    let row: Option<PolicyTextRow> = reader.row("WHERE t.workspace_id = $1 AND t.digest = $2", params).await?;
    let digest = digest.to_owned();
    let compile = move || Arc::new(CompiledSet::stored(&digest, row.as_ref().map(|row| &row.files)));
    tokio::task::spawn_blocking(compile).await.map_err(|error| DbError::Lost(error.to_string()))
}

/// Live tokens; those that ended stay in the store and are learnt when somebody shows one.
async fn tokens(reader: &Reader, view: &mut View, now: Time) -> Result<(), DbError> {
    let rows: Vec<TokenRow> = reader
        .rows("WHERE t.revoked_at IS NULL AND (t.valid_until IS NULL OR t.valid_until > $1)", vec![Param::Time(now)])
        .await?;
    let live: HashMap<String, ()> = rows.iter().map(|r| (r.token_id.as_str().to_owned(), ())).collect();
    let mut ended: BTreeSet<String> = BTreeSet::new();
    for row in rows {
        if let Some(parent) = &row.parent_token_id
            && !live.contains_key(parent.as_str())
        {
            ended.insert(parent.as_str().to_owned());
        }
        view.put_token(row);
    }
    let ended: Vec<String> = ended.into_iter().collect();
    for chunk in ended.chunks(CHUNK) {
        let rows: Vec<TokenRow> =
            reader.rows("WHERE t.token_id IN {list:1}", vec![Param::List(chunk.to_vec())]).await?;
        rows.into_iter().for_each(|r| view.put_token(r));
    }
    Ok(())
}
