//! PostgreSQL: two flights per transaction, everything in a flight pipelined.
//!
//! Nothing here needs session state: no advisory locks, no `LISTEN`, no settings; so poolers in
//! transaction mode and distributed servers work. (The wake-up listener is [`crate::feed`]'s.)

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use rustls::ClientConfig;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::pg_types::PgTime;
use super::sql;
use super::writer::{Read, Rows, Write};
use super::{ColumnType, DbError, Dialect, Param, Value, ValueRef};

type SqlParam = Box<dyn ToSql + Sync + Send>;
type Flight<'f, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'f>>;

/// How to reach the server.
#[derive(Clone)]
pub(crate) struct PgTarget {
    config: Config,
    tls: MakeRustlsConnect,
}

impl PgTarget {
    pub(crate) fn parse(url: &str) -> Result<Self, DbError> {
        let mut config: Config =
            url.parse().map_err(|_| DbError::Refused("the PostgreSQL URL cannot be read".to_owned()))?;
        if config.get_application_name().is_none() {
            config.application_name("exeat");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(5));
        }
        config.keepalives_idle(std::time::Duration::from_secs(30));
        Ok(Self { config, tls: MakeRustlsConnect::new(tls_config()?) })
    }

    /// Opens a connection and drives it on a task of its own until it closes.
    pub(crate) async fn connect(&self) -> Result<Client, DbError> {
        let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(|e| classify(&e))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a PostgreSQL connection ended");
            }
        });
        Ok(client)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }
}

fn tls_config() -> Result<ClientConfig, DbError> {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(rustls::ConfigBuilder::with_platform_verifier)
        .map_err(|e| DbError::Refused(format!("TLS cannot be set up: {e}")))?
        .with_no_client_auth();
    Ok(config)
}

pub(crate) fn classify(error: &tokio_postgres::Error) -> DbError {
    let Some(db) = error.as_db_error() else {
        return DbError::Lost(error.to_string());
    };
    let code = db.code().code();
    let text = format!("{} ({code})", db.message());
    match code {
        "40001" | "40P01" | "23505" | "55P03" => DbError::Conflict(text),
        c if c.starts_with("22") || c.starts_with("23") && c != "23001" => DbError::BadValue(text),
        // Connection trouble, shutdown, too many connections, out of resources that may pass.
        c if c.starts_with("08") || c.starts_with("57P") || c == "53300" => DbError::Lost(text),
        _ => DbError::Refused(text),
    }
}

/// Starts every request before it waits for any, in order: one flight on the wire.
async fn in_flight<T>(mut requests: Vec<Flight<'_, T>>) -> Vec<Result<T, tokio_postgres::Error>> {
    let mut answers: Vec<Option<Result<T, tokio_postgres::Error>>> = requests.iter().map(|_| None).collect();
    poll_fn(move |context| {
        let mut waiting = false;
        for (request, answer) in requests.iter_mut().zip(answers.iter_mut()) {
            if answer.is_none() {
                match request.as_mut().poll(context) {
                    Poll::Ready(done) => *answer = Some(done),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(answers.drain(..).flatten().collect()) }
    })
    .await
}

/// A connection with its prepared statements.
pub(crate) struct PgConnection {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl PgConnection {
    pub(crate) async fn open(target: &PgTarget) -> Result<Self, DbError> {
        Ok(Self { client: target.connect().await?, statements: HashMap::new() })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    async fn prepare(&mut self, text: &str) -> Result<Statement, DbError> {
        if let Some(statement) = self.statements.get(text) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(text).await.map_err(|e| classify(&e))?;
        self.statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Every statement of a batch finds rows by key. A plan that is made while a table is small would
/// read it whole and be kept while it grows. And a process that is stopped in the middle must not
/// keep its locks. Of the transaction only, so that poolers do not mind.
const BEGIN: &str = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
                     SET LOCAL enable_mergejoin = off; SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// The writing connection of one lane.
pub(crate) struct PgWriter {
    target: PgTarget,
    connection: Option<PgConnection>,
}

impl PgWriter {
    pub(crate) fn new(target: PgTarget) -> Self {
        Self { target, connection: None }
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        if self.connection.as_ref().is_none_or(PgConnection::is_closed) {
            self.connection = Some(PgConnection::open(&self.target).await?);
        }
        self.connection.as_mut().ok_or_else(|| DbError::Lost("no connection".to_owned()))
    }

    fn failed(&mut self, error: DbError) -> DbError {
        if matches!(error, DbError::Lost(_)) {
            self.connection = None;
        }
        error
    }

    pub(crate) async fn begin(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        self.flight(Some(BEGIN), reads).await
    }

    pub(crate) async fn read(&mut self, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        self.flight(None, reads).await
    }

    /// Sends a command and reads after it, all at once.
    async fn flight(&mut self, command: Option<&'static str>, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        match self.try_flight(command, reads).await {
            Ok(rows) => Ok(rows),
            Err(error) => {
                self.rollback().await;
                Err(self.failed(error))
            }
        }
    }

    async fn try_flight(&mut self, command: Option<&'static str>, reads: &[Read]) -> Result<Vec<Rows>, DbError> {
        let connection = self.connection().await?;
        let mut prepared = Vec::with_capacity(reads.len());
        for read in reads {
            let (text, params, types) = read_statement(read);
            prepared.push((connection.prepare(&text).await?, params, types));
        }
        let client = &connection.client;
        let mut requests: Vec<Flight<'_, Vec<Row>>> = Vec::with_capacity(reads.len() + 1);
        if let Some(command) = command {
            requests.push(Box::pin(async move { client.batch_execute(command).await.map(|()| Vec::new()) }));
        }
        let before = requests.len();
        for (statement, params, _) in &prepared {
            requests.push(Box::pin(async move { client.query(statement, &as_params(params)).await }));
        }
        let answers = in_flight(requests).await;
        let mut all = Vec::with_capacity(reads.len());
        for (number, answer) in answers.into_iter().enumerate() {
            let rows = answer.map_err(|e| classify(&e))?;
            if let Some((_, _, types)) = number.checked_sub(before).and_then(|n| prepared.get(n)) {
                all.push(rows.iter().map(|row| read_row(row, types)).collect::<Result<Rows, _>>()?);
            }
        }
        Ok(all)
    }

    pub(crate) async fn commit(&mut self, writes: &[Write]) -> Result<(), DbError> {
        let outcome = self.try_commit(writes).await;
        if let Err(error) = outcome {
            self.rollback().await;
            return Err(self.failed(error));
        }
        Ok(())
    }

    async fn try_commit(&mut self, writes: &[Write]) -> Result<(), DbError> {
        let connection = self.connection.as_mut().ok_or_else(|| DbError::Lost("no connection".to_owned()))?;
        let mut prepared = Vec::with_capacity(writes.len());
        for write in writes {
            let text = sql::write(Dialect::Postgres, write.spec, write.mode);
            prepared.push((connection.prepare(&text).await?, write));
        }
        let client = &connection.client;
        let mut requests: Vec<Flight<'_, ()>> = Vec::with_capacity(writes.len() + 1);
        for (statement, write) in &prepared {
            let write: &Write = write;
            requests.push(Box::pin(async move {
                let columns: Vec<SqlParamRef<'_>> = (0..write.spec.columns.len()).map(|c| column(write, c)).collect();
                let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(SqlParamRef::as_param).collect();
                client.execute(statement, &params).await.map(|_| ())
            }));
        }
        requests.push(Box::pin(async move { client.batch_execute("COMMIT").await }));
        for answer in in_flight(requests).await {
            answer.map_err(|e| classify(&e))?;
        }
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) {
        if let Some(connection) = &self.connection
            && let Err(error) = connection.client.batch_execute("ROLLBACK").await
        {
            tracing::debug!(%error, "rolling back failed; the connection is dropped");
            self.connection = None;
        }
    }
}

fn read_statement(read: &Read) -> (String, Vec<SqlParam>, Vec<ColumnType>) {
    match read {
        Read::Keyed { spec, key, keys, lock } => {
            let text = sql::keyed_read(Dialect::Postgres, spec, key, *lock);
            let params = (0..key.len())
                .map(|at| {
                    let column: Vec<String> = keys.iter().map(|k| k.get(at).cloned().unwrap_or_default()).collect();
                    Box::new(column) as SqlParam
                })
                .collect();
            (text, params, spec.columns.iter().map(|c| c.ty).collect())
        }
        Read::Query { text, params, types } => {
            (sql::render(Dialect::Postgres, text), params.iter().map(own_param).collect(), types.clone())
        }
    }
}

fn own_param(param: &Param) -> SqlParam {
    match param {
        Param::Text(text) => Box::new(text.clone()),
        Param::Int(n) => Box::new(*n),
        Param::Time(at) => Box::new(PgTime(*at)),
        Param::List(items) => Box::new(items.clone()),
    }
}

fn as_params(params: &[SqlParam]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|p| -> &(dyn ToSql + Sync) { p.as_ref() }).collect()
}

/// A column of rows as one array parameter.
enum SqlParamRef<'a> {
    Text(Vec<Option<&'a str>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
    Time(Vec<Option<PgTime>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

impl SqlParamRef<'_> {
    fn as_param(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Text(values) => values,
            Self::Int(values) => values,
            Self::Bool(values) => values,
            Self::Time(values) => values,
            Self::Bytes(values) => values,
        }
    }
}

fn column(write: &Write, at: usize) -> SqlParamRef<'_> {
    let values = (0..write.rows.len()).map(|row| write.rows.value(row, at));
    match write.spec.columns.get(at).map(|c| c.ty) {
        Some(ColumnType::Int) => {
            SqlParamRef::Int(values.map(|v| if let ValueRef::Int(n) = v { Some(n) } else { None }).collect())
        }
        Some(ColumnType::Bool) => {
            SqlParamRef::Bool(values.map(|v| if let ValueRef::Bool(b) = v { Some(b) } else { None }).collect())
        }
        Some(ColumnType::Time) => SqlParamRef::Time(
            values.map(|v| if let ValueRef::Time(at) = v { Some(PgTime(at)) } else { None }).collect(),
        ),
        Some(ColumnType::Bytes) => {
            SqlParamRef::Bytes(values.map(|v| if let ValueRef::Bytes(b) = v { Some(b) } else { None }).collect())
        }
        Some(ColumnType::Text | ColumnType::Json) | None => {
            SqlParamRef::Text(values.map(|v| if let ValueRef::Text(t) = v { Some(t) } else { None }).collect())
        }
    }
}

fn read_row(row: &Row, types: &[ColumnType]) -> Result<Vec<Value>, DbError> {
    let bad = |e: &tokio_postgres::Error| DbError::Refused(format!("a column cannot be read: {e}"));
    types
        .iter()
        .enumerate()
        .map(|(at, ty)| {
            Ok(match ty {
                ColumnType::Text | ColumnType::Json => {
                    row.try_get::<_, Option<String>>(at).map_err(|e| bad(&e))?.map_or(Value::Null, Value::Text)
                }
                ColumnType::Int => {
                    row.try_get::<_, Option<i64>>(at).map_err(|e| bad(&e))?.map_or(Value::Null, Value::Int)
                }
                ColumnType::Bool => {
                    row.try_get::<_, Option<bool>>(at).map_err(|e| bad(&e))?.map_or(Value::Null, Value::Bool)
                }
                ColumnType::Bytes => {
                    row.try_get::<_, Option<Vec<u8>>>(at).map_err(|e| bad(&e))?.map_or(Value::Null, Value::Bytes)
                }
                ColumnType::Time => row
                    .try_get::<_, Option<PgTime>>(at)
                    .map_err(|e| bad(&e))?
                    .map_or(Value::Null, |PgTime(at)| Value::Time(at)),
            })
        })
        .collect()
}

/// Reading connections, shared by all readers: PostgreSQL pipelines what they ask.
#[derive(Clone)]
pub(crate) struct PgReaders {
    target: PgTarget,
    slots: Arc<Vec<tokio::sync::Mutex<Option<Arc<ReadConnection>>>>>,
    next: Arc<std::sync::atomic::AtomicUsize>,
}

struct ReadConnection {
    client: Client,
    statements: tokio::sync::Mutex<HashMap<String, Statement>>,
}

impl PgReaders {
    pub(crate) fn new(target: PgTarget, connections: usize) -> Self {
        let slots = (0..connections.max(1)).map(|_| tokio::sync::Mutex::new(None)).collect();
        Self { target, slots: Arc::new(slots), next: Arc::default() }
    }

    pub(crate) fn target(&self) -> &PgTarget {
        &self.target
    }

    async fn connection(&self) -> Result<Arc<ReadConnection>, DbError> {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % self.slots.len();
        let slot = self.slots.get(number).ok_or_else(|| DbError::Lost("no connection".to_owned()))?;
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref()
            && !connection.client.is_closed()
        {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(ReadConnection {
            client: self.target.connect().await?,
            statements: tokio::sync::Mutex::new(HashMap::new()),
        });
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Runs one statement in a transaction of its own.
    pub(crate) async fn execute(&self, text: &str, params: &[Param]) -> Result<u64, DbError> {
        let connection = self.connection().await?;
        let text = sql::render(Dialect::Postgres, text);
        let params: Vec<SqlParam> = params.iter().map(own_param).collect();
        connection.client.execute(&text, &as_params(&params)).await.map_err(|e| classify(&e))
    }

    pub(crate) async fn query(&self, text: &str, params: &[Param], types: &[ColumnType]) -> Result<Rows, DbError> {
        let connection = self.connection().await?;
        let text = sql::render(Dialect::Postgres, text);
        let known = connection.statements.lock().await.get(&text).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let statement = connection.client.prepare(&text).await.map_err(|e| classify(&e))?;
                connection.statements.lock().await.insert(text, statement.clone());
                statement
            }
        };
        let params: Vec<SqlParam> = params.iter().map(own_param).collect();
        let rows = connection.client.query(&statement, &as_params(&params)).await.map_err(|e| classify(&e))?;
        rows.iter().map(|row| read_row(row, types)).collect()
    }
}
