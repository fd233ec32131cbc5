//! A proxy on a gate of its own, with names that lead to origins of the test, and what was recorded.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use egress::dial::{Dialer, DialerConfig};
use egress::guard::{Guard, GuardConfig};
use egress::proxy::{Identity, Listener, Proxy, ProxyConfig};
use egress::resolve::{FixedHost, Resolver, ResolverConfig};
use gate::approvals::DecideApprovalInput;
use gate::policies::{Expect, FileInput, PublishInput};
use gate::{Caller, Gate, InstallSecret, NewKey};
use model::{Mode, Role, WorkspaceId};
use policy::{Defaults, TrustedUpstream};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use store::query::EventFilter;
use store::rows::EventRow;
use store::{Location, Store, StoreConfig};
use testkit::TempStore;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::origin::{Answer, Client};

pub(crate) const WORKSPACE: &str = "ws_test";

/// How a bed is made.
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) config: ProxyConfig,
    /// Name, port, and where it really leads.
    pub(crate) names: Vec<(&'static str, u16, SocketAddr)>,
    pub(crate) rules: String,
}

impl Plan {
    /// Enforce, no holding, and these rules.
    pub(crate) fn new(rules: &str) -> Self {
        let config = ProxyConfig { hold: Duration::ZERO, ..ProxyConfig::default() };
        Self { mode: Mode::Enforce, config, names: Vec::new(), rules: rules.to_owned() }
    }

    pub(crate) fn name(mut self, name: &'static str, port: u16, address: SocketAddr) -> Self {
        self.names.push((name, port, address));
        self
    }

    pub(crate) fn shadow(mut self) -> Self {
        self.mode = Mode::Shadow;
        self
    }

    pub(crate) async fn start(self) -> Bed {
        Bed::start(self).await
    }
}

pub(crate) struct Bed {
    pub(crate) gate: Gate,
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    pub(crate) owner: Caller,
    /// The agent's key.
    pub(crate) key: String,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
    _store: TempStore,
}

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::parse(WORKSPACE).unwrap()
}

/// A rule that lets a host pass, with more lines of TOML.
pub(crate) fn allow(host: &str, more: &str) -> String {
    format!("[[allow]]\nid = \"let-{}\"\nhost = \"{host}\"\n{more}\n", host.replace(['.', ':', '*'], "-"))
}

impl Bed {
    async fn start(plan: Plan) -> Self {
        let temp = TempStore::create().unwrap();
        let trusted: Vec<TrustedUpstream> = plan
            .names
            .iter()
            .map(|(name, _, _)| TrustedUpstream {
                host: (*name).into(),
                net: Some("127.0.0.0/8".parse().unwrap()),
                port: None,
            })
            .collect();
        let defaults = Defaults {
            mode: plan.mode,
            kill_switch: false,
            egress_max_requests_per_hour: 0,
            trusted_upstreams: trusted.clone(),
        };
        let mut config = StoreConfig::new(Location::parse(&temp.url()).unwrap(), defaults);
        config.poll = Duration::from_millis(50);
        let gate = Gate::new(Store::open(config).await.unwrap(), InstallSecret::ephemeral().unwrap());
        let (owner, _) = caller(&gate, Role::Owner).await;
        let (_, key) = caller(&gate, Role::Agent).await;
        let fixed = plan
            .names
            .iter()
            .map(|(name, port, address)| FixedHost { name: (*name).to_owned(), port: *port, address: *address })
            .collect();
        let resolver = Resolver::new(ResolverConfig { fixed, ..ResolverConfig::at(Vec::new()) });
        let guard = Guard::new(GuardConfig { trusted_upstreams: trusted, nat64_prefixes: Vec::new() });
        let dialer = Dialer::new(guard, resolver, DialerConfig::default());
        let proxy = Proxy::new(gate.clone(), dialer, plan.config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn({
            let (proxy, stop) = (proxy.clone(), stop.clone());
            async move { proxy.serve(Listener::Tcp(listener), Identity::Credential, stop).await }
        });
        let bed = Self { gate, proxy, address, owner, key, stop, served, _store: temp };
        bed.publish(&plan.rules).await;
        bed
    }

    /// Replaces the whole policy.
    pub(crate) async fn publish(&self, rules: &str) {
        if rules.is_empty() {
            return;
        }
        let files = vec![FileInput { name: "main.toml".to_owned(), text: rules.to_owned() }];
        let input = PublishInput { files: Some(files), note: None, take_over: false };
        let owner = self.gate.fresh(self.owner.clone()).await.unwrap();
        self.gate.publish_policies(&owner, input, Expect::Any).await.unwrap();
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// The header line that says who asks.
    pub(crate) fn authorization(&self) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("x:{}", self.key));
        format!("Proxy-Authorization: Basic {text}\r\n")
    }

    /// Opens a tunnel by CONNECT.
    pub(crate) async fn connect(&self, to: &str) -> (Client, Answer) {
        let mut client = self.client().await;
        client.send(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{}\r\n", self.authorization())).await;
        let head = client.head().await;
        (client, Answer { head, body: Vec::new() })
    }

    /// A plain request for this host.
    pub(crate) fn get(&self, host: &str) -> String {
        format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{}\r\n", self.authorization())
    }

    /// The approvals that are asked for, once there is one.
    pub(crate) async fn pending(&self) -> Vec<String> {
        for _ in 0..200 {
            let events = self.events().await;
            let asked = events.iter().filter(|event| event.event_type == "approval.requested");
            let ids: Vec<String> =
                asked.map(|event| event.data.to_value()["approval_id"].as_str().unwrap().to_owned()).collect();
            if !ids.is_empty() {
                return ids;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no approval was asked for");
    }

    /// Says `decision` to an approval.
    pub(crate) async fn decide(&self, id: &str, decision: &str, scope: Option<Value>) {
        let input =
            DecideApprovalInput { decision: Some(decision.to_owned()), scope, ..DecideApprovalInput::default() };
        let owner = self.gate.fresh(self.owner.clone()).await.unwrap();
        self.gate.decide_approval(&owner, id, input).await.unwrap();
    }

    /// Every event, oldest first, once every outcome is recorded.
    pub(crate) async fn events(&self) -> Vec<EventRow> {
        self.gate.store().settled().await.unwrap();
        self.gate.store().events(&workspace(), &EventFilter::default(), 0, 500).await.unwrap()
    }

    /// The types of the events that begin with `egress.`.
    pub(crate) async fn egress_events(&self) -> Vec<String> {
        let events = self.events().await;
        let types = events.iter().map(|event| event.event_type.clone());
        types.filter(|kind| kind.starts_with("egress.")).collect()
    }

    /// The data of the `count`th outcome, waiting for it.
    pub(crate) async fn outcome(&self, count: usize) -> Value {
        for _ in 0..200 {
            let events = self.events().await;
            let mut ends = events.iter().filter(|event| event.event_type == "egress.completed");
            if let Some(end) = ends.nth(count) {
                return end.data.to_value();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no outcome {count}: {:?}", self.egress_events().await);
    }
}

async fn caller(gate: &Gate, role: Role) -> (Caller, String) {
    let new = NewKey { workspace_id: Some(workspace()), role, principal_id: None, expires_at: None };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    let text = key.key.expose_secret().to_string();
    let caller = gate.authenticate(&text, Some(WORKSPACE), "req_1").await.unwrap();
    (caller, text)
}
