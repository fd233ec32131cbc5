//! One call from its jail to the death of its last process.
//!
//! The order is what makes the evidence whole: everything that can be told is listened to before anything runs,
//! and what is still waiting is taken after everything is dead and before anything is said.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guard::door::{Door, Origin};
use guard::launch::{Jail, Process};
use guard::plan::{Command, Exit};
use guard::rung::Rung;
use guard::supervise::{Supervision, supervise};
use guard::{LaunchError, Layer};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::record::Record;
use crate::serve::Served;
use crate::{ConfineError, Ended, Stdio, watch};

/// LIMIT: how long a killed jail may take to be dead. What waits for a disk cannot be killed sooner.
const DEATH_WAIT_MAX: Duration = Duration::from_secs(20);

/// A jail that is served, with nothing in it yet.
pub(crate) struct Lodging {
    pub(crate) jail: Arc<Jail>,
    pub(crate) served: Served,
    pub(crate) record: Arc<Record>,
    pub(crate) exposed_ports: Vec<u16>,
    pub(crate) begun: Instant,
    /// Kills the tree.
    pub(crate) kill: CancellationToken,
}

/// A command in its jail.
pub(crate) struct Started {
    pub(crate) process: Arc<Process>,
    pub(crate) terminal: Option<OwnedFd>,
    pub(crate) published: Vec<(u16, SocketAddr)>,
    supervisor: tokio::sync::oneshot::Receiver<()>,
}

impl Lodging {
    /// Starts a command, and the thread that answers its calls.
    pub(crate) async fn start(&self, command: Command, stdio: Stdio, publish: &[u16]) -> Result<Started, ConfineError> {
        let published = self.publish(publish)?;
        let jail = Arc::clone(&self.jail);
        let with = self.supervision();
        let starting = spawn_blocking(move || -> Result<_, LaunchError> {
            let (mut process, notify) = jail.spawn(&command, stdio)?;
            let (done, supervisor) = tokio::sync::oneshot::channel();
            let answering = std::thread::Builder::new().name("guard".to_owned()).spawn(move || {
                supervise(notify, with);
                let _ = done.send(());
            });
            answering.map_err(|error| missing(Layer::Notify, "start a thread", error))?;
            let terminal = process.terminal.as_ref().map(OwnedFd::try_clone).transpose();
            let terminal = terminal.map_err(|error| missing(Layer::Descriptors, "copy the terminal", error))?;
            if terminal.is_none() {
                process.terminal = None;
            }
            Ok((process, terminal, supervisor))
        });
        let (process, terminal, supervisor) = starting.await.map_err(|_| ConfineError::from(LaunchError::Gone))??;
        Ok(Started { process: Arc::new(process), terminal, published, supervisor })
    }

    /// Waits for the end of a command: its own, or that of its tree.
    pub(crate) async fn exit(&self, process: &Arc<Process>, stop: &CancellationToken) -> Exit {
        let ended = async {
            match watch::readable(process) {
                Ok(watched) => watched.readable().await.map(drop),
                Err(error) => Err(error),
            }
        };
        tokio::select! {
            biased;
            () = self.kill.cancelled() => self.jail.kill(),
            () = stop.cancelled() => self.jail.kill(),
            // Where it cannot be watched, it is waited for.
            watched = ended => if watched.is_ok() {
                // That it ended was told already: to hear it waits for nothing.
                return process.wait();
            },
        }
        let process = Arc::clone(process);
        spawn_blocking(move || process.wait()).await.unwrap_or(Exit::Killed)
    }

    /// Kills what is left, takes what is still waiting, and says what there was.
    pub(crate) async fn end(
        self,
        exit: Exit,
        supervisors: Vec<tokio::sync::oneshot::Receiver<()>>,
    ) -> Result<Ended, ConfineError> {
        let Self { jail, served, record, begun, .. } = self;
        jail.kill();
        let died = async {
            match watch::readable(&jail) {
                Ok(watched) => watched.readable().await.is_ok(),
                Err(_) => false,
            }
        };
        if !timeout(DEATH_WAIT_MAX, died).await.unwrap_or(false) && jail.lives() {
            tracing::error!("processes of a killed command do not die; they have no way out");
            record.lost(&io::Error::from(io::ErrorKind::TimedOut));
        }
        let rung = jail.rung;
        for supervisor in supervisors {
            // It ends with the last process that could ask.
            let _ = timeout(DEATH_WAIT_MAX, supervisor).await;
        }
        served.drain().await;
        let duration = begun.elapsed();
        let (evidence, notices, noticed, rulings) = record.finish().await?;
        Ok(Ended { exit, evidence, notices, noticed, rulings, rung, duration })
    }

    fn supervision(&self) -> Supervision {
        let jail = Arc::downgrade(&self.jail);
        Supervision {
            rung: self.jail.rung,
            diag: self.jail.diag.clone(),
            redirects: redirects(self.served.doors()),
            exposed: self.exposed_ports.clone(),
            given: self.jail.given.clone(),
            witness: Arc::<Record>::clone(&self.record),
            kill: Box::new(move || {
                if let Some(jail) = jail.upgrade() {
                    jail.kill();
                }
            }),
        }
    }

    /// Listens where the machine is to find ports of the call. In rung B they are the machine's own already.
    fn publish(&self, ports: &[u16]) -> Result<Vec<(u16, SocketAddr)>, ConfineError> {
        let mut published = Vec::new();
        for &port in ports {
            if self.jail.rung == Rung::B {
                published.push((port, SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
                continue;
            }
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
                .and_then(|listener| Ok((listener.local_addr()?, listener)));
            let (address, listener) =
                listener.map_err(|error| ConfineError::Plan(format!("port {port} cannot be published: {error}")))?;
            self.served
                .publish(port, listener, &self.jail)
                .map_err(|error| ConfineError::Plan(format!("port {port} cannot be published: {error}")))?;
            published.push((port, address));
        }
        Ok(published)
    }
}

impl Started {
    /// Apart: what is waited for, and what is told when its supervisor is done.
    pub(crate) fn split(self) -> (Arc<Process>, tokio::sync::oneshot::Receiver<()>) {
        (self.process, self.supervisor)
    }
}

/// Where the supervisor leads what it connects, in a rung where it does.
fn redirects(doors: &[Arc<Door>]) -> Option<(Arc<guard::door::Redirects>, SocketAddrV4, Option<SocketAddrV6>)> {
    let mut redirects = None;
    let (mut v4, mut v6) = (None, None);
    for door in doors {
        let Origin::Noted(noted) = &door.origin else { continue };
        redirects = Some(Arc::clone(noted));
        match door.listener.local_addr() {
            Ok(SocketAddr::V4(address)) => v4 = Some(address),
            Ok(SocketAddr::V6(address)) => v6 = Some(address),
            Err(_) => {}
        }
    }
    Some((redirects?, v4?, v6))
}

fn missing(layer: Layer, what: &str, error: io::Error) -> LaunchError {
    LaunchError::Layer { layer, what: what.to_owned(), error }
}
