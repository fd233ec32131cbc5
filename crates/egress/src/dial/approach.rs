//! An open connection on which nothing has been sent yet.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gate::{Ending, Execution, Permit};

use tokio::time::{Instant, sleep};

use super::connect;
use super::error::DialError;
use super::line::{Crossing, Line, Place, Stream};
use crate::upstream::{self, Decides, Inside, UpstreamFault, UpstreamProxy};

/// LIMIT: how long another exeat may hold a question.
const HELD_MAX: Duration = Duration::from_secs(3_600);
/// How long until it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// A connection to a vetted address. Nothing has been sent on it; dropping it closes it.
#[derive(Debug)]
pub struct Approach {
    pub(super) stream: Stream,
    pub(super) place: Place,
    /// What a corporate proxy is still to be asked.
    pub(super) ask: Option<Ask>,
}

/// What a corporate proxy is to be asked for, which tells it where the request goes.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) proxy: Arc<UpstreamProxy>,
    pub(super) way: Way,
    pub(super) limit: Duration,
}

#[derive(Debug)]
pub(super) enum Way {
    /// One of these vetted addresses, the next when the proxy does not reach the last.
    Addresses(VecDeque<SocketAddr>),
    /// The name, which nobody here has resolved.
    Name,
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
        let Self { stream, place, ask } = self;
        let entered = match ask {
            None => Ok((stream, place)),
            Some(ask) => ask.through(stream, place).await,
        };
        match entered {
            Ok((stream, place)) => Ok(Line { stream, crossing: Crossing { execution, place, reused: false } }),
            Err(fault) => Err(EnterError { execution, fault }),
        }
    }
}

impl Ask {
    async fn through(self, mut stream: Stream, place: Place) -> Result<(Stream, Place), DialError> {
        let Self { proxy, way, limit } = self;
        let mut addresses = match way {
            Way::Addresses(addresses) => addresses,
            Way::Name => {
                let stream = by_name(stream, &proxy, &place, limit).await?;
                return Ok((stream, place));
            }
        };
        while let Some(address) = addresses.pop_front() {
            match upstream::ask(&mut stream, &proxy, &address.to_string(), Inside::Anything, limit).await {
                Ok(()) => return Ok((stream, place.behind_proxy(address))),
                Err(UpstreamFault::Destination) if !addresses.is_empty() => {
                    // What it says after a refusal is unknown; the next question gets its own connection.
                    stream = connect::first_of(&[place.peer()], limit).await.map_err(|_| UpstreamFault::Unreachable)?;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(UpstreamFault::Destination.into())
    }
}

/// A tunnel by name. What another exeat holds for an approval is asked for again while there is patience.
async fn by_name(
    mut stream: Stream,
    proxy: &UpstreamProxy,
    place: &Place,
    limit: Duration,
) -> Result<Stream, DialError> {
    let host = place.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let authority = format!("{host}:{}", place.port());
    let inside = if place.is_tls() { Inside::Anything } else { Inside::Http };
    let Some(Decides { patience, heard }) = proxy.decides() else {
        upstream::ask(&mut stream, proxy, &authority, inside, limit).await?;
        return Ok(stream);
    };
    let until = Instant::now() + *patience;
    loop {
        // It may hold the question itself while somebody decides.
        let limit = limit.max(HELD_MAX);
        let fault = match upstream::ask(&mut stream, proxy, &authority, inside, limit).await {
            Ok(()) => return Ok(stream),
            Err(fault) => fault,
        };
        let waits = matches!(&fault, UpstreamFault::Decided(decided) if decided.approval().is_some());
        if !waits || Instant::now() >= until {
            if let UpstreamFault::Decided(decided) = &fault {
                heard(place.host(), place.port(), decided);
            }
            return Err(fault.into());
        }
        sleep(AGAIN).await;
        stream = connect::first_of(&[place.peer()], limit).await.map_err(|_| UpstreamFault::Unreachable)?;
    }
}

/// Whether a permit is for exactly this place.
pub(super) fn is_for(permit: &Permit, place: &Place) -> bool {
    let target = permit.target();
    target.domain() == place.host() && target.port() == place.port() && (target.scheme() == "https") == place.is_tls()
}
