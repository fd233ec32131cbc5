//! A store of each kind, servers on it, and what their store holds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::exeat::Setup;
use testkit::http::{Client, Response};

pub const WORKSPACE: &str = "ws_test";

/// A store and how to start servers on it.
pub struct Bed {
    pub setup: Setup,
    sqlite: Option<testkit::TempStore>,
    postgres: Option<testkit::postgres::Database>,
    // Declared last: the database goes before its cluster.
    pub cluster: Option<testkit::postgres::Cluster>,
}

impl Bed {
    pub fn sqlite() -> Self {
        let temp = testkit::TempStore::create().unwrap();
        Self { setup: setup(&temp.url()), sqlite: Some(temp), postgres: None, cluster: None }
    }

    pub fn postgres() -> Self {
        let database = testkit::postgres::Database::create().unwrap();
        Self { setup: setup(&database.url()), sqlite: None, postgres: Some(database), cluster: None }
    }

    /// On a cluster of its own, which the test may stop.
    pub fn own_postgres() -> Self {
        let cluster = testkit::postgres::Server::own().unwrap();
        let database = testkit::postgres::Database::create_on(&cluster).unwrap();
        Self { setup: setup(&database.url()), sqlite: None, postgres: Some(database), cluster: Some(cluster) }
    }

    pub fn is_sqlite(&self) -> bool {
        self.sqlite.is_some()
    }

    /// Runs SQL with the database's own tools.
    pub fn sql(&self, text: &str) -> Result<String, String> {
        match (&self.sqlite, &self.postgres) {
            (Some(temp), _) => {
                let python = "import sqlite3,sys\n\
                    c=sqlite3.connect(sys.argv[1],timeout=20,isolation_level=None)\n\
                    t=sys.argv[2]\n\
                    r=c.execute(t).fetchall() if t.lstrip()[:6].upper()=='SELECT' else c.executescript(t).fetchall()\n\
                    print('\\n'.join('|'.join('' if v is None else str(v) for v in row) for row in r))";
                let path = temp.path();
                let out = std::process::Command::new("python3")
                    .args(["-c", python, path.to_str().unwrap(), text])
                    .output()
                    .map_err(|e| format!("python3 is needed to look into the store: {e}"))?;
                if out.status.success() {
                    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
                } else {
                    Err(String::from_utf8_lossy(&out.stderr).into_owned())
                }
            }
            (_, Some(database)) => database.sql(text).map(|t| t.trim().to_owned()).map_err(|e| format!("{e:#}")),
            _ => Err("no store".to_owned()),
        }
    }

    pub fn count(&self, text: &str) -> u64 {
        self.sql(text).unwrap().trim().parse().unwrap()
    }

    /// Whether somebody could write now. On SQLite a process that was stopped inside a transaction
    /// keeps everybody else out.
    pub fn is_writable(&self) -> bool {
        let Some(temp) = &self.sqlite else { return true };
        let python = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],timeout=0.2,isolation_level=None)\n\
                      c.execute('BEGIN IMMEDIATE')\nc.execute('ROLLBACK')";
        let mut command = std::process::Command::new("python3");
        command.args(["-c", python, temp.path().to_str().unwrap()]).stderr(std::process::Stdio::null());
        command.status().unwrap().success()
    }

    /// Asserts that the log verifies and the projections are what the events say.
    pub fn assert_sound(&self) {
        let report = self.setup.run_json(&["events", "verify", "--json"]).unwrap();
        assert_eq!(report["valid"], true, "{report}");
        let rebuilt = self.setup.run_json(&["db", "rebuild", "--json"]).unwrap();
        let differing: u64 =
            rebuilt["tables"].as_array().unwrap().iter().map(|t| t["differing"].as_u64().unwrap()).sum();
        assert_eq!(differing, 0, "{rebuilt}");
    }
}

fn setup(url: &str) -> Setup {
    Setup::new(url).unwrap().env("POLICY_ENFORCEMENT_MODE", "enforce")
}

/// What an egress request that is allowed by default looks like.
pub fn allowed() -> Value {
    json!({"target_url": "https://api.example.com/v1/items?id=1", "action": "internal.read",
           "actor_type": "user", "actor_id": "u1"})
}

/// What an egress request that needs an approval looks like.
pub fn writing() -> Value {
    json!({"target_url": "https://api.example.com/v1/items", "action": "external.write", "method": "POST",
           "actor_type": "user", "actor_id": "u1"})
}

pub fn ask(client: &mut Client, body: &Value) -> anyhow::Result<Response> {
    client.post("/v1/egress/requests", body)
}

/// Clients that send the same request until told to stop, and keep the ids that were acknowledged.
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    others: Arc<Mutex<Vec<u16>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn start(client: impl Fn() -> Client, clients: usize, body: &Value) -> Self {
        let load =
            Self { stop: Arc::default(), acknowledged: Arc::default(), others: Arc::default(), threads: Vec::new() };
        let threads = (0..clients).map(|_| {
            let (stop, acknowledged, others) = (load.stop.clone(), load.acknowledged.clone(), load.others.clone());
            let (mut client, body) = (client().timeout(Duration::from_secs(20)), body.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    match ask(&mut client, &body) {
                        Ok(answer) if answer.status == 201 => {
                            let id = answer.json().unwrap()["egress_request_id"].as_str().unwrap().to_owned();
                            acknowledged.lock().unwrap().push(id);
                        }
                        Ok(answer) => others.lock().unwrap().push(answer.status),
                        Err(_) => std::thread::sleep(Duration::from_millis(5)),
                    }
                }
            })
        });
        let threads = threads.collect();
        Self { threads, ..load }
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    pub fn other_statuses(&self) -> Vec<u16> {
        self.others.lock().unwrap().clone()
    }

    pub fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.acknowledged.lock().unwrap())
    }
}
