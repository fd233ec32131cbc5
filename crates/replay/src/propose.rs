//! Rules that let pass what was seen, and as little else as rules can say.
//!
//! Only what a rule can allow is proposed for: asks for `external.*` and a default that denies. What
//! another rule denies or asks for is left to people.
//!
//! The rules are found greedily. Everything is sorted by who asked and how (for requests the methods
//! and ports seen with a host, for data the labels), and each such pair becomes one rule with all its
//! hosts, tools or actions; so there is one rule for each way in which somebody was seen to act, and
//! none could be left out. Fewer rules would have to allow one way what was seen only another. Hosts
//! below one registrable domain become `*.domain` where at least [`SIBLINGS_MIN`] of them were seen
//! in the same way, and only where the public suffix list knows the suffix: so never a whole suffix
//! such as `*.co.uk`, and never `*`. Tunnels that may carry anything are proposed for the very hosts and
//! ports that were seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::ask::Tunnel;
use model::domain::DomainPattern;
use model::{ActorType, Category, Label, Time};
use rules::rule::{NamePattern, Ports, WhoPattern};
use rules::{Effect, Rule, Source};
use serde::{Deserialize, Serialize};

use crate::shadow::{Group, State};

/// How many hosts of one registrable domain must have been seen before all of it is allowed.
pub const SIBLINGS_MIN: usize = 3;
/// LIMIT: how many hosts, tools or actions one rule names; more make another rule.
pub const VALUES_MAX: usize = 50;

/// The name of the file that is proposed.
pub const FILE: &str = "proposed.toml";

/// Rules to look at, edit and publish.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The file; empty when there is nothing to allow.
    pub files: Vec<Source>,
    /// What is in it.
    pub report: Covered,
}

/// What a proposal covers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// How many rules it has.
    pub rules: u64,
    /// How many groups they let pass.
    pub groups: u64,
    /// How many decisions of the log those are.
    pub decisions: u64,
    /// Patterns that allow more than the hosts that were seen.
    pub generalised: Vec<Generalised>,
    /// Open groups that no rule lets pass.
    pub left_out: Vec<LeftOut>,
}

/// A pattern with the hosts it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generalised {
    /// The pattern.
    pub pattern: String,
    /// The hosts that were seen.
    pub seen: Vec<String>,
}

/// A group that is not covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its id.
    pub group: String,
    /// Why.
    pub why: String,
}

/// In which way somebody was seen to act: what becomes one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// With these methods (`None` = one was not seen) on these ports; or by tunnels that may carry
    /// anything.
    Reach { methods: Option<BTreeSet<String>>, ports: Through, tunnel: Tunnel },
    /// Calling tools.
    Call,
    /// Reading or writing data of these labels.
    Handle { labels: BTreeSet<Label> },
    /// Doing something else, where a host was named or none was.
    Do { host: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Through {
    Any,
    Web,
    These(BTreeSet<u16>),
}

type Who = (ActorType, String);

/// Where something was done. Ports belong here: a host that was read on one port and written on
/// another makes two rules, or each would be allowed on both. So do tunnels that may carry anything: a
/// host that was reached by TLS is never proposed for more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Net(Through, Tunnel),
    Tool,
    Data,
    /// An action, with the host it named.
    Else(Option<String>),
}

/// What was seen of one host, tool or action of somebody.
#[derive(Debug, Default)]
struct Seen {
    methods: BTreeSet<String>,
    method_unseen: bool,
    labels: BTreeSet<Label>,
    count: u64,
    span: Option<(Time, Time)>,
}

/// Proposes rules for the groups that are open. `taken` are ids that rules have already.
#[must_use]
pub fn propose(groups: &[Group], taken: &BTreeSet<String>) -> Proposal {
    let mut covered = Covered::default();
    let mut seen: BTreeMap<(Who, Place), BTreeMap<String, Seen>> = BTreeMap::new();
    for group in groups.iter().filter(|group| group.state == State::Open) {
        match subject(group) {
            Err(why) => covered.left_out.push(LeftOut { group: group.id.clone(), why: why.to_owned() }),
            Ok((who, place, value)) => {
                covered.groups += 1;
                covered.decisions = covered.decisions.saturating_add(group.count);
                seen.entry((who, place)).or_default().entry(value).or_default().add(group);
            }
        }
    }
    let mut ways: BTreeMap<(Who, Way), BTreeMap<String, Seen>> = BTreeMap::new();
    for ((who, place), values) in seen {
        for (value, seen) in values {
            let way = way(&place, &seen);
            ways.entry((who.clone(), way)).or_default().insert(value, seen);
        }
    }
    let mut written = String::new();
    let mut ids = taken.clone();
    for ((who, way), values) in &ways {
        let total = values.values().fold(Seen::default(), Seen::and);
        let (patterns, generalised) = patterns(way, values.keys());
        covered.generalised.extend(generalised);
        for part in patterns.chunks(VALUES_MAX) {
            let id = fresh(&who.1, &mut ids);
            written.push('\n');
            written.push_str(&rules::write::rule(&rule(id, who, way, part, &total)));
            covered.rules += 1;
        }
    }
    let files = match covered.rules {
        0 => Vec::new(),
        _ => {
            let text = format!("{HEADER}{written}");
            vec![Source { name: FILE.to_owned(), text: rules::fmt::format(FILE, &text).unwrap_or(text) }]
        }
    };
    Proposal { files, report: covered }
}

const HEADER: &str = "# Proposed from what was seen in shadow mode. Read each rule before you publish it:\n\
                      # what should stay blocked, remove here.\n";

/// Who, where, and what becomes a value of the rule.
fn subject(group: &Group) -> Result<(Who, Place, String), &'static str> {
    let key = &group.key;
    if key.trial {
        return Err("a rule in `shadow` says so; change that rule");
    }
    if !group.liftable {
        return Err("no rule that allows would let it pass");
    }
    if key.withheld {
        return Err("part of what was asked was not kept");
    }
    let name = key.who.clone().filter(|name| plain(name)).ok_or("who asked was not kept, or has no plain name")?;
    let named = |value: &Option<String>| value.clone().filter(|value| plain(value));
    let tunnel = if key.opaque { Tunnel::Opaque } else { Tunnel::Tls };
    let (place, value) = match key.category {
        Category::Egress => {
            (Place::Net(through(group), tunnel), exact(key.host.as_deref()).ok_or("the host was not seen")?)
        }
        Category::ToolCall => (Place::Tool, named(&key.tool).ok_or("the tool was not seen, or has no plain name")?),
        category => {
            let action = named(&key.action).ok_or("the action was not kept, or has no plain name")?;
            let host = exact(key.host.as_deref());
            if host.is_none() && key.host.is_some() {
                return Err("the host is none that a rule can name");
            }
            (if category == Category::DataAccess { Place::Data } else { Place::Else(host) }, action)
        }
    };
    Ok(((key.who_type, name), place, value))
}

/// A host that a rule can name.
fn exact(host: Option<&str>) -> Option<String> {
    let host = host?;
    (DomainPattern::parse(host).ok()? == DomainPattern::Exact(host.to_owned())).then(|| host.to_owned())
}

fn through(group: &Group) -> Through {
    match () {
        () if group.port_unseen => Through::Any,
        () if group.ports.iter().all(|port| [80, 443].contains(port)) => Through::Web,
        () => Through::These(group.ports.clone()),
    }
}

/// Whether a rule that names it names exactly it.
fn plain(name: &str) -> bool {
    let sound = |c: char| !c.is_control() && !c.is_whitespace() && c != '*';
    !name.is_empty() && name.len() <= 200 && name.chars().all(sound)
}

fn way(place: &Place, seen: &Seen) -> Way {
    match place {
        Place::Net(ports, tunnel) => {
            let methods = (!seen.method_unseen).then(|| seen.methods.clone());
            Way::Reach { methods, ports: ports.clone(), tunnel: *tunnel }
        }
        Place::Tool => Way::Call,
        Place::Data => Way::Handle { labels: seen.labels.clone() },
        Place::Else(host) => Way::Do { host: host.clone() },
    }
}

/// The values of a rule: hosts as patterns, everything else as it is.
fn patterns<'v>(way: &Way, values: impl Iterator<Item = &'v String>) -> (Vec<String>, Vec<Generalised>) {
    if !matches!(way, Way::Reach { tunnel: Tunnel::Tls, .. }) {
        return (values.cloned().collect(), Vec::new());
    }
    let mut below: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut patterns = BTreeSet::new();
    for host in values {
        match registrable(host) {
            Some(domain) => below.entry(domain.to_owned()).or_default().push(host.clone()),
            None => {
                patterns.insert(host.clone());
            }
        }
    }
    let mut generalised = Vec::new();
    for (domain, hosts) in below {
        if hosts.len() >= SIBLINGS_MIN {
            let pattern = format!("*.{domain}");
            patterns.insert(pattern.clone());
            generalised.push(Generalised { pattern, seen: hosts });
        } else {
            patterns.extend(hosts);
        }
    }
    (patterns.into_iter().collect(), generalised)
}

/// The registrable domain of a host, when the public suffix list knows its suffix.
fn registrable(host: &str) -> Option<&str> {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let domain = psl::domain(host.as_bytes()).filter(|domain| domain.suffix().is_known())?;
    std::str::from_utf8(domain.as_bytes()).ok()
}

fn rule(id: String, who: &Who, way: &Way, values: &[String], seen: &Seen) -> Rule {
    let place = rules::rule::Place { file: Arc::from(FILE), line: 1, column: 1 };
    let mut rule = Rule::bare(Effect::Allow, Arc::from(id), place);
    rule.reason = Some(Arc::from(seen.words()));
    rule.who = Some(vec![WhoPattern::Named(who.0, Arc::from(who.1.as_str()))]);
    let names = || Some(values.iter().map(|value| NamePattern::Exact(Arc::from(value.as_str()))).collect());
    match way {
        Way::Reach { methods, ports, tunnel } => {
            rule.tunnel = *tunnel;
            rule.hosts = Some(values.iter().filter_map(|value| DomainPattern::parse(value).ok()).collect());
            rule.methods = methods.as_ref().map(|all| all.iter().map(|each| Arc::from(each.as_str())).collect());
            rule.ports = match ports {
                Through::Any => Ports::Any,
                Through::Web => Ports::Web,
                Through::These(ports) => Ports::In(ranges(ports)),
            };
        }
        Way::Call => rule.tools = names(),
        Way::Handle { labels } => {
            rule.actions = names();
            rule.labels = Some(labels.clone());
        }
        Way::Do { host } => {
            rule.actions = names();
            let pattern = |host: &String| DomainPattern::parse(host).ok();
            rule.hosts = host.as_ref().and_then(pattern).map(|host| vec![host]);
        }
    }
    rule
}

fn ranges(ports: &BTreeSet<u16>) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    ranges
}

/// An id that no rule has yet: `seen-coder`, `seen-coder-2` and so on.
fn fresh(name: &str, ids: &mut BTreeSet<String>) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let slug: String = letters.take(40).collect();
    let stem = format!("seen-{}", slug.trim_matches('-'));
    let stem = stem.trim_end_matches('-').to_owned();
    let mut id = stem.clone();
    let mut number: u64 = 2;
    while !ids.insert(id.clone()) {
        id = format!("{stem}-{number}");
        number += 1;
    }
    id
}

impl Seen {
    fn add(&mut self, group: &Group) {
        match &group.key.method {
            Some(method) => {
                self.methods.insert(method.clone());
            }
            None => self.method_unseen = true,
        }
        self.labels.extend(group.key.label);
        self.saw(group.count, Some((group.first_seen, group.last_seen)));
    }

    fn and(mut self, other: &Self) -> Self {
        self.saw(other.count, other.span);
        self
    }

    fn saw(&mut self, count: u64, span: Option<(Time, Time)>) {
        self.count = self.count.saturating_add(count);
        self.span = match (self.span, span) {
            (Some(own), Some(other)) => Some((own.0.min(other.0), own.1.max(other.1))),
            (own, other) => own.or(other),
        };
    }

    fn words(&self) -> String {
        let times = match self.count {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            count => format!("{count} times"),
        };
        let day = |at: Time| at.to_string().get(..10).unwrap_or_default().to_owned();
        match self.span.map(|(first, last)| (day(first), day(last))) {
            Some((first, last)) if first == last => format!("seen {times} on {first}"),
            Some((first, last)) => format!("seen {times} from {first} to {last}"),
            None => format!("seen {times}"),
        }
    }
}
