//! SOCKS version 5: the greeting (RFC 1928), user name and password (RFC 1929), the request.
//!
//! Only CONNECT is spoken. A domain name goes through the same rules as one in HTTP, so that a NUL or a
//! percent sign in it cannot mean another host to another reader.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{Authority, Fault, Host};

#[cfg(test)]
mod tests;

const VERSION: u8 = 5;
const PASSWORD_VERSION: u8 = 1;
const METHOD_NONE: u8 = 0x00;
const METHOD_PASSWORD: u8 = 0x02;
const METHOD_UNACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Why SOCKS bytes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SocksFault {
    /// SOCKS 4, which cannot say who asks.
    #[error("SOCKS 4 is refused; use SOCKS 5 with names resolved by the proxy (`socks5h`)")]
    Version4,
    /// Not SOCKS 5.
    #[error("not SOCKS 5")]
    Version,
    /// A greeting that offers nothing.
    #[error("no authentication method is offered")]
    NoMethods,
    /// Not the sub-negotiation of RFC 1929.
    #[error("not a user name and password of version 1")]
    PasswordVersion,
    /// BIND, UDP ASSOCIATE or unknown.
    #[error("only the command CONNECT is spoken")]
    Command,
    /// The reserved byte is not 0.
    #[error("the reserved byte of the request is not 0")]
    Reserved,
    /// Neither a name nor an IPv4 or IPv6 address.
    #[error("the address type is unknown")]
    AddressType,
    /// A name or port that HTTP would refuse as well.
    #[error(transparent)]
    Target(#[from] Fault),
}

impl SocksFault {
    /// The name of the rule, for programs: lower snake, never changed once published.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Version4 => "socks_version_4",
            Self::Version => "socks_version",
            Self::NoMethods => "socks_no_methods",
            Self::PasswordVersion => "socks_password_version",
            Self::Command => "socks_command",
            Self::Reserved => "socks_reserved",
            Self::AddressType => "socks_address_type",
            Self::Target(fault) => fault.code(),
        }
    }

    /// The bytes to answer with before closing; none where no answer is known to be understood.
    #[must_use]
    pub fn answer(self) -> Vec<u8> {
        match self {
            // 91 is the refusal of version 4: request rejected or failed.
            Self::Version4 => vec![0, 91, 0, 0, 0, 0, 0, 0],
            Self::Version => Vec::new(),
            Self::NoMethods => Choice::Unacceptable.answer().to_vec(),
            Self::PasswordVersion => password_answer(false).to_vec(),
            Self::Command => Reply::CommandUnsupported.answer(None),
            Self::AddressType => Reply::AddressTypeUnsupported.answer(None),
            Self::Reserved | Self::Target(_) => Reply::Failure.answer(None),
        }
    }
}

/// How a client may say who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// It need not.
    None,
    /// With user name and password.
    Password,
    /// In no way that it offered; the connection is closed after this answer.
    Unacceptable,
}

impl Choice {
    /// The answer to a greeting.
    #[must_use]
    pub fn answer(self) -> [u8; 2] {
        let method = match self {
            Self::None => METHOD_NONE,
            Self::Password => METHOD_PASSWORD,
            Self::Unacceptable => METHOD_UNACCEPTABLE,
        };
        [VERSION, method]
    }
}

/// The answer to user name and password.
#[must_use]
pub fn password_answer(accepted: bool) -> [u8; 2] {
    [PASSWORD_VERSION, u8::from(!accepted)]
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// 0x00
    Succeeded,
    /// 0x01
    Failure,
    /// 0x02: a policy or the destination guard says no.
    NotAllowed,
    /// 0x03
    NetworkUnreachable,
    /// 0x04
    HostUnreachable,
    /// 0x05
    ConnectionRefused,
    /// 0x06
    TtlExpired,
    /// 0x07
    CommandUnsupported,
    /// 0x08
    AddressTypeUnsupported,
}

impl Reply {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failure => 1,
            Self::NotAllowed => 2,
            Self::NetworkUnreachable => 3,
            Self::HostUnreachable => 4,
            Self::ConnectionRefused => 5,
            Self::TtlExpired => 6,
            Self::CommandUnsupported => 7,
            Self::AddressTypeUnsupported => 8,
        }
    }

    /// The whole answer; without a bound address it says 0.0.0.0:0, which every client takes.
    #[must_use]
    pub fn answer(self, bound: Option<SocketAddr>) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.code(), 0];
        match bound.map(|bound| bound.ip()) {
            None => bytes.extend([IPV4, 0, 0, 0, 0]),
            Some(IpAddr::V4(address)) => {
                bytes.push(IPV4);
                bytes.extend(address.octets());
            }
            Some(IpAddr::V6(address)) => {
                bytes.push(IPV6);
                bytes.extend(address.octets());
            }
        }
        bytes.extend(bound.map_or(0, |bound| bound.port()).to_be_bytes());
        bytes
    }
}

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// How it could say who it is. Answer with a [`Choice`] and tell [`SocksReader::choose`].
    Greeting(Offer),
    /// Who it is. Answer with [`password_answer`].
    Password(Credentials),
    /// Where it wants to go. Answer with a [`Reply`]; the rest of the buffer is already for the tunnel.
    Connect(Authority),
}

/// What a greeting offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// To say nothing.
    pub none: bool,
    /// User name and password.
    pub password: bool,
}

/// User name and password, either of them possibly empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// At most 255 bytes.
    pub username: Bytes,
    /// At most 255 bytes.
    pub password: Bytes,
}

/// Shows neither.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    /// The greeting was read; nothing is until somebody chose.
    Choosing,
    Password,
    Request,
    Done,
}

/// Reads what a client says, step by step.
#[derive(Debug, Clone)]
pub struct SocksReader {
    state: State,
}

impl SocksReader {
    /// A reader that stands at the greeting.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Greeting }
    }

    /// Takes one step off the front of `buffer`, or `None` when more is needed, or an answer to the greeting.
    ///
    /// Between two calls bytes may only be appended. No step is longer than 515 bytes.
    ///
    /// # Errors
    /// The rule that was broken, as soon as it is; nothing can be read after that.
    pub fn read(&mut self, buffer: &mut BytesMut) -> Result<Option<Step>, SocksFault> {
        let parsed = match self.state {
            State::Greeting => greeting(buffer)?,
            State::Password => password(buffer)?,
            State::Request => request(buffer)?,
            State::Choosing | State::Done => return Ok(None),
        };
        let Some((step, length)) = parsed else { return Ok(None) };
        let step = match step {
            Parsed::Greeting(offer) => {
                self.state = State::Choosing;
                Step::Greeting(offer)
            }
            Parsed::Password { username_length } => {
                self.state = State::Request;
                let mut raw = buffer.split_to(length).freeze();
                raw.advance(2);
                let username = raw.split_to(username_length);
                raw.advance(1);
                return Ok(Some(Step::Password(Credentials { username, password: raw })));
            }
            Parsed::Connect(authority) => {
                self.state = State::Done;
                Step::Connect(authority)
            }
        };
        buffer.advance(length);
        Ok(Some(step))
    }

    /// Goes on from the greeting with what was answered. Without effect at any other time.
    pub fn choose(&mut self, choice: Choice) {
        if self.state == State::Choosing {
            self.state = match choice {
                Choice::None => State::Request,
                Choice::Password => State::Password,
                Choice::Unacceptable => State::Done,
            };
        }
    }
}

impl Default for SocksReader {
    fn default() -> Self {
        Self::new()
    }
}

enum Parsed {
    Greeting(Offer),
    Password { username_length: usize },
    Connect(Authority),
}

type Parse = Result<Option<(Parsed, usize)>, SocksFault>;

fn check_version(version: u8) -> Result<(), SocksFault> {
    match version {
        VERSION => Ok(()),
        4 => Err(SocksFault::Version4),
        _ => Err(SocksFault::Version),
    }
}

fn greeting(bytes: &[u8]) -> Parse {
    if let Some(&version) = bytes.first() {
        check_version(version)?;
    }
    let Some(&count) = bytes.get(1) else { return Ok(None) };
    if count == 0 {
        return Err(SocksFault::NoMethods);
    }
    let length = 2 + usize::from(count);
    let Some(methods) = bytes.get(2..length) else { return Ok(None) };
    let offer = Offer { none: methods.contains(&METHOD_NONE), password: methods.contains(&METHOD_PASSWORD) };
    Ok(Some((Parsed::Greeting(offer), length)))
}

fn password(bytes: &[u8]) -> Parse {
    if bytes.first().is_some_and(|&version| version != PASSWORD_VERSION) {
        return Err(SocksFault::PasswordVersion);
    }
    let Some(username_length) = bytes.get(1).map(|&length| usize::from(length)) else { return Ok(None) };
    let Some(&password_length) = bytes.get(2 + username_length) else { return Ok(None) };
    let length = 3 + username_length + usize::from(password_length);
    Ok((bytes.len() >= length).then_some((Parsed::Password { username_length }, length)))
}

fn request(bytes: &[u8]) -> Parse {
    // Each rule as soon as its byte is there, so that the answer does not depend on how the bytes came.
    if let Some(&version) = bytes.first() {
        check_version(version)?;
    }
    if bytes.get(1).is_some_and(|&command| command != CONNECT) {
        return Err(SocksFault::Command);
    }
    if bytes.get(2).is_some_and(|&reserved| reserved != 0) {
        return Err(SocksFault::Reserved);
    }
    let (host, port) = match bytes.get(3..).unwrap_or_default() {
        [] | [NAME] => return Ok(None),
        [IPV4, rest @ ..] => match rest.split_first_chunk::<4>() {
            Some((octets, port)) => (Host::V4(Ipv4Addr::from(*octets)), port),
            None => return Ok(None),
        },
        [IPV6, rest @ ..] => match rest.split_first_chunk::<16>() {
            Some((octets, port)) => (Host::from(IpAddr::V6(Ipv6Addr::from(*octets))), port),
            None => return Ok(None),
        },
        [NAME, length, rest @ ..] => match rest.split_at_checked(usize::from(*length)) {
            Some((name, port)) => (name_host(name)?, port),
            None => return Ok(None),
        },
        _ => return Err(SocksFault::AddressType),
    };
    let Some((port, after)) = port.split_first_chunk::<2>() else { return Ok(None) };
    let authority = Authority::new(host, u16::from_be_bytes(*port))?;
    Ok(Some((Parsed::Connect(authority), bytes.len() - after.len())))
}

/// A name has no brackets here: an IPv6 address has its own type.
fn name_host(name: &[u8]) -> Result<Host, Fault> {
    if name.contains(&b'[') || name.contains(&b':') { Err(Fault::HostCharacter) } else { Host::of_bytes(name) }
}
