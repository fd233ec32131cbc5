//! What is looked at while a tunnel carries TLS: a second hello, which a server may ask for and which must
//! name the same host; or, in shadow, the first one, for the record only.

use bytes::Bytes;
use gate::ServerName;
use wire::hello::{HelloReader, Status, TlsWatch, Verdict};

use super::{compare, fits};

/// One tunnel's watch.
pub(super) enum Watch {
    /// A second hello that must fit.
    Bound { host: Box<str>, tls: Box<TlsWatch>, held: Vec<u8> },
    /// A first hello to be noted.
    Noting { host: Box<str>, reader: Box<HelloReader> },
    /// It has been noted.
    Noted(ServerName),
    /// Nothing more can come.
    Done,
}

/// What to do with bytes of the client.
pub(super) enum Pass {
    /// Send these on.
    These,
    /// Send what was held on, these included.
    Held(Bytes),
    /// Keep them.
    None,
    /// End the tunnel.
    Cut(&'static str),
}

impl Watch {
    /// Behind a hello that fits.
    pub(super) fn bound(host: Box<str>) -> Self {
        Self::Bound { host, tls: Box::default(), held: Vec::new() }
    }

    /// Before a hello of which only a note is taken.
    pub(super) fn noting(host: Box<str>) -> Self {
        Self::Noting { host, reader: Box::default() }
    }

    /// What the first hello said, where that was only noted.
    pub(super) fn noted(&self) -> Option<ServerName> {
        match self {
            Self::Noted(found) => Some(*found),
            _ => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done | Self::Noted(_))
    }

    /// Looks at bytes of the client.
    pub(super) fn client(&mut self, bytes: &[u8]) -> Pass {
        match self {
            Self::Noting { host, reader } => {
                match reader.push(bytes) {
                    Ok(Status::NeedMore) => {}
                    Ok(Status::Hello { hello, .. }) => *self = Self::Noted(compare(host, &hello)),
                    Err(_) => *self = Self::Done,
                }
                Pass::These
            }
            Self::Bound { host, tls, held } => match tls.client(bytes) {
                Err(_) => Pass::Cut("not_tls"),
                Ok(Verdict::Hold) => {
                    held.extend_from_slice(bytes);
                    Pass::None
                }
                Ok(Verdict::Hello(hello)) if !fits(host, compare(host, &hello)) => Pass::Cut("sni_mismatch"),
                Ok(Verdict::Relay) if held.is_empty() => Pass::These,
                Ok(Verdict::Relay) => {
                    held.extend_from_slice(bytes);
                    Pass::Held(std::mem::take(held).into())
                }
                Ok(Verdict::Done | Verdict::Hello(_)) => {
                    held.extend_from_slice(bytes);
                    let held = std::mem::take(held).into();
                    *self = Self::Done;
                    Pass::Held(held)
                }
            },
            Self::Noted(_) | Self::Done => Pass::These,
        }
    }

    /// Looks at bytes of the server, which always pass.
    pub(super) fn server(&mut self, bytes: &[u8]) {
        if let Self::Bound { tls, held, .. } = self
            && tls.server(bytes) == Verdict::Done
            && held.is_empty()
        {
            *self = Self::Done;
        }
    }
}
