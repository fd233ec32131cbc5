//! A gate that lets everything through, for permits, and origins on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gate::{Caller, Clearance, Gate, InstallSecret, Leave, NewKey, Permit};
use model::{Mode, Role, TargetUrl, WorkspaceId};
use policy::Defaults;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use store::query::EventFilter;
use store::{Location, Store, StoreConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::dial::pool::Owner;

pub(crate) struct Bed {
    pub(crate) gate: Gate,
    pub(crate) caller: Caller,
    workspace: WorkspaceId,
    _files: testkit::TempStore,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::of("ws_test").await
    }

    pub(crate) async fn of(workspace: &str) -> Self {
        let files = testkit::TempStore::create().unwrap();
        let defaults = Defaults {
            mode: Mode::Shadow,
            kill_switch: false,
            egress_max_requests_per_hour: 0,
            trusted_upstreams: Vec::new(),
        };
        let config = StoreConfig::new(Location::parse(&files.url()).unwrap(), defaults);
        let gate = Gate::new(Store::open(config).await.unwrap(), InstallSecret::ephemeral().unwrap());
        let workspace = WorkspaceId::parse(workspace).unwrap();
        let new =
            NewKey { workspace_id: Some(workspace.clone()), role: Role::Gateway, principal_id: None, expires_at: None };
        let key = gate::create_key(gate.store(), new).await.unwrap();
        let caller = gate.authenticate(key.key.expose_secret(), Some(workspace.as_str()), "req_1").await.unwrap();
        Self { gate, caller, workspace, _files: files }
    }

    /// A permit, and the clearance that came before it.
    pub(crate) async fn permit(&self, url: &str) -> (Clearance, Permit) {
        let leave = Leave::request(TargetUrl::parse(url).unwrap(), "GET");
        let intent = self.gate.intend(&self.caller, leave).await.unwrap();
        let ruled = self.gate.commit(intent).await.unwrap();
        let permit = ruled.permit.expect("shadow mode lets it through");
        (permit.clearance(), permit)
    }

    pub(crate) fn owner(&self, principal: &str) -> Owner {
        Owner::new(&self.workspace, principal)
    }

    /// What was recorded of the ends, once there are as many.
    pub(crate) async fn ends(&self, count: usize) -> Vec<Value> {
        for _ in 0..200 {
            let events = self.gate.store().events(&self.workspace, &EventFilter::default(), 0, 500).await.unwrap();
            let ends: Vec<Value> = events
                .iter()
                .filter(|event| event.event_type == "egress.completed")
                .map(|event| event.data.to_value())
                .collect();
            if ends.len() >= count {
                return ends;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("fewer than {count} ends were recorded");
    }
}

/// An origin that greets on accept, if it has a greeting, and keeps what it is sent.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Origin {
    pub(crate) async fn start(greeting: &'static [u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let all = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mine = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                let all = Arc::clone(&all);
                tokio::spawn(async move {
                    if stream.write_all(greeting).await.is_err() {
                        return;
                    }
                    let mut buffer = [0; 1024];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        let bytes = &buffer[..count];
                        all.lock().unwrap()[mine].extend_from_slice(bytes);
                        if bytes.ends_with(b"bye") {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, heard }
    }

    /// What came over each connection so far.
    pub(crate) async fn heard(&self) -> Vec<String> {
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.heard.lock().unwrap().iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}
