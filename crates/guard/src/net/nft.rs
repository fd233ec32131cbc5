//! The rules: what is captured, what is dropped, what is told. All of them in one transaction.
//!
//! Made by hand, so that nothing has to be installed: a rule is a list of [`Expression`]s over one register.

use std::io;

use super::layer;
use super::netlink::{APPEND, Attributes, CREATE, Message, Netlink, Refused};
use super::nflog::{CLOSED, DROPPED, SNAP_BYTES};
use crate::plan::{CAPTURE_PORT, PACKET_GROUP};
use crate::{LaunchError, Layer, weaken};

const TABLE: &str = "exeat";
/// Both IPv4 and IPv6.
const INET: u8 = 1;
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = NEW_TABLE | 3;
const NEW_RULE: u16 = NEW_TABLE | 6;
/// An element of a list.
const ELEMENT: u16 = 1;
/// The register everything is loaded to; the verdict has its own.
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;

/// LIMIT: refusals of closed ports that are told in a second. A program that waits for its own server may ask a
/// thousand times; it must not fill the log, in which what counts would then be missing.
const CLOSED_PER_SECOND: u32 = 200;

const IPV4: &[u8] = &[2];
const IPV6: &[u8] = &[10];
const TCP: &[u8] = &[6];
const UDP: &[u8] = &[17];
const DNS: &[u8] = &[0, 53];
const LOOPBACK_V6: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const RESET: &[u8] = &[0x04];

/// A place that packets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// Before it is decided who gets it: everything, since everything comes home.
    Arriving,
    /// On leaving a program.
    Leaving,
}

impl Chain {
    const fn name(self) -> &'static str {
        match self {
            Self::Arriving => "arriving",
            Self::Leaving => "leaving",
        }
    }

    /// The hook, the place in it, and what happens to what no rule decided.
    fn message(self) -> Message {
        let (hook, priority, policy) = match self {
            Self::Arriving => (0, -150_i32, Verdict::Accept),
            Self::Leaving if weaken::asked("skip_packet_log_drop") => (3, 0, Verdict::Accept),
            Self::Leaving => (3, 0, Verdict::Drop),
        };
        let place = Attributes::default().big_endian_32(1, hook).big_endian_32(2, priority.cast_unsigned());
        let attributes = Attributes::default()
            .text(1, TABLE)
            .text(3, self.name())
            .nest(4, &place)
            .big_endian_32(5, policy.code())
            .text(7, "filter");
        message(NEW_CHAIN, CREATE, &attributes)
    }
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Drop,
    Accept,
}

impl Verdict {
    const fn code(self) -> u32 {
        match self {
            Self::Drop => 0,
            Self::Accept => 1,
        }
    }
}

/// A part of a packet that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// The version of IP, as a protocol family.
    Family,
    Protocol,
    DestinationV4FirstByte,
    DestinationV6,
    SourcePort,
    DestinationPort,
    Sequence,
    TcpFlags,
}

/// A step of a rule; a comparison that fails ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expression {
    Load(Field),
    Mask(&'static [u8]),
    Is(&'static [u8]),
    Set(u16),
    /// To the listener on the port in the register, wherever it was going.
    Capture,
    /// So many in a second; what is above ends the rule.
    Limit(u32),
    Log(&'static str),
    End(Verdict),
}

/// A rule, and the layer that cannot hold without it.
#[derive(Debug, Clone)]
struct Rule {
    chain: Chain,
    layer: Layer,
    steps: Vec<Expression>,
}

/// Which rules are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    All,
    /// Only those that every nf_tables takes, and so on: to find out what this kernel has.
    Plain,
    Capturing,
    Telling,
}

impl Rules {
    const fn include(self, layer: Layer) -> bool {
        match self {
            Self::All => true,
            Self::Plain => matches!(layer, Layer::NfTables),
            Self::Capturing => matches!(layer, Layer::TransparentProxy),
            Self::Telling => matches!(layer, Layer::PacketLog),
        }
    }
}

/// The rules in their order.
fn rules() -> Vec<Rule> {
    use Chain::{Arriving, Leaving};
    use Expression::{Capture, End, Is, Limit, Load, Log, Mask, Set};
    use Field::{
        DestinationPort, DestinationV4FirstByte, DestinationV6, Family, Protocol, Sequence, SourcePort, TcpFlags,
    };
    let accept = End(Verdict::Accept);
    let rule = |chain, layer, steps: &[Expression]| Rule { chain, layer, steps: steps.to_vec() };
    let mut rules = vec![
        // The kernel's own refusal of a connection to a closed port: nobody else can send one with this number.
        rule(
            Leaving,
            Layer::PacketLog,
            &[
                Load(Protocol),
                Is(TCP),
                Load(Sequence),
                Is(&[0; 4]),
                Load(TcpFlags),
                Mask(RESET),
                Is(RESET),
                Limit(CLOSED_PER_SECOND),
                Log(CLOSED),
                accept,
            ],
        ),
    ];
    for chain in [Arriving, Leaving] {
        rules.push(rule(
            chain,
            Layer::NfTables,
            &[Load(Family), Is(IPV4), Load(DestinationV4FirstByte), Is(&[127]), accept],
        ));
        rules.push(rule(
            chain,
            Layer::NfTables,
            &[Load(Family), Is(IPV6), Load(DestinationV6), Is(LOOPBACK_V6), accept],
        ));
        // The nameserver listens on every IPv4 address. One asked by IPv6 is not ours, and the rules below tell.
        for protocol in [UDP, TCP] {
            rules.push(rule(
                chain,
                Layer::NfTables,
                &[Load(Family), Is(IPV4), Load(Protocol), Is(protocol), Load(DestinationPort), Is(DNS), accept],
            ));
        }
    }
    rules.extend([
        // Its answers. A program cannot send from this port: it needs a capability, and has none.
        rule(
            Leaving,
            Layer::NfTables,
            &[Load(Family), Is(IPV4), Load(Protocol), Is(UDP), Load(SourcePort), Is(DNS), accept],
        ),
        rule(Arriving, Layer::TransparentProxy, &[Load(Protocol), Is(TCP), Set(CAPTURE_PORT), Capture, accept]),
        rule(Leaving, Layer::NfTables, &[Load(Protocol), Is(TCP), accept]),
    ]);
    if !weaken::asked("skip_packet_log_drop") {
        rules.push(rule(Leaving, Layer::PacketLog, &[Log(DROPPED), End(Verdict::Drop)]));
    }
    rules
}

/// Puts the rules in place, all or none.
pub(super) fn install(wanted: Rules) -> Result<(), LaunchError> {
    let mut rules = rules();
    rules.retain(|rule| wanted.include(rule.layer));
    match commit(&rules) {
        Err(refused) if refused.is_for_lack_of_a_limit() => {
            // It only keeps what is not told of from being told of too often.
            for rule in &mut rules {
                rule.steps.retain(|step| !matches!(step, Expression::Limit(_)));
            }
            commit(&rules)
        }
        done => done,
    }
    .map_err(|Uncommitted { rule, error }| {
        layer(rule.map_or(Layer::NfTables, |rule| rule.layer), "put the rules in place", error)
    })
}

/// The rule that was refused, where it was one, and what the kernel said.
#[derive(Debug)]
struct Uncommitted {
    rule: Option<Rule>,
    error: io::Error,
}

impl Uncommitted {
    fn is_for_lack_of_a_limit(&self) -> bool {
        let limited = |rule: &Rule| rule.steps.iter().any(|step| matches!(step, Expression::Limit(_)));
        self.rule.as_ref().is_some_and(limited) && self.error.raw_os_error() == Some(libc::ENOENT)
    }
}

fn commit(rules: &[Rule]) -> Result<(), Uncommitted> {
    let mut messages = vec![
        batch(BATCH_BEGIN),
        message(NEW_TABLE, CREATE, &Attributes::default().text(1, TABLE)),
        Chain::Arriving.message(),
        Chain::Leaving.message(),
    ];
    let before = messages.len();
    // The last is acknowledged when all is done; refusals come by themselves.
    messages.extend(rules.iter().map(Rule::message));
    if let Some(last) = messages.pop() {
        messages.push(last.acknowledged());
    }
    messages.push(batch(BATCH_END));
    let netfilter = Netlink::open(libc::NETLINK_NETFILTER).map_err(|error| Uncommitted { rule: None, error })?;
    netfilter.transact(&messages).map_err(|Refused { at, error }| {
        let rule = at.and_then(|at| rules.get(at.checked_sub(before)?)).cloned();
        Uncommitted { rule, error }
    })
}

impl Rule {
    fn message(&self) -> Message {
        let steps = self.steps.iter().fold(Attributes::default(), |list, step| list.nest(ELEMENT, &step.attributes()));
        let attributes = Attributes::default().text(1, TABLE).text(2, self.chain.name()).nest(4, &steps);
        message(NEW_RULE, CREATE | APPEND, &attributes)
    }
}

impl Expression {
    fn attributes(self) -> Attributes {
        let none = Attributes::default;
        let value = |bytes: &[u8]| none().bytes(1, bytes);
        let (name, data) = match self {
            Self::Load(field) => field.load(),
            Self::Mask(mask) => (
                "bitwise",
                none()
                    .big_endian_32(1, REGISTER)
                    .big_endian_32(2, REGISTER)
                    .big_endian_32(3, u32::try_from(mask.len()).unwrap_or_default())
                    .nest(4, &value(mask))
                    .nest(5, &value(&vec![0; mask.len()])),
            ),
            Self::Is(wanted) => {
                let equal = 0;
                ("cmp", none().big_endian_32(1, REGISTER).big_endian_32(2, equal).nest(3, &value(wanted)))
            }
            Self::Set(port) => ("immediate", none().big_endian_32(1, REGISTER).nest(2, &value(&port.to_be_bytes()))),
            Self::Capture => {
                let any_family = 0;
                ("tproxy", none().big_endian_32(1, any_family).big_endian_32(3, REGISTER))
            }
            Self::Limit(rate) => {
                let (seconds, packets) = (1, 0);
                let rate_and_unit = none().big_endian_64(1, rate.into()).big_endian_64(2, seconds);
                ("limit", rate_and_unit.big_endian_32(3, rate / 2).big_endian_32(4, packets))
            }
            Self::Log(prefix) => (
                "log",
                none().big_endian_16(1, PACKET_GROUP).text(2, prefix).big_endian_32(3, SNAP_BYTES).big_endian_16(4, 1),
            ),
            Self::End(verdict) => {
                let code = none().big_endian_32(1, verdict.code());
                ("immediate", none().big_endian_32(1, VERDICT_REGISTER).nest(2, &none().nest(2, &code)))
            }
        };
        none().text(1, name).nest(2, &data)
    }
}

impl Field {
    fn load(self) -> (&'static str, Attributes) {
        let meta = |key| ("meta", Attributes::default().big_endian_32(2, key).big_endian_32(1, REGISTER));
        let (network, transport) = (1, 2);
        let payload = |base, offset, length| {
            let place = Attributes::default().big_endian_32(1, REGISTER).big_endian_32(2, base);
            ("payload", place.big_endian_32(3, offset).big_endian_32(4, length))
        };
        match self {
            Self::Family => meta(15),
            Self::Protocol => meta(16),
            Self::DestinationV4FirstByte => payload(network, 16, 1),
            Self::DestinationV6 => payload(network, 24, 16),
            Self::SourcePort => payload(transport, 0, 2),
            Self::DestinationPort => payload(transport, 2, 2),
            Self::Sequence => payload(transport, 4, 4),
            Self::TcpFlags => payload(transport, 13, 1),
        }
    }
}

fn message(kind: u16, flags: u16, attributes: &Attributes) -> Message {
    Message::new(kind, flags, &[INET, 0, 0, 0], attributes)
}

/// The beginning or the end of a transaction.
fn batch(kind: u16) -> Message {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    Message::new(kind, 0, &[libc::AF_UNSPEC as u8, 0, high, low], &Attributes::default())
}
