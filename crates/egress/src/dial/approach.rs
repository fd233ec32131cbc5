//! An open connection on which nothing has been sent yet.

use std::net::SocketAddr;

use gate::Permit;
use thiserror::Error;

use super::error::DialError;
use super::line::{AddressVetting, Crossing, Line, Spent, Stream};
use crate::resolve::Source;

/// A connection to a vetted address. Nothing has been sent on it; dropping it closes it.
#[derive(Debug)]
pub struct Approach {
    host: Box<str>,
    port: u16,
    stream: Stream,
    peer: SocketAddr,
    source: Source,
}

/// A permit was given and the place not entered.
#[derive(Debug, Error)]
#[error("the destination was not entered")]
pub struct EnterError {
    /// The permit, used up: its outcome is to be recorded.
    pub spent: Spent,
    /// What went wrong.
    #[source]
    pub fault: DialError,
}

impl Approach {
    pub(super) fn direct(host: &str, port: u16, stream: Stream, peer: SocketAddr, source: Source) -> Self {
        Self { host: host.into(), port, stream, peer, source }
    }

    /// The other end.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Goes in: from here on bytes of the request may be sent.
    ///
    /// # Errors
    /// [`EnterError`] gives the used permit back, for its outcome. With
    /// [`DialError::PermitMismatch`] nothing was sent.
    #[expect(clippy::unused_async, reason = "through a corporate proxy this waits for its answer")]
    pub async fn enter(self, permit: Permit) -> Result<Line, EnterError> {
        if !is_for(&permit, &self.host, self.port) {
            return Err(EnterError { spent: Spent::new(permit), fault: DialError::PermitMismatch });
        }
        let crossing =
            Crossing { spent: Spent::new(permit), peer: self.peer, vetting: AddressVetting::Own, source: self.source };
        Ok(Line { stream: self.stream, crossing })
    }
}

/// Whether a permit is for exactly this place.
pub(super) fn is_for(permit: &Permit, host: &str, port: u16) -> bool {
    let target = permit.target();
    target.domain() == host && target.port() == port
}
