//! A jail that is made while its gate is still being opened.
//!
//! For a process that runs one command: both take milliseconds, and neither needs the other. There is nothing in the
//! jail before the gate is there and its log is proven writable, as always.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use guard::LaunchError;
use guard::launch::{Jail, Launcher};
use guard::plan::Plan;
use guard::rung::Rung;
use tokio::sync::oneshot;

use crate::comfort;

/// What was made: what starts jails, and the jail.
type Made = (Result<Launcher, LaunchError>, Option<Result<Jail, LaunchError>>);

/// A jail on its way. It is the first that is made, if its plan is still what is wanted then.
#[derive(Clone)]
pub struct Ahead(Arc<Inner>);

struct Inner {
    plan: Plan,
    coming: Mutex<Option<Coming>>,
}

struct Coming {
    made: oneshot::Receiver<Made>,
    thread: JoinHandle<()>,
}

impl Ahead {
    /// Begins to make one, on a thread of its own; `certificates` are those of the [`crate::ConfineConfig`].
    ///
    /// # Errors
    /// No thread can be started.
    pub fn begin(plan: Plan, rung: Rung, certificates: Option<&[u8]>) -> std::io::Result<Self> {
        let plan = whole(plan, rung, certificates);
        let (tell, made) = oneshot::channel();
        let wanted = plan.clone();
        let thread = std::thread::Builder::new().name("launcher".to_owned()).spawn(move || {
            let launcher = Launcher::start();
            let jail = launcher.as_ref().ok().map(|launcher| launcher.launch(&wanted));
            // Whoever began it has gone away: then the jail goes as well.
            let _ = tell.send((launcher, jail));
        })?;
        Ok(Self(Arc::new(Inner { plan, coming: Mutex::new(Some(Coming { made, thread })) })))
    }

    /// What was made, once; the jail only for this plan.
    pub(crate) async fn take(&self, plan: &Plan) -> Option<Made> {
        let coming = self.0.coming.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let (launcher, jail) = coming.made.await.unwrap_or((Err(LaunchError::Gone), None));
        Some((launcher, jail.filter(|_| *plan == self.0.plan)))
    }
}

impl Drop for Inner {
    // A jail that nobody took puts away what it made outside, and a process that ends does not wait for its threads.
    fn drop(&mut self) {
        let coming = self.coming.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Coming { made, thread }) = coming {
            drop(made);
            let _ = thread.join();
        }
    }
}

/// A plan with all that is known before there is a call.
pub(crate) fn whole(plan: Plan, rung: Rung, certificates: Option<&[u8]>) -> Plan {
    let mut plan = Plan { rung, ..plan };
    if rung == Rung::A {
        comfort::files(&mut plan, certificates);
    }
    plan
}

impl fmt::Debug for Ahead {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Ahead").field("rung", &self.0.plan.rung).finish_non_exhaustive()
    }
}
