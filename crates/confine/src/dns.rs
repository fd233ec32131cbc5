//! The nameserver of a call: every name has an address here, and nothing is resolved.
//!
//! An address from a private range stands for the name; what the name really leads to is found out once policy
//! has let it pass, by the gate. So no query ever leaves, and a name that carries data carries it nowhere but
//! into an ask. Version 6 and HTTPS records are answered with nothing, so that clients come by version 4 and
//! without keys for a hidden name.
//!
//! Pure: bytes in, bytes and what was seen out.

mod message;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use guard::attempt::{Attempt, Destination, Seen};
use model::target::normalise_host;

use crate::names::NameTable;
use message::{Code, Question, Read};

pub(crate) use message::ANSWER_BYTES_MAX;

/// LIMIT: a name in bytes; longer ones are taken for data.
const NAME_BYTES_MAX: usize = 128;
/// LIMIT: a label in bytes; longer ones are taken for data.
const LABEL_BYTES_MAX: usize = 40;
/// LIMIT: labels of a name; more are taken for data.
const LABELS_MAX: usize = 8;
/// The class of the Internet, and that of any.
const CLASSES: [u16; 2] = [1, 255];

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// The nameserver of a call.
#[derive(Debug)]
pub(crate) struct Nameserver {
    host_name: String,
    /// Addresses besides loopback that a query may be sent to: what the machine is set up with, where that
    /// cannot be hidden.
    also: Vec<IpAddr>,
    flooded: AtomicBool,
}

/// What becomes of a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The answer; nothing for what is no query.
    pub(crate) answer: Option<Vec<u8>>,
    /// What was seen in it.
    pub(crate) seen: Vec<Seen>,
}

/// What a question is answered with.
enum Said {
    /// This address.
    Address(IpAddr),
    /// The name is there, without what was asked of it.
    Nothing,
    Code(Code),
    /// Not answered, and told of.
    Refused(Seen),
    Flood,
}

impl Nameserver {
    /// The nameserver of a call on a machine of this name, that may also be asked at these addresses.
    pub(crate) fn new(host_name: &str, also: Vec<IpAddr>) -> Self {
        Self { host_name: host_name.to_ascii_lowercase(), also, flooded: AtomicBool::new(false) }
    }

    /// Answers what was sent `to` an address.
    pub(crate) fn reply(&self, names: &NameTable, message: &[u8], to: IpAddr, by: Transport) -> Reply {
        let mut seen: Vec<Seen> = self.strange(to, by).into_iter().collect();
        let answer = match message::read(message) {
            Read::Nothing => None,
            Read::Bad(query, code) => Some(query.answer(code, None)),
            Read::Question(query, question) => Some(match self.said(names, &question) {
                Said::Address(address) => query.answer(Code::NoError, Some(address)),
                Said::Nothing => query.answer(Code::NoError, None),
                Said::Code(code) => query.answer(code, None),
                Said::Refused(what) => {
                    seen.push(what);
                    query.answer(Code::Refused, None)
                }
                Said::Flood => {
                    if !self.flooded.swap(true, Ordering::Relaxed) {
                        seen.push(Seen::violation(resolve("dns_flood")));
                    }
                    query.answer(Code::ServFail, None)
                }
            }),
        };
        Reply { answer, seen }
    }

    /// What it means that a query was sent to that address.
    fn strange(&self, to: IpAddr, by: Transport) -> Option<Seen> {
        let to = to.to_canonical();
        if to.is_loopback() || to.is_unspecified() || self.also.contains(&to) {
            return None;
        }
        let protocol = if by == Transport::Udp { "udp" } else { "tcp" };
        Some(Seen::violation(Attempt::towards("send", protocol, to, 53)).at(format!("{to}:53").into_bytes()))
    }

    fn said(&self, names: &NameTable, question: &Question) -> Said {
        if !CLASSES.contains(&question.class) {
            return Said::Refused(Seen::notice(resolve("resolve_class")));
        }
        let reverse = is_reverse(&question.labels);
        if !reverse && is_shaped_like_data(&question.labels) {
            return Said::Refused(Seen::violation(resolve("resolve_tunnel_shaped")));
        }
        let family = match question.kind {
            1 => Family::V4,
            28 => Family::V6,
            65 => Family::Neither,
            kind => return Said::Refused(other(kind)),
        };
        if question.labels.is_empty() || reverse {
            return Said::Nothing;
        }
        let Ok(text) = String::from_utf8(question.labels.join(&b'.')) else { return Said::Code(Code::NxDomain) };
        if text == "localhost" || text.ends_with(".localhost") || text == self.host_name {
            return match family {
                Family::V4 => Said::Address(Ipv4Addr::LOCALHOST.into()),
                Family::V6 => Said::Address(Ipv6Addr::LOCALHOST.into()),
                Family::Neither => Said::Nothing,
            };
        }
        // What is no name of a host has no address: a number is not looked up, and `-` alone is nobody's.
        match normalise_host(&text) {
            Ok(name) if name.parse::<IpAddr>().is_err() && name == text => match (family, names.give(&name)) {
                (Family::V4, Some(address)) => Said::Address(address.into()),
                (Family::V6 | Family::Neither, Some(_)) => Said::Nothing,
                (_, None) => Said::Flood,
            },
            Ok(_) | Err(_) => Said::Code(Code::NxDomain),
        }
    }
}

enum Family {
    V4,
    V6,
    Neither,
}

/// Something asked of a nameserver.
const fn resolve(op: &'static str) -> Attempt {
    Attempt { op, family: "none", protocol: "dns", destination: Destination::Name, port: Some(53) }
}

/// A question for something other than addresses. What programs ask in good faith is a notice; what only
/// somebody who has data to carry asks is a violation.
fn other(kind: u16) -> Seen {
    match kind {
        2 => Seen::notice(resolve("resolve_ns")),
        5 => Seen::notice(resolve("resolve_cname")),
        6 => Seen::notice(resolve("resolve_soa")),
        12 => Seen::notice(resolve("resolve_ptr")),
        15 => Seen::notice(resolve("resolve_mx")),
        33 => Seen::notice(resolve("resolve_srv")),
        35 => Seen::notice(resolve("resolve_naptr")),
        43 => Seen::notice(resolve("resolve_ds")),
        48 => Seen::notice(resolve("resolve_dnskey")),
        64 => Seen::notice(resolve("resolve_svcb")),
        257 => Seen::notice(resolve("resolve_caa")),
        10 => Seen::violation(resolve("resolve_null")),
        16 => Seen::violation(resolve("resolve_txt")),
        251 => Seen::violation(resolve("resolve_ixfr")),
        252 => Seen::violation(resolve("resolve_axfr")),
        255 => Seen::violation(resolve("resolve_any")),
        _ => Seen::violation(resolve("resolve_other")),
    }
}

/// Whether a name is an address turned round, whose many labels are nobody's data.
fn is_reverse(labels: &[Vec<u8>]) -> bool {
    let Some((tail, digits)) =
        labels.len().checked_sub(2).and_then(|at| labels.split_at_checked(at)).map(|(a, b)| (b, a))
    else {
        return false;
    };
    match tail {
        [zone, arpa] if arpa == b"arpa" && zone == b"ip6" => {
            digits.len() <= 32 && digits.iter().all(|label| matches!(label.as_slice(), [b] if b.is_ascii_hexdigit()))
        }
        [zone, arpa] if arpa == b"arpa" && zone == b"in-addr" => {
            let is_byte = |label: &Vec<u8>| std::str::from_utf8(label).is_ok_and(|text| text.parse::<u8>().is_ok());
            digits.len() <= 4 && digits.iter().all(is_byte)
        }
        _ => false,
    }
}

/// Whether a name looks as if it were there to carry something: long, deep, or of bytes that no name has.
fn is_shaped_like_data(labels: &[Vec<u8>]) -> bool {
    let length: usize = labels.iter().map(|label| label.len() + 1).sum();
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    length > NAME_BYTES_MAX + 1
        || labels.len() > LABELS_MAX
        || labels.iter().any(|label| label.len() > LABEL_BYTES_MAX || !label.iter().all(is_plain))
}
