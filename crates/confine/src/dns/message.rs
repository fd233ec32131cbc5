//! The wire format of DNS (RFC 1035, RFC 6891), as much of it as one question and its answer need.

use std::net::IpAddr;

/// LIMIT: an answer in bytes, whatever a client says it would take.
pub(crate) const ANSWER_BYTES_MAX: usize = 512;
const HEADER_BYTES: usize = 12;
const NAME_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: u8 = 63;
/// How long an answer may be kept, in seconds. The address stays what it is for as long as the call lasts.
const TTL_S: u32 = 60;
const OPT: u16 = 41;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
}

/// What can be answered, well formed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    id: [u8; 2],
    /// The operation and whether recursion is desired, where the answer repeats them.
    flags: u8,
    /// The question as it came, which the answer repeats; empty when it cannot be read.
    question: &'a [u8],
    /// Whether the client knows EDNS, and the flags it gave.
    edns: Option<u16>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Lower-case labels, outermost last.
    pub(crate) labels: Vec<Vec<u8>>,
    pub(crate) kind: u16,
    pub(crate) class: u16,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    /// Nothing that an answer could be written to.
    Nothing,
    /// A query that is not one question in plain form.
    Bad(Query<'a>, Code),
    /// A question.
    Question(Query<'a>, Question),
}

/// Reads a message.
pub(crate) fn read(message: &[u8]) -> Read<'_> {
    let Some((header, rest)) = message.split_first_chunk::<HEADER_BYTES>() else { return Read::Nothing };
    let &[id_high, id_low, flags, _, q_high, q_low, a_high, a_low, n_high, n_low, more_high, more_low] = header;
    if flags & 0x80 != 0 {
        return Read::Nothing;
    }
    let mut query = Query { id: [id_high, id_low], flags: flags & 0x79, question: &[], edns: None };
    if flags & 0x78 != 0 {
        return Read::Bad(query, Code::NotImp);
    }
    if [q_high, q_low] != [0, 1] || [a_high, a_low, n_high, n_low] != [0; 4] {
        return Read::Bad(query, Code::FormErr);
    }
    let Some((question, length)) = question(rest) else { return Read::Bad(query, Code::FormErr) };
    let (asked, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
    query.question = asked;
    match edns(rest, u16::from_be_bytes([more_high, more_low])) {
        None => Read::Bad(query, Code::FormErr),
        Some(None) => Read::Question(query, question),
        Some(Some((version, flags))) => {
            query.edns = Some(flags);
            if version == 0 { Read::Question(query, question) } else { Read::Bad(query, Code::BadVers) }
        }
    }
}

/// The question at the beginning of `bytes`, and its length.
fn question(bytes: &[u8]) -> Option<(Question, usize)> {
    let mut labels = Vec::new();
    let mut rest = bytes;
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            rest = after;
            break;
        }
        // A pointer has nowhere to point to yet.
        if length > LABEL_BYTES_MAX {
            return None;
        }
        let (label, after) = after.split_at_checked(usize::from(length))?;
        labels.push(label.to_ascii_lowercase());
        rest = after;
        if bytes.len() - rest.len() >= NAME_BYTES_MAX {
            return None;
        }
    }
    let (&[kind_high, kind_low, class_high, class_low], rest) = rest.split_first_chunk::<4>()?;
    let kind = u16::from_be_bytes([kind_high, kind_low]);
    let class = u16::from_be_bytes([class_high, class_low]);
    Some((Question { labels, kind, class }, bytes.len() - rest.len()))
}

/// The version and flags of EDNS among `count` records after the question; the outer `None` when they cannot be
/// read. Nothing but EDNS may be there; what follows the last record is ignored, as everybody does.
fn edns(mut bytes: &[u8], count: u16) -> Option<Option<(u8, u16)>> {
    let mut found = None;
    for _ in 0..count {
        let (&[root, kind_high, kind_low, _, _, _, version, flags_high, flags_low, high, low], rest) =
            bytes.split_first_chunk::<11>()?;
        let kind = u16::from_be_bytes([kind_high, kind_low]);
        if root != 0 || kind != OPT || found.is_some() {
            return None;
        }
        let (_, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        found = Some((version, u16::from_be_bytes([flags_high, flags_low])));
        bytes = rest;
    }
    Some(found)
}

impl Query<'_> {
    /// An answer: a code, and an address where there is one.
    pub(crate) fn answer(&self, code: Code, address: Option<IpAddr>) -> Vec<u8> {
        let code = code as u16;
        let mut out = Vec::with_capacity(HEADER_BYTES + self.question.len() + 40);
        out.extend(self.id);
        out.push(0x80 | self.flags);
        // Recursion is available: names are resolved, if not here.
        out.push(0x80 | code.to_be_bytes()[1] & 0x0f);
        let counts =
            [u16::from(!self.question.is_empty()), u16::from(address.is_some()), 0, u16::from(self.edns.is_some())];
        out.extend(counts.into_iter().flat_map(u16::to_be_bytes));
        out.extend(self.question);
        if let Some(address) = address {
            // The name is that of the question.
            out.extend([0xc0, 12, 0]);
            out.push(if address.is_ipv4() { 1 } else { 28 });
            out.extend([0, 1]);
            out.extend(TTL_S.to_be_bytes());
            match address {
                IpAddr::V4(address) => {
                    out.extend([0, 4]);
                    out.extend(address.octets());
                }
                IpAddr::V6(address) => {
                    out.extend([0, 16]);
                    out.extend(address.octets());
                }
            }
        }
        if let Some(flags) = self.edns {
            out.extend([0, 0, 41, 2, 0]);
            // What does not fit the header's four bits of the code; version 0.
            out.extend([(code >> 4).to_be_bytes()[1], 0]);
            out.extend((flags & 0x8000).to_be_bytes());
            out.extend([0, 0]);
        }
        out
    }
}
