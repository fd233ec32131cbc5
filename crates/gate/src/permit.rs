//! The permit: the one thing an effect can be made with.

use model::{CorrelationId, EgressRequestId, EventId, PrincipalId, TargetUrl, WorkspaceId};
use store::Recorded;

use crate::egress::EgressSettled;

/// One request may leave, and that it may is durably recorded.
///
/// It can only be made from what the recorder gave back after its commit, not for an answer given
/// again under an idempotency key, and not when the decision blocks. Whoever executes takes it by
/// value: one permit, one effect.
#[derive(Debug)]
#[must_use = "a permit that is not used was recorded for nothing"]
pub struct Permit {
    egress_request_id: EgressRequestId,
    workspace_id: WorkspaceId,
    principal_id: PrincipalId,
    correlation_id: CorrelationId,
    cause: EventId,
    target: TargetUrl,
    method: Option<String>,
}

/// What a permit is for.
pub(crate) struct Effect {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) target: TargetUrl,
    pub(crate) method: Option<String>,
}

impl Permit {
    // INVARIANT: the only constructor; `Recorded` proves the commit.
    pub(crate) fn from_recorded(recorded: &Recorded<store::Answer<EgressSettled>>, effect: Effect) -> Option<Self> {
        let answer = recorded.get();
        let settled = &answer.value;
        (!answer.replayed && !settled.answer.blocked).then(|| Self {
            egress_request_id: settled.answer.egress_request_id.clone(),
            workspace_id: effect.workspace_id,
            principal_id: settled.principal_id.clone(),
            correlation_id: effect.correlation_id,
            cause: settled.last_event_id.clone(),
            target: effect.target,
            method: effect.method,
        })
    }

    /// The request it was given for.
    #[must_use]
    pub fn egress_request_id(&self) -> &EgressRequestId {
        &self.egress_request_id
    }

    /// The workspace.
    #[must_use]
    pub fn workspace_id(&self) -> &WorkspaceId {
        &self.workspace_id
    }

    /// Who is accountable.
    #[must_use]
    pub fn principal_id(&self) -> &PrincipalId {
        &self.principal_id
    }

    /// What the outcome is correlated with.
    #[must_use]
    pub fn correlation_id(&self) -> &CorrelationId {
        &self.correlation_id
    }

    /// The event that the outcome follows.
    #[must_use]
    pub fn cause(&self) -> &EventId {
        &self.cause
    }

    /// The one place that may be reached with it.
    #[must_use]
    pub fn target(&self) -> &TargetUrl {
        &self.target
    }

    /// The one method, when one was named.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }
}
