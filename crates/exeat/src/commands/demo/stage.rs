//! What the tour happens on: the throw-away store of `exeat dev`, a server with the embedded worker
//! on a free port, and the keys of three parties.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use api::{Api, Build};
use gate::{Gate, InstallSecret};
use model::{PrincipalId, Role};
use runs::{Runs, Worker, WorkerConfig};
use serde_json::json;
use store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Credentials, Key};
use crate::commands::dev;
use crate::commands::wire::object;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::field;
use crate::server;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The stage. [`Stage::strike`] takes it down.
pub(super) struct Stage {
    /// Whoever runs the place.
    pub(super) owner: Client,
    /// The agent.
    pub(super) agent: Client,
    /// The agent's principal.
    pub(super) agent_principal: String,
    /// A person who may decide approvals and nothing else.
    pub(super) approver: Client,
    pub(super) store: Store,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    // Declared last: the files go after everything that uses them.
    _folder: tempfile::TempDir,
}

impl Stage {
    /// Sets it up.
    pub(super) async fn set() -> Result<Self, Failure> {
        let folder = dev::folder()?;
        let store = dev::open(folder.path().join("exeat.db")).await?;
        let secret = InstallSecret::ephemeral().map_err(|error| {
            Failure::new(Exit::Failure, "install_secret", "no install secret can be made").why(error.to_string())
        })?;
        let gate = Gate::new(store.clone(), secret);
        let owner = dev::key(&store, Role::Owner, None).await?;
        let agent = dev::demo(&gate).await?;
        let listener = server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "nobody").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let mut tasks = server::housekeeping(&gate, &stop, std::time::Duration::from_secs(24 * 3_600));
        let worker = Worker::new(Runs::new(gate.clone()), WorkerConfig::default());
        let until = stop.clone();
        tasks.push(tokio::spawn(async move {
            worker.run(until).await;
        }));
        let build = Build { version: env!("CARGO_PKG_VERSION"), commit: None };
        let until = stop.clone();
        let serving = api::serve(listener, Api::new(gate, build, None), async move { until.cancelled().await });
        tasks.push(tokio::spawn(serving));
        let (owner, agent) = (client(&url, owner)?, client(&url, agent)?);
        let agent_principal = field(&agent.get(&["v1", "whoami"], &[]).await?, "principal_id");
        let approver = client(&url, anna(&owner, &store).await?)?;
        Ok(Self { owner, agent, agent_principal, approver, store, stop, tasks, _folder: folder })
    }

    /// Ends everything and removes the files.
    pub(super) async fn strike(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ended = task.await;
        }
        self.store.drained().await;
    }
}

/// The key of a person with a name.
async fn anna(owner: &Client, store: &Store) -> Result<Key, Failure> {
    let who = json!({ "actor_type": "user", "actor_id": "anna" });
    let answer = owner.post(&["v1", "principals", "legacy", "ensure"], &who).await?;
    let id = field(object(&answer, "principal"), "principal_id");
    let id = PrincipalId::parse(&id)
        .map_err(|error| Failure::new(Exit::Failure, "demo_failed", "no principal was made").why(error.to_string()))?;
    dev::key(store, Role::Approver, Some(id)).await
}

fn client(url: &str, key: Key) -> Result<Client, Failure> {
    Client::new(Credentials { url: url.to_owned(), workspace: None, key: Some(key) }, PATIENCE)
}
