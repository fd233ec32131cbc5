//! The permit: the one thing an effect can be made with.

use std::sync::Arc;
use std::time::Instant;

use model::ask::Tunnel;
use model::event::EventContext;
use model::{ApprovalId, Ask, CorrelationId, EgressRequestId, TargetUrl, WorkspaceId};
use store::Recorded;

use crate::Caller;
use crate::egress::{Clearance, EgressSettled};
use crate::execution::{Execution, Open};
use crate::gateway::{Gateway, Life};

/// One request may leave, and that it may is durably recorded.
///
/// It can only be made from what the recorder gave back after its commit, and not when the decision
/// blocks. Whoever executes takes it by value: one permit, one effect.
#[derive(Debug)]
#[must_use = "a permit that is not used was recorded for nothing"]
pub struct Permit {
    egress_request_id: EgressRequestId,
    effect: Arc<Effect>,
    admitted_by: Option<ApprovalId>,
    execution: Execution,
}

/// What a permit is for, and what is asked again while it lasts.
pub(crate) struct Effect {
    pub(crate) correlation_id: CorrelationId,
    /// Where its outcome is recorded.
    pub(crate) context: Arc<EventContext>,
    pub(crate) ask: Arc<Ask>,
    pub(crate) caller: Caller,
    pub(crate) target: TargetUrl,
    pub(crate) always_enforced: bool,
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effect").field("domain", &self.target.domain()).finish_non_exhaustive()
    }
}

impl Permit {
    // INVARIANT: the only constructor; `Recorded` proves the commit.
    pub(crate) fn from_recorded(
        gateway: Gateway,
        recorded: &Recorded<EgressSettled>,
        effect: &Arc<Effect>,
        life: Life,
    ) -> Option<Self> {
        let settled = recorded.get();
        if settled.answer.blocked {
            return None;
        }
        let egress_request_id = settled.answer.egress_request_id.clone();
        let execution = Execution::new(Open {
            id: egress_request_id.clone(),
            context: Arc::clone(&effect.context),
            cause: settled.last_event_id.clone(),
            started: Instant::now(),
            gateway,
            life,
        });
        let admitted_by = settled.admitted_by().cloned();
        Some(Self { egress_request_id, effect: Arc::clone(effect), admitted_by, execution })
    }

    /// The request it was given for.
    #[must_use]
    pub fn egress_request_id(&self) -> &EgressRequestId {
        &self.egress_request_id
    }

    /// The workspace.
    #[must_use]
    pub fn workspace_id(&self) -> &WorkspaceId {
        &self.effect.context.workspace_id
    }

    /// The one place that may be reached with it.
    #[must_use]
    pub fn target(&self) -> &TargetUrl {
        &self.effect.target
    }

    /// What the outcome is correlated with.
    #[must_use]
    pub fn correlation_id(&self) -> &CorrelationId {
        &self.effect.correlation_id
    }

    /// The one method.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.effect.ask.method()
    }

    /// What the tunnel may carry, when it is one.
    #[must_use]
    pub fn tunnel(&self) -> Option<Tunnel> {
        self.effect.ask.tunnel()
    }

    /// Leave to prepare the way it permits.
    #[must_use]
    pub fn clearance(&self) -> Clearance {
        Clearance::of(&self.effect)
    }

    /// What is to be asked again while it lasts.
    #[must_use]
    pub fn admission(&self) -> Admission {
        Admission { effect: Arc::clone(&self.effect), admitted_by: self.admitted_by.clone() }
    }

    /// Uses it up: the effect begins, and ends with [`Execution::finish`].
    pub fn execute(self) -> Execution {
        self.execution
    }
}

/// Under what a lasting effect was admitted: asked again with [`crate::Gate::recheck`] while it lasts.
#[derive(Debug, Clone)]
pub struct Admission {
    pub(crate) effect: Arc<Effect>,
    pub(crate) admitted_by: Option<ApprovalId>,
}

impl Admission {
    /// The workspace.
    #[must_use]
    pub fn workspace_id(&self) -> &WorkspaceId {
        &self.effect.context.workspace_id
    }
}
