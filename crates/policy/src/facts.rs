//! What rules look at: the facts of an ask, canonical and typed, never an URL as text.
//!
//! A fact has three states. One that does not apply to the ask is [`Fact::Absent`], and a predicate
//! over it is false. One that applies but was not seen (the path inside a tunnel, the method of a
//! request that named none) is [`Fact::Unseen`], and a predicate over it is unknown: an unknown deny
//! denies, an unknown ask asks, an unknown allow does not match.
//!
//! A path that two servers may read differently (an encoded slash, a backslash, an encoded NUL)
//! counts as unseen: no rule can be talked around by spelling.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::ask::{EgressSubject, Subject, Tunnel};
use model::{Actor, ActorType, Ask, Category, Label, Zone};
use serde_json::Value;

use crate::snapshot::principal::{Agent, Principal};

/// One fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact<T> {
    /// It does not apply to this ask.
    Absent,
    /// It applies, but nobody saw it.
    Unseen,
    /// It was seen.
    Seen(T),
}

impl<T> Fact<T> {
    /// What applies: seen, or not.
    pub fn known(value: Option<T>) -> Self {
        value.map_or(Self::Unseen, Self::Seen)
    }

    /// What applies only where it is there.
    pub fn stated(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Seen)
    }

    /// The value, when it was seen.
    pub fn seen(self) -> Option<T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Absent | Self::Unseen => None,
        }
    }

    /// The same by reference.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Absent => Fact::Absent,
            Self::Unseen => Fact::Unseen,
            Self::Seen(value) => Fact::Seen(value),
        }
    }
}

/// Who asks: the accountable principal by its kind and name.
///
/// An agent goes by the name it was registered with, everybody else by the name of its actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Who<'a> {
    /// Agent, user or service.
    pub kind: ActorType,
    /// Its name.
    pub name: &'a str,
}

/// The facts of one ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts<'a> {
    /// The entry point.
    pub category: Category,
    /// The normalised action.
    pub action: &'a str,
    /// Who asks.
    pub who: Who<'a>,
    /// The zone; `supervised` where none was named.
    pub zone: Zone,
    /// The room.
    pub room: Option<&'a str>,
    /// The normalised host.
    pub host: Fact<&'a str>,
    /// The method, upper-case.
    pub method: Fact<&'a str>,
    /// The path, unreserved characters decoded.
    pub path: Fact<Cow<'a, str>>,
    /// The port, the scheme's default included.
    pub port: Fact<u16>,
    /// `http` or `https`.
    pub scheme: Fact<&'a str>,
    /// Whether it is a tunnel that may carry anything: only a rule that says so allows it.
    pub opaque: bool,
    /// The tool.
    pub tool: Fact<&'a str>,
    /// What the tool is called with.
    pub input: Fact<&'a Value>,
    /// The label of the data.
    pub label: Fact<Label>,
    /// What the data is wanted for.
    pub purposes: Fact<&'a BTreeSet<String>>,
}

impl<'a> Facts<'a> {
    /// The facts of `ask`, made by `principal`, who may be an agent.
    #[must_use]
    pub fn of(ask: &'a Ask, principal: Option<&'a Principal>, agent: Option<&'a Agent>) -> Self {
        let mut facts = Self::bare(ask.category(), ask.action.as_str(), who(&ask.actor, principal, agent));
        facts.zone = ask.zone_or_default();
        facts.room = ask.room_id.as_ref().map(|room| room.as_str());
        match &ask.subject {
            Subject::ToolCall { tool_name, input } => {
                facts.tool = Fact::known(tool_name.as_deref());
                facts.input = Fact::known(input.as_deref());
            }
            Subject::DataAccess(data) => {
                facts.label = Fact::Seen(data.label);
                facts.purposes = Fact::Seen(&data.purposes);
            }
            Subject::Action { target_domain } => facts.host = Fact::stated(target_domain.as_deref()),
            Subject::Egress(egress) => facts.leave(egress),
        }
        facts
    }

    /// Facts with nothing but an actor and an action.
    #[must_use]
    pub fn bare(category: Category, action: &'a str, who: Who<'a>) -> Self {
        Self {
            category,
            action,
            who,
            zone: Zone::Supervised,
            room: None,
            host: Fact::Absent,
            method: Fact::Absent,
            path: Fact::Absent,
            port: Fact::Absent,
            scheme: Fact::Absent,
            opaque: false,
            tool: Fact::Absent,
            input: Fact::Absent,
            label: Fact::Absent,
            purposes: Fact::Absent,
        }
    }

    fn leave(&mut self, egress: &'a EgressSubject) {
        let target = egress.target.as_ref();
        self.host = Fact::known(egress.target_domain.as_deref().or_else(|| target.map(|t| t.domain())));
        self.method = Fact::known(egress.method.as_deref());
        self.path = Fact::known(target.filter(|_| egress.tunnel.is_none()).and_then(|t| plain_path(t.path())));
        self.port = Fact::known(target.map(|t| t.port()));
        self.opaque = egress.tunnel == Some(Tunnel::Opaque);
        self.scheme = Fact::known(target.filter(|_| !self.opaque).map(|t| t.scheme()));
    }
}

fn who<'a>(actor: &'a Actor, principal: Option<&'a Principal>, agent: Option<&'a Agent>) -> Who<'a> {
    if let Some(agent) = agent {
        return Who { kind: ActorType::Agent, name: &agent.name };
    }
    let actor = principal.and_then(|principal| principal.legacy.as_ref()).unwrap_or(actor);
    Who { kind: actor.kind, name: &actor.id }
}

/// A path that every server reads alike, with unreserved characters decoded; `None` where servers
/// may differ.
///
/// `path` is the normal form of [`model::TargetUrl::path`]: dot segments are gone.
#[must_use]
pub fn plain_path(path: &str) -> Option<Cow<'_, str>> {
    if path.contains('\\') || path.contains("//") {
        return None;
    }
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let (code, byte) = after.get(..2).and_then(|code| Some((code, u8::from_str_radix(code, 16).ok()?)))?;
        match byte {
            b'/' | b'\\' | 0 => return None,
            // An encoded dot may make a dot segment once it is decoded.
            b'.' => return None,
            byte if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) => plain.push(char::from(byte)),
            _ => {
                plain.push('%');
                plain.push_str(&code.to_ascii_uppercase());
            }
        }
        rest = after.get(2..)?;
    }
    plain.push_str(rest);
    Some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::plain_path;

    #[test]
    fn a_path_is_read_one_way_or_not_at_all() {
        let check = |path: &str, want: Option<&str>| assert_eq!(plain_path(path).as_deref(), want, "{path}");
        check("/repos/acme", Some("/repos/acme"));
        check("/", Some("/"));
        check("/%61cme", Some("/acme"));
        check("/a%20b", Some("/a%20b"));
        check("/%c3%a9", Some("/%C3%A9"));
        check("/a%2fb", None);
        check("/a%2Fb", None);
        check("/a%5cb", None);
        check("/a%00", None);
        check("/%2e%2e/x", None);
        check("/a//b", None);
        check("/a%", None);
        check("/a%4", None);
        check("/a%zz", None);
    }
}
