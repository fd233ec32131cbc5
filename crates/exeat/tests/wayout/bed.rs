//! The binary in a world: enforcing, with rules of the test's choice, a key for whoever asks and one for the owner.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::TempStore;
use testkit::exeat::{Process, Setup};
use testkit::http::Client;

use crate::carrier::{Tls, Way};
use crate::world::World;

pub const WORKSPACE: &str = "ws_test";

/// Everything that is not denied may go anywhere by any port: then only what is no policy stands in the way.
pub const ANYWHERE: &str = "[[allow]]\nid = \"anywhere\"\nhost = \"*\"\nport = \"*\"\n";

pub struct Bed {
    pub world: World,
    pub setup: Setup,
    pub server: Process,
    pub way: Way,
    pub tls: Tls,
    pub owner_key: String,
    pub store: TempStore,
}

impl Bed {
    /// Only inside [`crate::network::inside`].
    pub fn make(rules: &str) -> Self {
        Self::make_with(rules, |setup| setup)
    }

    pub fn make_with(rules: &str, configure: impl FnOnce(Setup) -> Setup) -> Self {
        Self::make_of(env!("CARGO_BIN_EXE_exeat").into(), rules, configure)
    }

    /// As [`Bed::make_with`], with another program in place of the binary.
    pub fn make_of(program: PathBuf, rules: &str, configure: impl FnOnce(Setup) -> Setup) -> Self {
        let (world, store) = (World::make(), TempStore::create().unwrap());
        let setup = Setup::with_binary(program, &store.url())
            .unwrap()
            .env("POLICY_ENFORCEMENT_MODE", "enforce")
            .env("EXEAT_EGRESS_HOLD_SECONDS", "0")
            .env("EXEAT_DNS", &world.name_server().to_string());
        let setup = configure(setup);
        let owner_key = setup.key("owner", Some(WORKSPACE)).unwrap();
        let key = setup.key("agent", Some(WORKSPACE)).unwrap();
        let server = setup.start().unwrap();
        let way = Way { proxy: server.proxy_address(), key };
        let tls = Tls::new(world.authority.roots());
        let bed = Self { world, setup, server, way, tls, owner_key, store };
        bed.publish(rules);
        bed
    }

    /// A client of the API that may do everything.
    pub fn owner(&self) -> Client {
        self.server.client().bearer(&self.owner_key)
    }

    /// A client of the API with the key that is used at the proxy.
    pub fn asker(&self) -> Client {
        self.server.client().bearer(&self.way.key)
    }

    /// Who asks with the key that is used at the proxy.
    pub fn asker_principal(&self) -> String {
        let body = json!({"target_url": "http://who.invalid/"});
        self.asker().post("/v1/egress/requests", &body).unwrap().expect(201).unwrap();
        self.newest()["requested_by_principal_id"].as_str().unwrap().to_owned()
    }

    /// Changes the store behind the server's back.
    pub fn sql(&self, text: &str) {
        let python = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],timeout=20,isolation_level=None)\n\
                      c.executescript(sys.argv[2])";
        let mut command = std::process::Command::new("python3");
        let output = command.args(["-c", python]).arg(self.store.path()).arg(text).output();
        let output = output.unwrap_or_else(|error| panic!("the test needs `python3` (package python3): {error}"));
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Replaces all rules.
    pub fn publish(&self, rules: &str) {
        publish(&mut self.owner(), rules);
    }

    /// The newest record.
    pub fn newest(&self) -> Value {
        let answer = self.owner().get("/v1/egress/requests?limit=1").unwrap().expect(200).unwrap();
        answer["requests"][0].clone()
    }

    /// The events of a request, in order.
    pub fn events(&self, record: &Value) -> Vec<Value> {
        let correlation = record["correlation_id"].as_str().unwrap();
        let answer = self.owner().get(&format!("/v1/events?correlation_id={correlation}")).unwrap();
        answer.expect(200).unwrap()["events"].as_array().unwrap().clone()
    }

    /// How a request ended; it is told a moment after the fact.
    pub fn completed(&self, record: &Value) -> Value {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let events = self.events(record);
            if let Some(event) = events.iter().find(|event| event["event_type"] == "egress.completed") {
                return event["data"].clone();
            }
            assert!(Instant::now() < deadline, "no egress.completed beside {events:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Replaces all rules of the workspace of a client.
pub fn publish(owner: &mut Client, rules: &str) {
    let body = json!({"files": [{"name": "rules.toml", "text": rules}]}).to_string();
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    owner.send("PUT", "/v1/policies", &headers, body.as_bytes()).unwrap().expect(200).unwrap();
}
