//! The spine: an ask is decided, written down, and only then becomes a [`Permit`](permit::Permit)
//! for an effect.
//!
//! ```text
//! wire ─parse▶ Ask ─decide▶ Decision ─record▶ Recorded ─▶ Permit ─enforce▶ effect
//!              model        policy            store        gate     whoever executes
//! ```
//!
//! What it deliberately lacks: sockets, processes, HTTP, SQL. It answers in values; whoever calls
//! renders them.
//!
//! Invariants kept here: one gate for every door; no permit without a durable record; what a
//! caller may claim about itself is checked before anything is decided; a change that the policy
//! head overtook is decided again, never recorded as it was.
//!
//! Start with [`Gate`], then [`egress`] (the longest walk), then [`caller`] (who asks).

pub mod agents;
pub mod approvals;
mod ask;
mod asking;
pub mod authorize;
mod bearer;
pub mod caller;
pub mod capabilities;
pub mod change;
mod clock;
pub mod data;
pub mod decision;
pub mod egress;
mod errand;
pub mod error;
pub mod execution;
mod fence;
mod gateway;
mod identity;
pub mod key;
pub mod labels;
pub mod minted;
pub mod permit;
mod place;
pub mod policies;
pub mod principals;
pub mod registry;
pub mod rooms;
mod ruling;
pub mod secret;
pub mod settings;
pub mod shadow;
mod submit;
mod tool_call;
mod uses;
pub mod violation;
pub mod wording;

use std::sync::Arc;

use store::Store;

pub use authorize::{AuthorizeInput, AuthorizeOutput, EvaluateInput, EvaluateOutput};
pub use caller::{AuthError, Caller};
pub use data::{DataAccessInput, DataAccessOutput};
pub use egress::{
    Clearance, EgressInput, EgressOutput, EgressSettled, Intent, Leave, Now, OnBehalf, PreparedEgress, Recheck, Ruled,
};
pub use errand::Errand;
pub use error::{Answered, GateError, Refusal, RefusalKind};
pub use execution::{AddressVetting, Ending, Execution, ExecutionOutcome, ServerName};
pub use fence::Fence;
pub use key::{CreatedKey, NewKey, create_key, revoke_key};
pub use minted::{NewProxyCredential, ProxyCredential};
pub use permit::{Admission, Permit};
pub use place::Place;
pub use secret::InstallSecret;
pub use submit::Patience;
pub use tool_call::{PreparedToolCall, ToolCallAsk, ToolVerdict};
pub use violation::{NOT_COMPARED, Violation, ViolationOf};

/// The gate. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    secret: InstallSecret,
    places: place::Places,
    allows: decision::AllowLog,
    seen: bearer::Seen,
    folder: policies::Folder,
    log: decision::DecisionLog,
    turns: policies::Turns,
    gateway: tokio::sync::OnceCell<gateway::Gateway>,
    waits: approvals::Waits,
}

impl Gate {
    /// A gate on `store`; `secret` keys every digest of what callers supply.
    #[must_use]
    pub fn new(store: Store, secret: InstallSecret) -> Self {
        Self {
            inner: Arc::new(Inner {
                allows: decision::AllowLog::new(store.clone()),
                log: decision::DecisionLog::new(store.clone()),
                store,
                secret,
                places: place::Places::new(),
                seen: bearer::Seen::default(),
                folder: policies::Folder::default(),
                turns: policies::Turns::default(),
                gateway: tokio::sync::OnceCell::new(),
                waits: approvals::Waits::default(),
            }),
        }
    }

    /// The store it records in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The secret of this install.
    #[must_use]
    pub fn secret(&self) -> &InstallSecret {
        &self.inner.secret
    }

    pub(crate) fn places(&self) -> &place::Places {
        &self.inner.places
    }

    pub(crate) fn seen(&self) -> &bearer::Seen {
        &self.inner.seen
    }

    pub(crate) fn folder(&self) -> &policies::Folder {
        &self.inner.folder
    }

    pub(crate) fn turns(&self) -> &policies::Turns {
        &self.inner.turns
    }

    pub(crate) fn waits(&self) -> &approvals::Waits {
        &self.inner.waits
    }

    /// This process as one that lets requests out; it becomes one now when it was none.
    pub(crate) async fn gateway(&self) -> Result<gateway::Gateway, GateError> {
        let start = || gateway::Gateway::start(self.store().clone());
        self.inner.gateway.get_or_try_init(start).await.cloned()
    }

    pub(crate) fn gateway_started(&self) -> Option<gateway::Gateway> {
        self.inner.gateway.get().cloned()
    }

    /// What to let something out under.
    pub(crate) async fn life(&self) -> Result<gateway::Life, GateError> {
        let quiet = || store::DbError::Conflict("the store has not heard of this process for too long".to_owned());
        self.gateway().await?.life().ok_or_else(|| GateError::Unavailable(quiet()))
    }

    /// Writes to the store and waits until that is durable: for whoever is about to do something whose
    /// record must not be lost.
    ///
    /// # Errors
    /// [`GateError`] when the store cannot be written.
    pub async fn prove_log(&self) -> Result<(), GateError> {
        match self.gateway_started() {
            Some(gateway) => gateway.prove().await,
            // To take a name is to write.
            None => self.gateway().await.map(drop),
        }
    }

    /// Waits (10 s at most) until the outcome of everything that was let out and has ended is recorded,
    /// and gives up the name that it was let out under. Called before a process ends.
    pub async fn close_gateway(&self) {
        if let Some(gateway) = self.gateway_started() {
            gateway.flush(std::time::Duration::from_secs(10)).await;
            gateway.end().await;
        }
    }

    /// Waits until every decision made so far is logged. Called before a process ends, and before the
    /// log is read.
    pub async fn flush_logs(&self) {
        self.inner.allows.flush().await;
        self.inner.log.flush().await;
    }

    pub(crate) fn decision_log(&self) -> &decision::DecisionLog {
        &self.inner.log
    }

    pub(crate) fn allows(&self) -> &decision::AllowLog {
        &self.inner.allows
    }
}
