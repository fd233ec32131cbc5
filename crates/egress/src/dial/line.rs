//! A connection that may be written to, and what its execution is recorded with.

use std::net::SocketAddr;

use gate::Permit;
use tokio::net::TcpStream;

use crate::resolve::Source;

/// The connection itself; also through a corporate proxy, whose answer has been read to its very end.
pub type Stream = TcpStream;

/// Who vetted the address that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressVetting {
    /// We resolved and vetted it.
    Own,
    /// A corporate proxy resolved the name; what it led to is not known here.
    Delegated,
}

impl AddressVetting {
    /// The text in the event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Delegated => "delegated",
        }
    }
}

/// A permit that has been used. It still tells what it was for, and opens nothing again.
#[derive(Debug)]
pub struct Spent(Permit);

impl Spent {
    pub(crate) fn new(permit: Permit) -> Self {
        Self(permit)
    }

    /// What it was for.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.0
    }
}

/// The facts of one execution that the outcome is recorded with.
#[derive(Debug)]
pub struct Crossing {
    /// The permit it was made with.
    pub spent: Spent,
    /// The other end: the address that was dialed, a corporate proxy's when there is one in the way.
    pub peer: SocketAddr,
    /// Who vetted the destination's address.
    pub vetting: AddressVetting,
    pub(crate) source: Source,
}

/// An open connection and the permit it was entered with.
#[derive(Debug)]
#[must_use = "dropping it closes the connection; the outcome still has to be recorded"]
pub struct Line {
    pub(crate) stream: Stream,
    pub(crate) crossing: Crossing,
}

impl Line {
    /// The facts of this execution.
    #[must_use]
    pub fn crossing(&self) -> &Crossing {
        &self.crossing
    }

    /// The connection, and the facts that are needed at its end.
    #[must_use]
    pub fn into_parts(self) -> (Stream, Crossing) {
        (self.stream, self.crossing)
    }
}
