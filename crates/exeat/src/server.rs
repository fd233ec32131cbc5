//! A running server: the API on its listener, the housekeeping beside it, an orderly end.

use std::time::Duration;

use api::{Api, Build};
use egress::dial::Dialer;
use egress::proxy::{Proxy, ProxyConfig};
use gate::{Gate, NewKey};
use metrics_exporter_prometheus::PrometheusHandle;
use model::Role;
use runs::{Processes, Runs, Worker, WorkerConfig};
use secrecy::ExposeSecret as _;
use store::Store;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Key;
use crate::commands::{gate_failure, store_failure};
use crate::config::{Config, PoliciesConfig};
use crate::confinement;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::policy_folder::PolicyFolder;
use crate::proxy::Listeners;
use crate::way_out;

/// Approvals end at most this long after their time.
const SWEEP: Duration = Duration::from_secs(1);
/// What a process that died left open has its outcome soon after others take it for dead.
const SWEEP_GATEWAYS: Duration = Duration::from_secs(2);
/// What has run out is removed this often.
const REMOVE: Duration = Duration::from_secs(60);
/// How many connections may wait to be accepted. With the usual 128 a burst makes everybody's next
/// connection wait for a second, until the system sends its lost packet again.
const BACKLOG: u32 = 4096;

/// Binds a listener whose address was chosen by this.
///
/// # Errors
/// The address cannot be listened on.
pub(crate) async fn bind(address: std::net::SocketAddr, chosen_by: &str) -> Result<TcpListener, Failure> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // As the standard library does on its own: a port of a server that just ended can be taken again.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error: std::io::Error| {
        Failure::new(Exit::Failure, "cannot_listen", format!("cannot listen on {address}"))
            .why(error.to_string())
            .next(format!("stop what listens there, or choose another address with {chosen_by}"))
    })
}

/// Makes an owner key of all workspaces when the store has no key at all.
///
/// # Errors
/// The store cannot be read or written.
pub(crate) async fn first_key(store: &Store) -> Result<Option<Key>, Failure> {
    let keys = store.keys(None).await.map_err(|error| store_failure(&error))?;
    if !keys.is_empty() {
        return Ok(None);
    }
    let new = NewKey { workspace_id: None, role: Role::Owner, principal_id: None, expires_at: None };
    let made = gate::create_key(store, new).await.map_err(|error| gate_failure(&error))?;
    Ok(Key::parse(made.key.expose_secret()))
}

/// What a server is made of.
pub(crate) struct Server {
    /// Where the API listens.
    pub(crate) listener: TcpListener,
    /// What it asks.
    pub(crate) gate: Gate,
    /// What `/metrics` shows.
    pub(crate) metrics: Option<PrometheusHandle>,
    /// What of the configuration tools that are processes are given.
    pub(crate) config: Config,
    /// With it queued runs are driven in this process, too.
    pub(crate) worker: Option<WorkerConfig>,
    /// A folder that is watched; what lies there holds before the first request is answered.
    pub(crate) policies: Option<PoliciesConfig>,
    /// How long the decision log is kept.
    pub(crate) log_kept: Duration,
    /// The way out.
    pub(crate) dialer: Dialer,
    /// Where the proxy listens, and how it behaves.
    pub(crate) proxy: (Listeners, ProxyConfig),
}

/// Serves until SIGTERM or SIGINT, then finishes what is under way and what waits to be recorded.
///
/// # Errors
/// It could not begin.
pub(crate) async fn run(server: Server) -> Result<(), Failure> {
    let Server { listener, gate, metrics, config, worker, policies, log_kept, dialer, proxy } = server;
    let (stop, closing) = (CancellationToken::new(), CancellationToken::new());
    let fetcher = way_out::fetcher(dialer.clone(), &proxy.1.credential_homes)?;
    dialer.guard().register_listener(listener.local_addr()?);
    let (listeners, how) = proxy;
    let proxy = Proxy::new(gate.clone(), dialer, how);
    let processes = confinement::processes(&gate, &proxy, &config)?;
    let mut beside = housekeeping(&gate, &stop, log_kept);
    beside.push(sweep_folders(&processes, &gate, &stop));
    if let Some(config) = policies {
        let mut folder = PolicyFolder::new(gate.clone(), config);
        folder.look().await;
        beside.push(tokio::spawn(folder.watch(stop.clone())));
    }
    let tested = processes.clone();
    beside.push(tokio::spawn(async move {
        tested.tested().await;
    }));
    if let Some(config) = worker {
        let worker =
            Worker::new(Runs::new(gate.clone()), config).with_way_out(fetcher).with_processes(processes.clone());
        let stop = stop.clone();
        beside.push(tokio::spawn(async move {
            worker.run(stop).await;
        }));
    }
    let build = Build { version: env!("CARGO_PKG_VERSION"), commit: option_env!("EXEAT_COMMIT") };
    let store = gate.store().clone();
    let (health, proxies) = listeners.serve(&proxy, &closing);
    beside.extend(proxies);
    let api = Api::new(gate.clone(), build, metrics).beside_proxy(health).with_processes(processes);
    let ended = async move {
        asked_to_end().await;
        closing.cancel();
    };
    api::serve(listener, api, ended).await;
    stop.cancel();
    for task in beside {
        let _ = task.await;
    }
    gate.close_gateway().await;
    gate.flush_logs().await;
    store.drained().await;
    Ok(())
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard; Ctrl-C ends this");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    tracing::info!("ending: finishing what is under way");
}

/// What is done every now and then beside the work: by servers, and by workers that run alone.
pub(crate) fn housekeeping(gate: &Gate, stop: &CancellationToken, log_kept: Duration) -> Vec<JoinHandle<()>> {
    let (sweeper, gateways, remover) = (gate.clone(), gate.clone(), gate.store().clone());
    vec![
        every(SWEEP, stop, move || {
            let gate = sweeper.clone();
            async move {
                if let Err(error) = gate.sweep_approvals().await {
                    tracing::warn!(%error, "approvals could not be swept; they end by time all the same");
                }
            }
        }),
        every(SWEEP_GATEWAYS, stop, move || {
            let gate = gateways.clone();
            async move {
                if let Err(error) = gate.sweep_gateways().await {
                    tracing::warn!(%error, "what a dead process left open could not be swept; the next sweep goes on");
                }
            }
        }),
        every(REMOVE, stop, move || {
            let store = remover.clone();
            async move {
                if let Err(error) = store.remove_expired(log_kept).await {
                    tracing::warn!(%error, "what has run out could not be removed");
                }
            }
        }),
    ]
}

/// Removes the folders of runs that ended long ago.
pub(crate) fn sweep_folders(processes: &Processes, gate: &Gate, stop: &CancellationToken) -> JoinHandle<()> {
    let (processes, store) = (processes.clone(), gate.store().clone());
    every(REMOVE, stop, move || {
        let (processes, store) = (processes.clone(), store.clone());
        async move { processes.sweep(&store).await }
    })
}

/// Runs `work` again and again until `stop`; what is under way then is finished.
fn every<F>(pause: Duration, stop: &CancellationToken, work: impl Fn() -> F + Send + 'static) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => work().await,
            }
        }
    })
}
