//! An errand: what a part of this program does for somebody else, over many asks.
//!
//! A process that a run starts asks by whatever door it finds, and names nothing: neither the capability
//! token that the run is tied to nor its zone. So both hang on the caller that all its asks are made with.

use std::sync::Arc;

use model::{CorrelationId, DomainPattern, PrincipalId, RunId, TargetUrl, WorkspaceId, Zone};

use crate::caller::Standing;
use crate::{Caller, Gate, OnBehalf, Refusal};

/// What every ask of an errand carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errand {
    /// The capability token that it is asked with, as it was shown.
    pub capability_token_id: Option<String>,
    /// The zone; without one `supervised`.
    pub zone: Option<Zone>,
    /// What ties its events together.
    pub correlation_id: Option<CorrelationId>,
    /// The run it is part of: once that has ended, nothing more is asked.
    pub run_id: Option<RunId>,
    /// The hosts it said it would ask for: any other is refused before it is asked. It opens nothing.
    pub hosts: Option<Arc<[DomainPattern]>>,
}

impl Errand {
    /// Whether it may ask for what leads there.
    ///
    /// # Errors
    /// 403 `host_not_declared`.
    pub(crate) fn may_ask(&self, target: &TargetUrl) -> Result<(), Refusal> {
        let named = |hosts: &Arc<[DomainPattern]>| hosts.iter().any(|host| host.matches(target.domain()));
        match self.hosts.as_ref().is_none_or(named) {
            true => Ok(()),
            false => Err(Refusal::forbidden("host_not_declared", "the host is none of those that were declared")),
        }
    }

    pub(crate) fn on_behalf(&self) -> OnBehalf<'_> {
        let own = OnBehalf::in_zone(self.zone.map(Zone::as_str)).with_token(self.capability_token_id.as_deref());
        match &self.correlation_id {
            Some(correlation) => own.correlated(correlation.as_str()),
            None => own,
        }
    }
}

impl Gate {
    /// A caller that does an errand for a principal: as [`Gate::inside`], and all it asks carries what the
    /// errand says.
    #[must_use]
    pub fn errand(
        &self,
        workspace_id: WorkspaceId,
        principal_id: PrincipalId,
        request_id: &str,
        errand: Errand,
    ) -> Caller {
        let standing = Standing::Errand(Arc::new(errand));
        Caller { standing, ..self.inside(workspace_id, principal_id, request_id) }
    }
}
