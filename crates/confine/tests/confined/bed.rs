//! A confiner on a gate of its own, commands to run in it, and what was recorded.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use confine::{
    Call, Command, ConfineConfig, ConfineError, Confiner, Ended, Limits, Network, OnRefused, Plan, Rung, RungChoice,
    Stdio, View,
};
use egress::dial::{Dialer, DialerConfig};
use egress::guard::{Guard, GuardConfig};
use egress::proxy::{Proxy, ProxyConfig};
use egress::resolve::{FixedHost, Resolver, ResolverConfig};
use gate::policies::{Expect, FileInput, PublishInput};
use gate::{Caller, Gate, InstallSecret, NewKey, Place};
use model::{Mode, Role, WorkspaceId};
use policy::{Defaults, TrustedUpstream};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use store::query::EventFilter;
use store::{Location, Store, StoreConfig};
use testkit::TempStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) const DECLARED: Network = Network::Declared { on_refused: OnRefused::Continue };

pub(crate) struct Bed {
    pub(crate) confiner: Confiner,
    pub(crate) gate: Gate,
    pub(crate) agent: Caller,
    pub(crate) store: TempStore,
}

/// What came of a command.
pub(crate) struct Ran {
    pub(crate) ended: Result<Ended, ConfineError>,
    pub(crate) out: String,
}

impl Ran {
    pub(crate) fn ended(&self) -> &Ended {
        self.ended.as_ref().unwrap_or_else(|error| panic!("{error}\n{}", self.out))
    }

    /// The attempts as `op family protocol destination port`.
    pub(crate) fn attempts(&self) -> Vec<String> {
        let evidence = self.ended().evidence.as_ref();
        let attempts = evidence.map(|evidence| evidence.attempts.clone()).unwrap_or_default();
        attempts.iter().map(say).collect()
    }
}

pub(crate) fn say(attempt: &confine::Attempt) -> String {
    let to = serde_json::to_value(attempt.destination).unwrap();
    let port = attempt.port.map_or_else(String::new, |port| format!(" {port}"));
    format!("{} {} {} {}{port}", attempt.op, attempt.family, attempt.protocol, to.as_str().unwrap())
}

/// An origin that answers every request with `ok`.
pub(crate) async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

impl Bed {
    /// With one rule: `one.test` may be asked for, and leads to `origin`.
    pub(crate) async fn new(origin: Option<SocketAddr>) -> Self {
        let bed = Self::untested(origin).await;
        let state = bed.confiner.self_test().await;
        assert_eq!(state.rungs, [Rung::A, Rung::B], "{:#?}", state.findings);
        bed
    }

    pub(crate) async fn untested(origin: Option<SocketAddr>) -> Self {
        let temp = TempStore::create().unwrap();
        let trusted =
            TrustedUpstream { host: "one.test".into(), net: Some("127.0.0.0/8".parse().unwrap()), port: None };
        // A fresh install only watches; confined commands are held to the rules all the same.
        let defaults = Defaults {
            mode: Mode::Shadow,
            kill_switch: false,
            egress_max_requests_per_hour: 0,
            trusted_upstreams: vec![trusted.clone()],
        };
        let mut config = StoreConfig::new(Location::parse(&temp.url()).unwrap(), defaults);
        config.poll = Duration::from_millis(50);
        let gate = Gate::new(Store::open(config).await.unwrap(), InstallSecret::ephemeral().unwrap());
        let owner = caller(&gate, Role::Owner).await;
        let agent = caller(&gate, Role::Agent).await;
        if let Some(address) = origin {
            let text = "[[allow]]\nid = \"one\"\nhost = \"one.test\"\nport = 80\n".to_owned();
            let files = vec![FileInput { name: "main.toml".to_owned(), text }];
            let input = PublishInput { files: Some(files), note: None, take_over: false };
            gate.publish_policies(&owner, input, Expect::Any).await.unwrap();
            let _ = address;
        }
        let fixed = origin.map(|address| FixedHost { name: "one.test".to_owned(), port: 80, address });
        let resolver =
            Resolver::new(ResolverConfig { fixed: fixed.into_iter().collect(), ..ResolverConfig::at(Vec::new()) });
        let guard = Guard::new(GuardConfig { trusted_upstreams: vec![trusted], nat64_prefixes: Vec::new() });
        let dialer = Dialer::new(guard, resolver, DialerConfig::default());
        let proxy = Proxy::new(gate.clone(), dialer, ProxyConfig { hold: Duration::ZERO, ..ProxyConfig::default() });
        let spawner = Some(PathBuf::from(env!("CARGO_BIN_EXE_confine-spawner")));
        let confiner = Confiner::new(gate.clone(), proxy, ConfineConfig { spawner, ..ConfineConfig::default() });
        let agent = gate.fresh(agent).await.unwrap();
        Self { confiner, gate, agent, store: temp }
    }

    /// A shell script as a call, and where its output goes.
    pub(crate) fn call(&self, rung: Rung, network: Network, script: &str) -> (Call, File) {
        let out = tempfile::tempfile().unwrap();
        let copy = || out.try_clone().unwrap().into();
        let null = File::open("/dev/null").unwrap().into();
        let call = Call {
            caller: self.agent.clone(),
            place: Place::default(),
            tool_name: None,
            cause: None,
            correlation_id: None,
            plan: self.plan(),
            command: command(script),
            rung: RungChoice::Exactly(rung),
            network,
            input_hmac: None,
            stdio: Stdio::Files { stdin: null, stdout: copy(), stderr: copy() },
            publish: Vec::new(),
        };
        (call, out)
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan {
            rung: Rung::A,
            view: View { scratch_bytes: 16 << 20, ..View::default() },
            limits: Limits::default(),
            exposed_ports: Vec::new(),
            host_name: "jail".to_owned(),
        }
    }

    pub(crate) async fn run(&self, rung: Rung, network: Network, script: &str) -> Ran {
        let (call, out) = self.call(rung, network, script);
        let ended = self.confiner.run(call, CancellationToken::new()).await;
        Ran { ended, out: text(out) }
    }

    /// Changes the store from outside.
    pub(crate) fn sql(&self, text: &str) {
        let connection = rusqlite::Connection::open(self.store.path()).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch(text).unwrap();
    }

    /// The data of every violation's event, oldest first.
    pub(crate) async fn violations(&self) -> Vec<Value> {
        let workspace = WorkspaceId::parse("ws_test").unwrap();
        let events = self.gate.store().events(&workspace, &EventFilter::default(), 0, 500).await.unwrap();
        let violations = events.iter().filter(|event| event.event_type == "security.egress_violation");
        violations.map(|event| event.data.to_value()).collect()
    }
}

pub(crate) fn text(mut out: File) -> String {
    use std::io::Seek as _;
    out.rewind().unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    text
}

pub(crate) fn command(script: &str) -> Command {
    let word = |text: &str| text.as_bytes().to_vec();
    Command {
        argv: vec![word("/bin/bash"), word("-c"), word(script)],
        env: vec![(word("PATH"), word("/usr/bin:/bin:/usr/sbin:/sbin")), (word("HOME"), word(guard::plan::HOME))],
        cwd: PathBuf::from("/"),
        timeout: Some(Duration::from_secs(60)),
        grace: Duration::from_millis(100),
        terminal: None,
    }
}

async fn caller(gate: &Gate, role: Role) -> Caller {
    let workspace_id = Some(WorkspaceId::parse("ws_test").unwrap());
    let new = NewKey { workspace_id, role, principal_id: None, expires_at: None };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    gate.authenticate(key.key.expose_secret(), Some("ws_test"), "t").await.unwrap()
}
