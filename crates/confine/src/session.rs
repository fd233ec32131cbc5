//! One jail for many commands: what a server left running is still there for the next, and names keep their
//! addresses. In rung B a server is found by the command that started it only: there the ports of a call are known
//! to the supervisor of each command, not to the kernel.

use std::sync::Arc;

use gate::{Caller, Place};
use guard::plan::{Command, Exit, Plan};
use guard::rung::Rung;
use model::{CorrelationId, EventId};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::confiner::Lodger;
use crate::life::Lodging;
use crate::{ConfineError, Confiner, Controls, Ended, Network, RungChoice, Stdio, comfort};

/// What a session is for, as a [`crate::Call`] says it for one command.
pub struct SessionPlan {
    /// Who asks.
    pub caller: Caller,
    /// Where it belongs.
    pub place: Place,
    /// The tool it is, where it is one.
    pub tool_name: Option<String>,
    /// What its event follows.
    pub cause: Option<EventId>,
    /// What ties its event to others.
    pub correlation_id: Option<CorrelationId>,
    /// What it may see and use.
    pub plan: Plan,
    /// How strongly it must be held.
    pub rung: RungChoice,
    /// What it said about the network.
    pub network: Network,
    /// The keyed digest of what it was made for.
    pub input_hmac: String,
}

/// A jail that lasts. What its commands try is one event, at its end: who tried what cannot be told apart among
/// processes that outlive the command that started them. When it is dropped without an end, everything in it dies;
/// what it tried is then recorded by the sweep after this process.
pub struct Session {
    confiner: Confiner,
    lodging: Lodging,
    supervisors: std::sync::Mutex<Vec<oneshot::Receiver<()>>>,
}

impl Confiner {
    /// Makes a jail for many commands.
    ///
    /// # Errors
    /// See [`ConfineError`].
    pub async fn session(&self, of: SessionPlan) -> Result<Session, ConfineError> {
        let rung = self.rung(of.rung)?;
        let lodger = Lodger {
            caller: &of.caller,
            place: &of.place,
            tool_name: of.tool_name.as_deref(),
            cause: of.cause.as_ref(),
            correlation_id: of.correlation_id.as_ref(),
            network: of.network,
            input_hmac: of.input_hmac,
        };
        let lodging = self.lodge(&lodger, of.plan, rung).await?;
        Ok(Session { confiner: self.clone(), lodging, supervisors: std::sync::Mutex::default() })
    }
}

impl Session {
    /// How strongly it is held.
    #[must_use]
    pub fn rung(&self) -> Rung {
        self.lodging.jail.rung
    }

    /// Runs a command in it, to that command's end; what it left running goes on. `stop` ends all of the session.
    ///
    /// # Errors
    /// See [`ConfineError`].
    pub async fn run(&self, command: Command, stdio: Stdio, stop: CancellationToken) -> Result<Exit, ConfineError> {
        self.run_with(command, stdio, stop, |_| {}).await
    }

    /// The same; `begun` gets what can be done to the command while it runs.
    ///
    /// # Errors
    /// See [`ConfineError`].
    pub async fn run_with(
        &self,
        mut command: Command,
        stdio: Stdio,
        stop: CancellationToken,
        begun: impl FnOnce(Controls),
    ) -> Result<Exit, ConfineError> {
        comfort::environment(&mut command, self.rung(), self.confiner.certificates());
        self.confiner.spawning();
        let (process, supervisor) = self.lodging.start(command, stdio, &[]).await?.split();
        self.supervisors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(supervisor);
        begun(Controls::new(Arc::clone(&process), stop.clone()));
        Ok(self.lodging.exit(&process, &stop).await)
    }

    /// Ends it: everything in it dies, and what was tried is recorded.
    ///
    /// # Errors
    /// [`ConfineError::EventLog`] when it cannot be.
    pub async fn end(self) -> Result<Ended, ConfineError> {
        let supervisors =
            std::mem::take(&mut *self.supervisors.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        self.lodging.end(Exit::Code(0), supervisors).await
    }
}
