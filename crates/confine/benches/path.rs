//! What the guard costs on the way out: the same load against the same proxy, from inside a jail and from outside.
//!
//! Inside and outside take turns, so that whatever else the machine does falls on both alike.
//! `cargo bench -p confine --bench path -- [ROUNDS]`.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on ends"
)]

use std::fs::File;
use std::io::{Read, Seek as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio as ProcessStdio};
use std::thread;
use std::time::{Duration, Instant};

use confine::{
    Call, Command, ConfineConfig, Confiner, Limits, Network, OnRefused, Plan, Rung, RungChoice, Stdio, View,
};
use egress::dial::{Dialer, DialerConfig};
use egress::guard::{Guard, GuardConfig};
use egress::proxy::{Identity, Listener, Proxy, ProxyConfig, Run};
use egress::resolve::{FixedHost, Resolver, ResolverConfig};
use gate::policies::{Expect, FileInput, PublishInput};
use gate::{Caller, Gate, InstallSecret, NewKey, Place};
use model::{Mode, Role, WorkspaceId};
use policy::{Defaults, TrustedUpstream};
use secrecy::ExposeSecret as _;
use store::{Location, Store, StoreConfig};
use tokio_util::sync::CancellationToken;

/// Rounds unless another number is given.
const ROUNDS: usize = 7;
/// How long each turn is.
const TURN: Duration = Duration::from_millis(1500);
/// The body that `/bulk` answers with, in bytes.
const BULK: usize = 256 << 20;
const LOAD: &str = "__load";

/// What is measured: a path of the origin, and how many connections ask for it.
const SCENARIOS: [(&str, &str, usize); 3] =
    [("requests, 1 connection", "/", 1), ("requests, 32 connections", "/", 32), ("bulk, 1 connection", "/bulk", 1)];

fn main() {
    guard::spawner::run_if_asked();
    let words: Vec<String> = std::env::args().collect();
    if let [_, word, proxy, path, connections] = words.as_slice()
        && word == LOAD
    {
        println!("{}", load(proxy, path, connections.parse().unwrap()));
        return;
    }
    let rounds = words.iter().skip(1).find_map(|word| word.parse().ok()).unwrap_or(ROUNDS);
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(compare(rounds));
}

async fn compare(rounds: usize) {
    let bed = Bed::new(origin()).await;
    let state = bed.confiner.self_test().await;
    println!("rungs live: {:?}; {rounds} rounds of {TURN:?} in turns, medians", state.rungs);
    println!("{:<28}{:>16}{:>16}{:>9}{:>16}{:>9}", "", "outside", "rung A", "ratio", "rung B", "ratio");
    for (name, path, connections) in SCENARIOS {
        let mut taken: [Vec<f64>; 3] = Default::default();
        for _ in 0..rounds {
            taken[0].push(bed.outside(path, connections).await);
            taken[1].push(bed.inside(Rung::A, path, connections).await);
            taken[2].push(bed.inside(Rung::B, path, connections).await);
        }
        let [outside, a, b] = taken.map(median);
        let show =
            |value: f64| if path == "/bulk" { format!("{:.0} MB/s", value / 1e6) } else { format!("{value:.0}/s") };
        println!(
            "{name:<28}{:>16}{:>16}{:>9.2}{:>16}{:>9.2}",
            show(outside),
            show(a),
            a / outside,
            show(b),
            b / outside
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Bed {
    confiner: Confiner,
    agent: Caller,
    listening: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Bed {
    async fn new(origin: SocketAddr) -> Self {
        // What is compared is the path, so records are kept in memory on both sides.
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let trusted =
            TrustedUpstream { host: "one.test".into(), net: Some("127.0.0.0/8".parse().unwrap()), port: None };
        let defaults = Defaults {
            mode: Mode::Enforce,
            kill_switch: false,
            egress_max_requests_per_hour: 0,
            trusted_upstreams: vec![trusted.clone()],
        };
        let location = Location::parse(&format!("sqlite:{}", folder.path().join("store").display())).unwrap();
        let config = StoreConfig::new(location, defaults);
        let gate = Gate::new(Store::open(config).await.unwrap(), InstallSecret::ephemeral().unwrap());
        let owner = caller(&gate, Role::Owner).await;
        let agent = caller(&gate, Role::Agent).await;
        let text = "[[allow]]\nid = \"one\"\nhost = \"one.test\"\nport = 80\n".to_owned();
        let files = vec![FileInput { name: "main.toml".to_owned(), text }];
        let input = PublishInput { files: Some(files), note: None, take_over: false };
        gate.publish_policies(&owner, input, Expect::Any).await.unwrap();
        let fixed = FixedHost { name: "one.test".to_owned(), port: 80, address: origin };
        let resolver = Resolver::new(ResolverConfig { fixed: vec![fixed], ..ResolverConfig::at(Vec::new()) });
        let guard = Guard::new(GuardConfig { trusted_upstreams: vec![trusted], nat64_prefixes: Vec::new() });
        let dialer = Dialer::new(guard, resolver, DialerConfig::default());
        let proxy = Proxy::new(gate.clone(), dialer, ProxyConfig { hold: Duration::ZERO, ..ProxyConfig::default() });
        let agent = gate.fresh(agent).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listening = listener.local_addr().unwrap();
        let identity = Identity::Run(Box::new(Run::new(agent.clone(), Place::default())));
        let serving = proxy.clone();
        tokio::spawn(async move {
            serving.serve(Listener::Tcp(listener), identity, CancellationToken::new()).await.unwrap();
        });
        Self { confiner: Confiner::new(gate, proxy, ConfineConfig::default()), agent, listening, _folder: folder }
    }

    async fn outside(&self, path: &str, connections: usize) -> f64 {
        let (proxy, path) = (self.listening.to_string(), path.to_owned());
        let ran = tokio::task::spawn_blocking(move || {
            Process::new(std::env::current_exe().unwrap())
                .args([LOAD, &proxy, &path, &connections.to_string()])
                .stderr(ProcessStdio::inherit())
                .output()
                .unwrap()
        });
        figure(&ran.await.unwrap().stdout)
    }

    async fn inside(&self, rung: Rung, path: &str, connections: usize) -> f64 {
        let program = std::env::current_exe().unwrap();
        let mut out = tempfile::tempfile().unwrap();
        let word = |text: &str| text.as_bytes().to_vec();
        let proxy = format!("127.0.0.1:{}", guard::plan::PROXY_PORT);
        let argv = [program.to_str().unwrap(), LOAD, &proxy, path, &connections.to_string()].map(word).to_vec();
        let plan = Plan {
            rung,
            view: View {
                read_only: vec![program.parent().unwrap().to_owned()],
                scratch_bytes: 16 << 20,
                ..View::default()
            },
            limits: Limits::default(),
            exposed_ports: Vec::new(),
            host_name: "jail".to_owned(),
        };
        let call = Call {
            caller: self.agent.clone(),
            place: Place::default(),
            tool_name: None,
            cause: None,
            correlation_id: None,
            plan,
            command: Command {
                argv,
                env: vec![(word("PATH"), word("/usr/bin:/bin"))],
                cwd: PathBuf::from("/"),
                timeout: Some(Duration::from_secs(60)),
                grace: Duration::from_millis(100),
                terminal: None,
            },
            rung: RungChoice::Exactly(rung),
            network: Network::Declared { on_refused: OnRefused::Continue },
            input_hmac: None,
            stdio: Stdio::Files {
                stdin: File::open("/dev/null").unwrap().into(),
                stdout: out.try_clone().unwrap().into(),
                stderr: out.try_clone().unwrap().into(),
            },
            publish: Vec::new(),
        };
        let ended = self.confiner.run(call, CancellationToken::new()).await.unwrap();
        let mut text = String::new();
        out.rewind().unwrap();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(ended.exit.code(), 0, "{text}");
        figure(text.as_bytes())
    }
}

fn figure(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(text);
    text.trim().parse().unwrap_or_else(|_| panic!("the load said: {text}"))
}

async fn caller(gate: &Gate, role: Role) -> Caller {
    let workspace_id = Some(WorkspaceId::parse("ws_bench").unwrap());
    let new = NewKey { workspace_id, role, principal_id: None, expires_at: None };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    gate.authenticate(key.key.expose_secret(), Some("ws_bench"), "b").await.unwrap()
}

/// Requests (of `/`) or bytes (of `/bulk`) in a second.
fn load(proxy: &str, path: &str, connections: usize) -> f64 {
    let began = Instant::now();
    let until = began + TURN;
    let workers: Vec<_> = (0..connections)
        .map(|_| {
            let (proxy, path) = (proxy.to_owned(), path.to_owned());
            thread::spawn(move || ask_until(&proxy, &path, until))
        })
        .collect();
    let done: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    done as f64 / began.elapsed().as_secs_f64()
}

fn ask_until(proxy: &str, path: &str, until: Instant) -> usize {
    let mut stream = TcpStream::connect(proxy).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!("GET http://one.test{path} HTTP/1.1\r\nHost: one.test\r\n\r\n");
    let mut buffer = vec![0; 256 << 10];
    let mut done = 0;
    while Instant::now() < until {
        stream.write_all(request.as_bytes()).unwrap();
        let body = answer(&mut stream, &mut buffer);
        done += if path == "/bulk" { body } else { 1 };
    }
    done
}

/// Reads one answer; gives the length of its body.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let mut have = 0;
    let (head, length) = loop {
        let read = stream.read(&mut buffer[have..]).unwrap();
        assert!(read > 0, "the proxy closed the connection");
        have += read;
        if let Some(end) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
            break (end + 4, length.unwrap().trim().parse::<usize>().unwrap());
        }
    };
    let mut left = (head + length).saturating_sub(have);
    while left > 0 {
        let read = stream.read(buffer).unwrap();
        assert!(read > 0, "the answer was cut");
        left = left.saturating_sub(read);
    }
    length
}

fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let chunk = vec![7; 256 << 10];
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    let bulk = buffer[..read].starts_with(b"GET /bulk");
                    let length = if bulk { BULK } else { 3 };
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                    let sent = if bulk {
                        let whole = stream.write_all(head.as_bytes());
                        whole.and_then(|()| (0..BULK / chunk.len()).try_for_each(|_| stream.write_all(&chunk)))
                    } else {
                        stream.write_all(format!("{head}ok\n").as_bytes())
                    };
                    if sent.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
