//! An open connection on which nothing has been sent yet.

use std::fmt;

use gate::{Ending, Execution, Permit};

use super::error::DialError;
use super::line::{Crossing, Line, Place, Stream};

/// A connection to a vetted address. Nothing has been sent on it; dropping it closes it.
#[derive(Debug)]
pub struct Approach {
    pub(super) stream: Stream,
    pub(super) place: Place,
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
    #[expect(clippy::unused_async, reason = "through a corporate proxy this waits for its answer")]
    pub(super) async fn go_in(self, execution: Execution) -> Result<Line, EnterError> {
        let Self { stream, place } = self;
        Ok(Line { stream, crossing: Crossing { execution, place, reused: false } })
    }
}

/// Whether a permit is for exactly this place.
pub(super) fn is_for(permit: &Permit, place: &Place) -> bool {
    let target = permit.target();
    target.domain() == place.host() && target.port() == place.port() && (target.scheme() == "https") == place.is_tls()
}
