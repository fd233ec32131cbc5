//! The request target in its four forms (RFC 9112, section 3.2).

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Mode, name};
use crate::{Authority, Fault};

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// What a request asks for, in the form it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestTarget {
    /// `http://host:port/path`: a plain request through the proxy.
    Absolute {
        /// Host and port of the target; the Host field counts for nothing.
        authority: Authority,
        /// As sent on: begins with `/`, or is `*`. A part of the head's bytes.
        path_and_query: Bytes,
    },
    /// `host:port` of CONNECT.
    Authority(Authority),
    /// `/path`, inside a tunnel.
    Origin {
        /// Host and port of the Host field.
        authority: Authority,
        /// As sent on: begins with `/`. A part of the head's bytes.
        path_and_query: Bytes,
    },
    /// `*` of OPTIONS, inside a tunnel.
    Asterisk {
        /// Host and port of the Host field.
        authority: Authority,
    },
}

impl RequestTarget {
    /// The host and port asked for.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        match self {
            Self::Absolute { authority, .. }
            | Self::Authority(authority)
            | Self::Origin { authority, .. }
            | Self::Asterisk { authority } => authority,
        }
    }

    pub(super) fn path_and_query(&self) -> &str {
        match self {
            Self::Absolute { path_and_query, .. } | Self::Origin { path_and_query, .. } => {
                std::str::from_utf8(path_and_query).unwrap_or_default()
            }
            Self::Authority(_) => "",
            Self::Asterisk { .. } => "*",
        }
    }

    pub(super) fn url(&self) -> String {
        let path = self.path_and_query();
        let (scheme, default_port, path) = match self {
            Self::Authority(_) => ("https", HTTPS_PORT, "/"),
            _ if path == "*" => ("http", HTTP_PORT, "/"),
            _ => ("http", HTTP_PORT, path),
        };
        format!("{scheme}://{}{path}", self.authority().host_field(default_port))
    }

    /// Reads `target`, a part of `raw`.
    pub(super) fn read(
        raw: &Bytes,
        mode: Mode,
        method: &[u8],
        target: &[u8],
        host: Option<&[u8]>,
    ) -> Result<Self, Fault> {
        match (mode, method) {
            (Mode::Proxy, b"CONNECT") if target.windows(3).any(|mark| mark == b"://") => Err(Fault::TargetForm),
            (Mode::Proxy, b"CONNECT") => {
                let authority = Authority::of_connect(target)?;
                check_host_field(host, target)?;
                Ok(Self::Authority(authority))
            }
            (Mode::Origin, b"CONNECT") => Err(Fault::ConnectRefused),
            (Mode::Proxy, _) => match target {
                [b'/', ..] | b"*" => Err(Fault::OriginForm),
                _ => absolute(raw, method, target, host),
            },
            (Mode::Origin, _) => {
                let authority = || {
                    let host = host.ok_or(Fault::HostFieldMissing)?;
                    Authority::of_host_field(host, HTTP_PORT).map_err(|_| Fault::HostFieldInvalid)
                };
                match target {
                    [b'/', ..] if name::is_target(target) => {
                        Ok(Self::Origin { authority: authority()?, path_and_query: raw.slice_ref(target) })
                    }
                    [b'/', ..] => Err(Fault::TargetCharacter),
                    b"*" if method == b"OPTIONS" => Ok(Self::Asterisk { authority: authority()? }),
                    _ => {
                        let absolute = absolute(raw, method, target, host)?;
                        let agrees = *absolute.authority() == authority()?;
                        if agrees { Ok(absolute) } else { Err(Fault::HostFieldDiffers) }
                    }
                }
            }
        }
    }
}

fn absolute(raw: &Bytes, method: &[u8], target: &[u8], host: Option<&[u8]>) -> Result<RequestTarget, Fault> {
    let colon = target.iter().position(|&b| b == b':').ok_or(Fault::TargetForm)?;
    let (scheme, rest) = target.split_at_checked(colon).ok_or(Fault::TargetForm)?;
    // Only with the slashes is it a scheme: `host:80` is not.
    let rest = rest.strip_prefix(b"://").ok_or(Fault::TargetForm)?;
    if !scheme.eq_ignore_ascii_case(b"http") {
        return Err(match scheme {
            _ if scheme.eq_ignore_ascii_case(b"https") => Fault::HttpsAbsolute,
            [first, ..] if first.is_ascii_alphabetic() && scheme.iter().all(|&b| is_scheme_byte(b)) => Fault::Scheme,
            _ => Fault::TargetForm,
        });
    }
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (written, path) = rest.split_at_checked(end).ok_or(Fault::TargetForm)?;
    let authority = Authority::of_host_field(written, HTTP_PORT)?;
    check_host_field(host, written)?;
    if !name::is_target(path) {
        return Err(Fault::TargetCharacter);
    }
    let path_and_query = match path {
        [b'/', ..] => raw.slice_ref(path),
        [] if method == b"OPTIONS" => Bytes::from_static(b"*"),
        [] => Bytes::from_static(b"/"),
        query => {
            let mut path = BytesMut::with_capacity(query.len() + 1);
            path.put_u8(b'/');
            path.put_slice(query);
            path.freeze()
        }
    };
    Ok(RequestTarget::Absolute { authority, path_and_query })
}

fn is_scheme_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')
}

/// Refuses a Host field that cannot be read, although the target decides. `read` was read already.
fn check_host_field(host: Option<&[u8]>, read: &[u8]) -> Result<(), Fault> {
    match host {
        Some(host) if host != read => {
            Authority::of_host_field(host, HTTP_PORT).map(drop).map_err(|_| Fault::HostFieldInvalid)
        }
        _ => Ok(()),
    }
}
