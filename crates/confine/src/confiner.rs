//! The one that runs commands confined.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use egress::proxy::{Identity, Proxy, Run};
use gate::{Gate, GateError, ViolationOf};
use guard::Layer;
use guard::launch::{Jail, Launcher, Process};
use guard::plan::{Plan, WindowSize};
use guard::rung::Rung;
use model::{CorrelationId, EventId};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::dns::Nameserver;
use crate::life::Lodging;
use crate::names::NameTable;
use crate::record::{Of, Record};
use crate::serve::{Served, Ways};
use crate::{Ahead, Call, ConfineError, Ended, GuardState, Network, RungChoice, ahead, comfort, selftest};

/// How commands are confined.
#[derive(Debug, Clone, Default)]
pub struct ConfineConfig {
    /// The program that starts calls: one whose `main` begins with `guard::spawner::run_if_asked`. This
    /// very program when left out.
    pub spawner: Option<PathBuf>,
    /// Certificates in PEM that programs inside are to trust in place of the machine's own.
    pub certificates: Option<Arc<[u8]>>,
    /// What starts calls, and the first jail, where that was begun already.
    pub ahead: Option<Ahead>,
    /// What says that a rung holds.
    pub proof: Proof,
}

/// What says that a rung holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proof {
    /// The self-test: nothing runs on a rung that it did not find wholly live.
    #[default]
    SelfTest,
    /// The launch itself, where a layer that cannot be put in place is an error: for a process that runs one command
    /// and is not to spend more on proofs than on that. What at least one rung must do begins on the strongest.
    Launch,
}

/// Runs commands confined. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Confiner {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    proxy: Proxy,
    config: ConfineConfig,
    launcher: Mutex<Option<Launcher>>,
    state: Mutex<Arc<GuardState>>,
    spawned: AtomicU64,
}

/// A command that has begun.
struct Begun {
    process: Arc<Process>,
    terminal: Option<OwnedFd>,
    published: Vec<(u16, SocketAddr)>,
}

/// Whom a jail is made for, and how.
pub(crate) struct Lodger<'a> {
    pub(crate) caller: &'a gate::Caller,
    pub(crate) place: &'a gate::Place,
    pub(crate) tool_name: Option<&'a str>,
    pub(crate) cause: Option<&'a EventId>,
    pub(crate) correlation_id: Option<&'a CorrelationId>,
    pub(crate) network: Network,
    pub(crate) input_hmac: String,
}

impl Confiner {
    /// A confiner whose jails' asks go to `gate` by `proxy`. With [`Proof::SelfTest`] nothing runs before
    /// [`Self::self_test`].
    #[must_use]
    pub fn new(gate: Gate, proxy: Proxy, config: ConfineConfig) -> Self {
        let state = Mutex::new(Arc::new(GuardState::untested()));
        let inner = Inner { gate, proxy, config, launcher: Mutex::default(), state, spawned: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// The gate it asks.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// Proves each layer live in jails that are thrown away, and keeps what was found.
    pub async fn self_test(&self) -> Arc<GuardState> {
        let inner = Arc::clone(&self.inner);
        let tested = spawn_blocking(move || match inner.launcher() {
            Ok(launcher) => selftest::run(&launcher),
            Err(error) => GuardState::without(&error),
        });
        let state = Arc::new(tested.await.unwrap_or_else(|_| GuardState::untested()));
        *self.inner.state.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&state);
        state
    }

    /// What the last self-test found.
    #[must_use]
    pub fn state(&self) -> Arc<GuardState> {
        Arc::clone(&self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many commands were started in this process, those of self-tests left out.
    #[must_use]
    pub fn spawned(&self) -> u64 {
        self.inner.spawned.load(Ordering::Acquire)
    }

    /// Runs a command to its end, and until every process of its tree is dead and all that was tried is recorded.
    ///
    /// # Errors
    /// See [`ConfineError`].
    ///
    /// # Cancel safety
    /// When the future is dropped the tree is killed; what was tried is still recorded.
    pub async fn run(&self, call: Call, stop: CancellationToken) -> Result<Ended, ConfineError> {
        self.start(call, stop).await?.ended().await
    }

    /// Starts a command; `stop` kills its tree, and so does dropping what is returned.
    ///
    /// # Errors
    /// See [`ConfineError`]; then nothing of it runs.
    pub async fn start(&self, call: Call, stop: CancellationToken) -> Result<Running, ConfineError> {
        let rung = self.rung(call.rung)?;
        let stop = stop.child_token();
        let guard = stop.clone().drop_guard();
        let (told, started) = oneshot::channel();
        // On a task of its own: whoever waits may go away, and what was tried is recorded all the same.
        let life = tokio::spawn(self.clone().live(call, rung, stop.clone(), told));
        match started.await {
            Ok(Begun { process, terminal, published }) => {
                let controls = Controls::new(process, stop);
                Ok(Running { controls, terminal, published, life, _guard: guard })
            }
            Err(_) => match life.await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) | Err(_) => Err(ConfineError::EventLog),
            },
        }
    }

    async fn live(
        self,
        call: Call,
        rung: Rung,
        stop: CancellationToken,
        told: oneshot::Sender<Begun>,
    ) -> Result<Ended, ConfineError> {
        let Call { caller, place, tool_name, cause, correlation_id, plan, mut command, network, .. } = call;
        let input_hmac = call.input_hmac.unwrap_or_else(|| self.digest_of(&command.argv));
        let lodger = Lodger {
            caller: &caller,
            place: &place,
            tool_name: tool_name.as_deref(),
            cause: cause.as_ref(),
            correlation_id: correlation_id.as_ref(),
            network,
            input_hmac,
        };
        let lodging = self.lodge(&lodger, plan, rung).await?;
        comfort::environment(&mut command, rung, self.inner.config.certificates.is_some());
        self.inner.spawned.fetch_add(1, Ordering::AcqRel);
        let mut started = match lodging.start(command, call.stdio, &call.publish).await {
            Ok(started) => started,
            Err(error) => {
                // Nothing of it ran: what there is to record is nothing.
                let _ = lodging.end(guard::plan::Exit::Killed, Vec::new()).await?;
                return Err(error);
            }
        };
        let terminal = started.terminal.take();
        let published = std::mem::take(&mut started.published);
        let (process, supervisor) = started.split();
        // Whoever waited for it may be gone; then it is stopped.
        let _ = told.send(Begun { process: Arc::clone(&process), terminal, published });
        let exit = lodging.exit(&process, &stop).await;
        lodging.end(exit, vec![supervisor]).await
    }

    /// Makes a jail, with everything served and nothing in it.
    pub(crate) async fn lodge(&self, lodger: &Lodger<'_>, plan: Plan, rung: Rung) -> Result<Lodging, ConfineError> {
        let begun = Instant::now();
        let plan = ahead::whole(plan, rung, self.inner.config.certificates.as_deref());
        let (host_name, exposed_ports) = (plan.host_name.clone(), plan.exposed_ports.clone());
        // The log is proven writable before anything runs.
        let (proven, launched) = tokio::join!(self.inner.gate.prove_log(), self.launch(plan));
        proven.map_err(log)?;
        let mut jail = launched?;
        let of =
            ViolationOf { tool_name: lodger.tool_name, cause: lodger.cause, correlation_id: lodger.correlation_id };
        let kill = CancellationToken::new();
        let of = Of {
            violation: self.inner.gate.violation(lodger.caller, lodger.place, of),
            rung,
            input_hmac: lodger.input_hmac.clone(),
            network: lodger.network,
        };
        let record = Record::new(self.inner.gate.clone(), of, kill.clone());
        let names = Arc::new(NameTable::default());
        let mut run = Run::new(lodger.caller.clone(), lodger.place.clone());
        run.names = Some(Arc::<NameTable>::clone(&names));
        run.witness = Some(Arc::<Record>::clone(&record));
        #[cfg(feature = "weaken")]
        if guard::weaken::asked("widen_default_allowlist") {
            run.enforced = false;
        }
        let also = if rung == Rung::B { comfort::nameservers() } else { Vec::new() };
        let ways = Ways {
            proxy: self.inner.proxy.clone(),
            identity: Arc::new(Identity::Run(Box::new(run))),
            names,
            nameserver: Nameserver::new(&host_name, also),
            record: Arc::clone(&record),
        };
        let served = Served::begin(&mut jail, ways).map_err(|error| {
            let (layer, what) = (Layer::Descriptors, "watch what a jail handed out".to_owned());
            ConfineError::from(guard::LaunchError::Layer { layer, what, error })
        })?;
        Ok(Lodging { jail: Arc::new(jail), served, record, exposed_ports, begun, kill })
    }

    /// Makes the jail, or takes the one that was begun before.
    async fn launch(&self, plan: Plan) -> Result<Jail, ConfineError> {
        if let Some(ahead) = &self.inner.config.ahead
            && let Some((launcher, jail)) = ahead.take(&plan).await
        {
            self.inner.launcher.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(launcher?);
            if let Some(jail) = jail {
                return Ok(jail?);
            }
        }
        let inner = Arc::clone(&self.inner);
        let launching = spawn_blocking(move || inner.launcher()?.launch(&plan).map_err(ConfineError::from));
        launching.await.map_err(|_| ConfineError::from(guard::LaunchError::Gone))?
    }

    /// The rung a call is held by.
    pub(crate) fn rung(&self, choice: RungChoice) -> Result<Rung, ConfineError> {
        if self.inner.config.proof == Proof::Launch {
            return Ok(match choice {
                RungChoice::Exactly(rung) => rung,
                RungChoice::AtLeast(_) => Rung::A,
            });
        }
        let state = self.state();
        let (wanted, fits): (Rung, &dyn Fn(Rung) -> bool) = match &choice {
            RungChoice::Exactly(rung) => (*rung, &|live| live == *rung),
            RungChoice::AtLeast(rung) => (*rung, &|live| live >= *rung),
        };
        state.rungs.iter().copied().find(|live| fits(*live)).ok_or_else(|| state.refusal(wanted))
    }

    pub(crate) fn spawning(&self) {
        self.inner.spawned.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn certificates(&self) -> bool {
        self.inner.config.certificates.is_some()
    }

    /// The keyed digest of the words of a command.
    pub(crate) fn digest_of(&self, argv: &[Vec<u8>]) -> String {
        let words: Vec<String> = argv.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let input = serde_json::json!({ "argv": words });
        self.inner.gate.input_hmac(&input)
    }
}

impl Inner {
    fn launcher(&self) -> Result<Launcher, ConfineError> {
        let mut place = self.launcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(launcher) = &*place {
            return Ok(launcher.clone());
        }
        let launcher = match &self.config.spawner {
            Some(program) => Launcher::start_with(program)?,
            None => Launcher::start()?,
        };
        Ok(place.insert(launcher).clone())
    }
}

/// What it means that the log cannot be written before anything was started.
fn log(error: GateError) -> ConfineError {
    match error {
        GateError::Unavailable(_) | GateError::Failed(_) => {
            tracing::error!(%error, "nothing is run: the event log cannot be written");
            ConfineError::EventLog
        }
        other => ConfineError::Gate(other),
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    controls: Controls,
    terminal: Option<OwnedFd>,
    published: Vec<(u16, SocketAddr)>,
    life: JoinHandle<Result<Ended, ConfineError>>,
    _guard: DropGuard,
}

impl Running {
    /// The other end of its terminal, where it has one; once.
    pub fn terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// Where the machine finds each port that was to be published.
    #[must_use]
    pub fn published(&self) -> &[(u16, SocketAddr)] {
        &self.published
    }

    /// What can be done to it while it runs.
    #[must_use]
    pub fn controls(&self) -> Controls {
        self.controls.clone()
    }

    /// Waits for its end, and until all its processes are dead and what they tried is recorded.
    ///
    /// # Errors
    /// [`ConfineError::EventLog`] when what it tried could not be recorded.
    pub async fn ended(mut self) -> Result<Ended, ConfineError> {
        (&mut self.life).await.unwrap_or(Err(ConfineError::EventLog))
    }
}

/// What can be done to a command that runs. It does nothing once that has ended.
#[derive(Debug, Clone)]
pub struct Controls {
    process: Arc<Process>,
    stop: CancellationToken,
}

impl Controls {
    pub(crate) fn new(process: Arc<Process>, stop: CancellationToken) -> Self {
        Self { process, stop }
    }

    /// Sends the command's group of processes a signal.
    pub fn signal(&self, signal: i32) {
        // That it has ended is no matter.
        let _ = self.process.signal(signal);
    }

    /// Gives its terminal another size.
    pub fn resize(&self, size: WindowSize) {
        // It has none, or has ended.
        let _ = self.process.resize(size);
    }

    /// Kills the whole tree.
    pub fn kill(&self) {
        self.stop.cancel();
    }
}
