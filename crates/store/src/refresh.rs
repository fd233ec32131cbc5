//! Keeping the view as new as the store, with one reader for all who wait.
//!
//! A caller that needs freshness waits for a read of the policy heads that *began* after it asked;
//! one read serves everybody who waits. When a head has moved, only what changed is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::db::read::Reader;
use crate::db::table::Table;
use crate::db::{ColumnType, DbError, Param, Value};
use crate::rows::{AgentRow, ApprovalRow, KeyRow, PolicyLogRow, PrincipalRow, RegistryRow, SettingsRow, TokenRow};
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
    Fresh { scopes: Vec<String>, reply: oneshot::Sender<Result<Arc<View>, DbError>> },
    Learn { unknown: Unknown, reply: oneshot::Sender<Result<Arc<View>, DbError>> },
    Poke,
}

/// The handle to the task that refreshes the view.
#[derive(Clone)]
pub(crate) struct Refresher {
    requests: mpsc::UnboundedSender<Request>,
    view: Arc<ArcSwap<View>>,
}

impl Refresher {
    /// Loads the first view and starts the task; it ends when the last handle is dropped.
    pub(crate) async fn start(reader: Reader, defaults: Defaults, poll: Duration) -> Result<Self, DbError> {
        let view = Arc::new(ArcSwap::from_pointee(load_all(&reader, defaults).await?));
        let (requests, queue) = mpsc::unbounded_channel();
        let task = Task { reader, view: Arc::clone(&view), poll };
        tokio::spawn(task.run(queue));
        Ok(Self { requests, view })
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// A view that is as new as the store was at some moment after this call.
    pub(crate) async fn fresh(&self, scopes: Vec<String>) -> Result<Arc<View>, DbError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Fresh { scopes, reply }, answer).await
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
}

impl Task {
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Request>) {
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

    async fn answer(&self, waiting: &mut Vec<Request>) {
        let mut fresh = Vec::with_capacity(waiting.len());
        let mut scopes = BTreeSet::new();
        let mut poked = false;
        for request in waiting.drain(..) {
            match request {
                Request::Fresh { scopes: wanted, reply } => {
                    scopes.extend(wanted);
                    fresh.push(reply);
                }
                Request::Poke => poked = true,
                Request::Learn { unknown, reply } => {
                    let _ = reply.send(self.learn(unknown).await);
                }
            }
        }
        if fresh.is_empty() && !poked {
            return;
        }
        let outcome = self.refresh((!poked).then_some(scopes)).await;
        if let Err(error) = &outcome {
            tracing::warn!(%error, "the policy heads cannot be read");
        }
        for reply in fresh {
            let _ = reply.send(outcome.clone());
        }
    }

    /// Follows the heads of `scopes`, or of all.
    async fn refresh(&self, scopes: Option<BTreeSet<String>>) -> Result<Arc<View>, DbError> {
        let types = [ColumnType::Text, ColumnType::Int];
        let rows = match scopes {
            Some(scopes) => {
                let text = "SELECT scope, head FROM policy_heads WHERE scope IN {list:1}";
                self.reader.values(text, vec![Param::List(scopes.into_iter().collect())], &types).await?
            }
            None => self.reader.values("SELECT scope, head FROM policy_heads", Vec::new(), &types).await?,
        };
        let view = self.view.load_full();
        let mut moved = Vec::new();
        for (scope, head) in rows.into_iter().filter_map(scope_and_head) {
            if head > view.head(&scope) {
                moved.push((scope, head));
            }
        }
        if moved.is_empty() {
            return Ok(view);
        }
        let mut next = View::clone(&view);
        for (scope, head) in moved {
            self.follow(&mut next, scope, head).await?;
        }
        let next = Arc::new(next);
        self.view.store(Arc::clone(&next));
        Ok(next)
    }

    async fn follow(&self, view: &mut View, scope: String, head: u64) -> Result<(), DbError> {
        let from = i64::try_from(view.head(&scope)).unwrap_or(i64::MAX);
        let to = i64::try_from(head).unwrap_or(i64::MAX);
        let log: Vec<PolicyLogRow> = self
            .reader
            .rows(
                "WHERE t.scope = $1 AND t.head > $2 AND t.head <= $3 ORDER BY t.head",
                vec![scope.as_str().into(), Param::Int(from), Param::Int(to)],
            )
            .await?;
        let mut changed: BTreeMap<&'static str, (ObjectKind, BTreeSet<String>)> = BTreeMap::new();
        for row in log {
            if let Some(kind) = ObjectKind::parse(&row.object_kind) {
                changed.entry(kind.as_str()).or_insert_with(|| (kind, BTreeSet::new())).1.insert(row.object_id);
            }
        }
        for (kind, ids) in changed.into_values() {
            let ids: Vec<String> = ids.into_iter().collect();
            for chunk in ids.chunks(CHUNK) {
                self.load(view, kind, &scope, chunk.to_vec()).await?;
            }
        }
        view.set_head(scope, head);
        Ok(())
    }

    async fn load(&self, view: &mut View, kind: ObjectKind, scope: &str, ids: Vec<String>) -> Result<(), DbError> {
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
            ObjectKind::Label => {}
        }
        Ok(())
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
async fn load_all(reader: &Reader, defaults: Defaults) -> Result<View, DbError> {
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
    Ok(view)
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
