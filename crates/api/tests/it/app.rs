//! One running API with its store.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;
use api::{Api, Build, serve};
use gate::capabilities::GrantCapabilityOutput;
use gate::{CreatedKey, Gate, InstallSecret, NewKey, create_key};
use model::{Mode, PrincipalId, Role, Time, TokenId, WorkspaceId};
use policy::Defaults;
use runs::Processes;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use store::{Location, Store, StoreConfig};
use testkit::TempStore;
use testkit::http::{Client, Response};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

pub(crate) const WORKSPACE: &str = "ws_a";
pub(crate) const OTHER: &str = "ws_b";

pub(crate) struct App {
    // Dropped first: the server ends before its store.
    runtime: Runtime,
    pub(crate) api: Api,
    pub(crate) gate: Gate,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
    _files: Option<TempStore>,
    owner: OnceLock<CreatedKey>,
}

impl App {
    /// On SQLite, in enforce mode.
    pub(crate) fn start() -> Self {
        let files = TempStore::create().unwrap();
        let location = Location::parse(&files.url()).unwrap();
        Self::on(location, Some(files))
    }

    /// The same with tools that are processes.
    pub(crate) fn with_processes(processes: Processes) -> Self {
        let files = TempStore::create().unwrap();
        let location = Location::parse(&files.url()).unwrap();
        Self::made(location, Some(files), Some(processes))
    }

    /// On any store.
    pub(crate) fn on(location: Location, files: Option<TempStore>) -> Self {
        Self::made(location, files, None)
    }

    fn made(location: Location, files: Option<TempStore>, processes: Option<Processes>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let defaults = Defaults {
            mode: Mode::Enforce,
            kill_switch: false,
            egress_max_requests_per_hour: 0,
            trusted_upstreams: Vec::new(),
        };
        let (gate, api, listener) = runtime.block_on(async {
            let store = Store::open(StoreConfig::new(location, defaults)).await.unwrap();
            let gate = Gate::new(store, InstallSecret::ephemeral().unwrap());
            let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
            let build = Build { version: "0.0.0-test", commit: None };
            let api = Api::new(gate.clone(), build, Some(metrics));
            let api = match processes {
                Some(processes) => api.with_processes(processes),
                None => api,
            };
            (gate, api, tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
        });
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = runtime.spawn(serve(listener, api.clone(), stop.clone().cancelled_owned()));
        Self { runtime, api, gate, address, stop, served: Some(served), _files: files, owner: OnceLock::new() }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn store(&self) -> &Store {
        self.gate.store()
    }

    /// Stops the server and waits until it has drained.
    pub(crate) fn stop(&mut self) {
        self.stop.cancel();
        if let Some(served) = self.served.take() {
            let ended = async { tokio::time::timeout(Duration::from_secs(20), served).await };
            self.runtime.block_on(ended).expect("drained in time").unwrap();
        }
    }

    pub(crate) fn key(&self, role: Role, workspace: Option<&str>) -> CreatedKey {
        self.key_until(role, workspace, None, None)
    }

    pub(crate) fn key_until(
        &self,
        role: Role,
        workspace: Option<&str>,
        principal_id: Option<PrincipalId>,
        expires_at: Option<Time>,
    ) -> CreatedKey {
        let workspace_id = workspace.map(|id| WorkspaceId::parse(id).unwrap());
        self.block_on(create_key(self.store(), NewKey { workspace_id, role, principal_id, expires_at })).unwrap()
    }

    /// The text of a new key of [`WORKSPACE`].
    pub(crate) fn secret(&self, role: Role) -> String {
        text(&self.key(role, Some(WORKSPACE)))
    }

    /// A key that grants, to the principal it is of.
    fn owner(&self) -> &CreatedKey {
        self.owner.get_or_init(|| self.key(Role::Owner, Some(WORKSPACE)))
    }

    /// A token that covers everything, or what its parent covers.
    pub(crate) fn token(&self, parent: Option<&TokenId>, valid_until: Option<&str>) -> GrantCapabilityOutput {
        let all = ["*"];
        let body = json!({
            "issued_to_principal_id": self.owner().principal_id,
            "granted_by_principal_id": self.owner().principal_id,
            "parent_token_id": parent,
            "scopes": {"rooms": all, "tools": all, "egress_domains": all, "action_types": all,
                "data_access": {"read": all, "write": all}},
            "valid_until": valid_until,
        });
        let answer = self.stranger().bearer(&text(self.owner())).post("/v1/capabilities/grant", &body).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        serde_json::from_value(answer.json().unwrap()).unwrap()
    }

    pub(crate) fn revoke_token(&self, id: &TokenId) {
        let body = json!({ "token_id": id });
        let answer = self.stranger().bearer(&text(self.owner())).post("/v1/capabilities/revoke", &body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// A client without a key.
    pub(crate) fn stranger(&self) -> Client {
        Client::new(self.address)
    }

    /// A client with a new key of [`WORKSPACE`].
    pub(crate) fn client(&self, role: Role) -> Client {
        self.stranger().bearer(&self.secret(role))
    }

    /// A client with a new key of the workspace.
    pub(crate) fn client_in(&self, role: Role, workspace: &str) -> Client {
        self.stranger().bearer(&text(&self.key(role, Some(workspace))))
    }

    /// Whether every chain of the log is whole.
    pub(crate) fn log_is_whole(&self) -> bool {
        self.block_on(self.store().verify_all(&[])).unwrap().valid
    }
}

pub(crate) fn text(key: &CreatedKey) -> String {
    key.key.expose_secret().to_owned()
}

/// The problem's code, checked for its form.
pub(crate) fn problem(response: &Response) -> Result<String> {
    let body = response.json()?;
    let kind = response.header("content-type").unwrap_or_default();
    anyhow::ensure!(kind == "application/problem+json", "`{kind}`: {body}");
    let code = body["error"].as_str().unwrap_or_default().to_owned();
    anyhow::ensure!(body["status"] == response.status && body["type"] == format!("/problems/{code}"), "{body}");
    for member in ["title", "detail"] {
        anyhow::ensure!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {body}");
    }
    anyhow::ensure!(body["request_id"] == response.header("x-request-id").unwrap_or_default(), "{body}");
    Ok(code)
}

/// An answer without what differs between two identical requests.
pub(crate) fn without_request_id(response: &Response) -> (u16, Vec<(String, String)>, Value) {
    let mut body = response.json().unwrap();
    body["request_id"] = Value::Null;
    let headers = response
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("x-request-id") && !name.eq_ignore_ascii_case("date"));
    (response.status, headers.cloned().collect(), body)
}
