//! An open connection on which nothing has been sent yet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gate::{Ending, Execution, Permit};

use super::error::DialError;
use super::line::{Crossing, Line, Place, Stream};
use crate::upstream::{self, UpstreamProxy};

/// A connection to a vetted address. Nothing has been sent on it; dropping it closes it.
#[derive(Debug)]
pub struct Approach {
    pub(super) stream: Stream,
    pub(super) place: Place,
    /// What a corporate proxy is still to be asked.
    pub(super) ask: Option<Ask>,
}

/// A question to a corporate proxy, which tells it where the request goes.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) proxy: Arc<UpstreamProxy>,
    pub(super) authority: String,
    pub(super) limit: Duration,
}

/// A permit was given and the place not entered.
#[must_use = "its outcome is to be recorded"]
pub struct EnterError {
    /// The permit, used up.
    pub execution: Execution,
    /// What went wrong.
    pub fault: DialError,
}

impl EnterError {
    /// Records the fault as the outcome and gives it back, for the answer.
    pub fn finish(self) -> DialError {
        self.execution.finish(Ending::failed(self.fault.code()));
        self.fault
    }
}

impl fmt::Debug for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterError").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Approach {
    /// Where it leads.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Goes in: from here on bytes of the request may be sent.
    ///
    /// # Errors
    /// [`EnterError`] gives the used permit back, for its outcome. With
    /// [`DialError::PermitMismatch`] nothing was sent.
    pub async fn enter(self, permit: Permit) -> Result<Line, EnterError> {
        let fits = is_for(&permit, &self.place);
        let execution = permit.execute();
        if fits { self.go_in(execution).await } else { Err(EnterError { execution, fault: DialError::PermitMismatch }) }
    }

    /// For an execution that has been permitted to go to this very place.
    pub(super) async fn go_in(self, execution: Execution) -> Result<Line, EnterError> {
        let Self { mut stream, place, ask } = self;
        if let Some(Ask { proxy, authority, limit }) = ask
            && let Err(fault) = upstream::ask(&mut stream, &proxy, &authority, limit).await
        {
            return Err(EnterError { execution, fault: fault.into() });
        }
        Ok(Line { stream, crossing: Crossing { execution, place, reused: false } })
    }
}

/// Whether a permit is for exactly this place.
pub(super) fn is_for(permit: &Permit, place: &Place) -> bool {
    let target = permit.target();
    target.domain() == place.host() && target.port() == place.port() && (target.scheme() == "https") == place.is_tls()
}
