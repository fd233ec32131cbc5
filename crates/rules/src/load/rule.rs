//! One rule: every key it may have, read strictly.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::ask::{CONNECT, Tunnel};
use model::domain::DomainPattern;
use model::{Action, ActorType, Label, Time, Zone};
use policy::facts::plain_path;
use toml::de::{DeTable, DeValue};

use super::draft::{Draft, Pending};
use super::text::{Item, Text};
use super::{names, shared, strings, when};
use crate::hours::Hours;
use crate::problem::{Problem, did_you_mean};
use crate::rule::{Effect, NamePattern, Ports, Rule, Scheme};

/// The keys of a rule, in the order they are best written in.
pub(crate) const KEYS: [&str; 24] = [
    "id",
    "agent",
    "user",
    "service",
    "group",
    "everything",
    "action",
    "tool",
    "when",
    "host",
    "method",
    "path",
    "port",
    "tunnel",
    "scheme",
    "zone",
    "room",
    "label",
    "purpose",
    "hours",
    "until",
    "shadow",
    "reason",
    "effect",
];

/// Reads one rule into the draft.
pub(super) fn read(draft: &mut Draft, text: &Text<'_>, effect: Effect, at: usize, table: &DeTable<'_>) {
    let place = text.place(at);
    let trouble = draft.trouble();
    let mut rule = Rule::bare(effect, Arc::from(""), place);
    let mut fields = Fields {
        draft,
        text,
        rule: &mut rule,
        groups: Vec::new(),
        when: None,
        ports: None,
        tunnel: None,
        everything: false,
    };
    for (key, value) in table {
        fields.read(key.get_ref(), key.span().start, value);
    }
    fields.opaque_fits();
    let Fields { groups, when, ports, everything, .. } = fields;
    if rule.id.is_empty() && draft.trouble() == trouble {
        let problem = text.problem(at, "the rule has no id".to_owned());
        draft.problem(problem.hinted("add id = \"a-short-name\": decisions and `why` name it"));
    }
    let says_something = selects(&rule) || !groups.is_empty() || when.is_some() || ports.is_some();
    if draft.trouble() == trouble && says_something == everything {
        let problem = text.problem(
            at,
            match everything {
                true => "`everything` and a selector contradict each other".to_owned(),
                false => format!("rule `{}` selects nothing, so it would match every ask", rule.id),
            },
        );
        draft.problem(problem.hinted(match everything {
            true => "leave `everything` out",
            false => "add a selector, or everything = true if that is meant",
        }));
    }
    rule.ports = ports.unwrap_or(rule.ports);
    if draft.trouble() == trouble {
        draft.add(Pending { rule, groups, when });
    }
}

fn selects(rule: &Rule) -> bool {
    rule.who.is_some()
        || rule.actions.is_some()
        || rule.hosts.is_some()
        || rule.methods.is_some()
        || rule.paths.is_some()
        || rule.schemes.is_some()
        || rule.zones.is_some()
        || rule.rooms.is_some()
        || rule.tools.is_some()
        || rule.labels.is_some()
        || rule.purposes.is_some()
        || rule.hours.is_some()
}

struct Fields<'a, 't> {
    draft: &'a mut Draft,
    text: &'a Text<'t>,
    rule: &'a mut Rule,
    groups: Vec<(crate::rule::Place, Arc<str>)>,
    when: Option<when::Unchecked>,
    ports: Option<Ports>,
    /// Where `tunnel` stands.
    tunnel: Option<usize>,
    everything: bool,
}

impl Fields<'_, '_> {
    fn wrong(&mut self, at: usize, message: impl Into<String>, hint: impl Into<Option<String>>) {
        let problem: Problem = self.text.problem(at, message.into());
        self.draft.problem(problem.maybe_hinted(hint.into()));
    }

    fn read(&mut self, key: &str, at: usize, value: &Item<'_>) {
        match key {
            "id" => self.id(value),
            "reason" => self.reason(value),
            "agent" => self.who(ActorType::Agent, key, value),
            "user" => self.who(ActorType::User, key, value),
            "service" => self.who(ActorType::Service, key, value),
            "group" => {
                let named = strings(self.draft, self.text, key, value);
                self.groups.extend(named.into_iter().map(|(at, name)| (self.text.place(at), shared(name))));
            }
            "everything" => self.everything = self.flag(key, value),
            "shadow" => self.rule.shadow = self.flag(key, value),
            "action" => {
                let names = self.list(key, value, |text| {
                    let pattern = names::dotted(text)?;
                    Ok(match pattern {
                        NamePattern::Exact(name) => NamePattern::Exact(canonical(&name)?),
                        NamePattern::Below(name) => NamePattern::Below(canonical(&name)?),
                    })
                });
                self.rule.actions = names;
            }
            "tool" => self.rule.tools = self.list(key, value, names::dotted),
            "when" => self.when = when::read(self.draft, self.text, value),
            "host" => self.hosts(key, value),
            "method" => self.rule.methods = self.list(key, value, method),
            "path" => self.paths(key, value),
            "port" => self.ports(value),
            "tunnel" => self.tunnel(at, value),
            "scheme" => {
                self.rule.schemes = self.list(key, value, |text| match text.trim() {
                    "http" => Ok(Scheme::Http),
                    "https" => Ok(Scheme::Https),
                    _ => Err("http or https"),
                });
            }
            "zone" => {
                let read = |text: &str| Zone::parse(text.trim()).ok_or("sandbox, supervised or high_stakes");
                self.rule.zones = self.list(key, value, read);
            }
            "label" => {
                let read = |text: &str| {
                    Label::parse(text.trim()).ok_or("public, internal, restricted, confidential or sensitive_pii")
                };
                self.rule.labels = self.list(key, value, read);
            }
            "room" => self.rule.rooms = self.list(key, value, names::plain),
            "purpose" => self.rule.purposes = self.list(key, value, names::plain),
            "hours" => self.hours(key, value),
            "until" => self.until(value),
            "effect" => {
                let hint = format!("the table says it: {}", self.rule.effect.table());
                self.wrong(at, "`effect` is not a key of a rule", hint);
            }
            other => {
                let hint = did_you_mean(other, KEYS).unwrap_or_else(|| "see docs/guide/policies.md".to_owned());
                self.wrong(at, format!("`{other}` is not a key of a rule"), hint);
            }
        }
    }

    /// Every text of a selector, read by `read`; `None` when something is wrong with one.
    fn list<T, C: FromIterator<T> + Default>(
        &mut self,
        key: &str,
        value: &Item<'_>,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<C> {
        let texts = strings(self.draft, self.text, key, value);
        let mut all = Vec::with_capacity(texts.len());
        for (at, text) in texts {
            match read(text) {
                Ok(one) => all.push(one),
                Err(expected) => self.wrong(at, format!("`{text}` cannot be a {key}"), format!("expected {expected}")),
            }
        }
        (!all.is_empty()).then(|| all.into_iter().collect())
    }

    fn id(&mut self, value: &Item<'_>) {
        let at = value.span().start;
        match value.get_ref() {
            DeValue::String(id) => match names::label(id) {
                Ok(()) => self.rule.id = shared(id),
                Err(expected) => self.wrong(at, format!("`{id}` cannot be an id"), format!("expected {expected}")),
            },
            _ => self.wrong(at, "`id` must be a text", None),
        }
    }

    fn reason(&mut self, value: &Item<'_>) {
        let at = value.span().start;
        match value.get_ref() {
            DeValue::String(text) if text.len() <= 1_000 => self.rule.reason = Some(shared(text.trim())),
            DeValue::String(_) => self.wrong(at, "`reason` is longer than 1,000 bytes", None),
            _ => self.wrong(at, "`reason` must be a text", None),
        }
    }

    fn flag(&mut self, key: &str, value: &Item<'_>) -> bool {
        match value.get_ref() {
            DeValue::Boolean(flag) => *flag,
            _ => {
                self.wrong(value.span().start, format!("`{key}` must be true or false"), None);
                false
            }
        }
    }

    fn who(&mut self, kind: ActorType, key: &str, value: &Item<'_>) {
        for (at, name) in strings(self.draft, self.text, key, value) {
            match names::plain(name) {
                Ok(_) => self.rule.who.get_or_insert_default().push(names::who(kind, name)),
                Err(expected) => {
                    self.wrong(at, format!("this cannot be the name of a {key}"), format!("expected {expected}"));
                }
            }
        }
    }

    fn hosts(&mut self, key: &str, value: &Item<'_>) {
        let mut hosts = Vec::new();
        for (at, written) in strings(self.draft, self.text, key, value) {
            match DomainPattern::parse(written) {
                Ok(pattern) => hosts.push(pattern),
                Err(error) => {
                    let hint = bare_host(written).map(|host| format!("write the host only: \"{host}\""));
                    self.wrong(at, format!("`{written}` is {error}"), hint);
                }
            }
        }
        hosts.sort_unstable();
        hosts.dedup();
        self.rule.hosts = (!hosts.is_empty()).then_some(hosts);
    }

    fn paths(&mut self, key: &str, value: &Item<'_>) {
        let mut paths = BTreeSet::new();
        for (at, written) in strings(self.draft, self.text, key, value) {
            match path(written) {
                Ok(path) => drop(paths.insert(path)),
                Err(hint) => self.wrong(at, format!("`{written}` cannot be a path"), hint.to_owned()),
            }
        }
        self.rule.paths = (!paths.is_empty()).then(|| paths.into_iter().collect());
    }

    fn ports(&mut self, value: &Item<'_>) {
        let one = std::slice::from_ref(value);
        let items = match value.get_ref() {
            DeValue::Array(list) => list.iter().as_slice(),
            _ => one,
        };
        if items.is_empty() {
            return self.wrong(value.span().start, "`port` is empty, so the rule would match nothing", None);
        }
        let (mut ranges, mut any) = (Vec::new(), false);
        for item in items {
            let read = match item.get_ref() {
                DeValue::Integer(number) => u16::from_str_radix(number.as_str(), number.radix()).ok().map(|n| (n, n)),
                DeValue::String(text) if text.trim() == "*" => {
                    any = true;
                    continue;
                }
                DeValue::String(text) => range(text),
                _ => None,
            };
            match read.filter(|(from, to)| *from > 0 && from <= to) {
                Some(range) => ranges.push((u32::from(range.0), u32::from(range.1))),
                None => {
                    let hint = "a port from 1 to 65535, a range such as \"8000-8999\", or \"*\"".to_owned();
                    self.wrong(item.span().start, "this cannot be a port", hint);
                }
            }
        }
        self.ports = Some(if any { Ports::Any } else { Ports::In(joined(ranges)) });
    }

    fn tunnel(&mut self, at: usize, value: &Item<'_>) {
        if self.rule.effect != Effect::Allow {
            let message = format!("`tunnel` is a key of {} only", Effect::Allow.table());
            let hint = format!("leave it out: {} is about every tunnel, whatever it carries", self.rule.effect.table());
            return self.wrong(at, message, hint);
        }
        let read = match value.get_ref() {
            DeValue::String(text) => Tunnel::parse(text.trim()),
            _ => None,
        };
        match read {
            Some(tunnel) => (self.rule.tunnel, self.tunnel) = (tunnel, Some(at)),
            None => {
                let hint =
                    "\"tls\" (what leaving it out means) or \"opaque\": anything may go through, SSH for example";
                self.wrong(value.span().start, "this cannot be a tunnel", hint.to_owned());
            }
        }
    }

    /// An opaque tunnel has nothing that these selectors could hold on: the rule would never allow it.
    fn opaque_fits(&mut self) {
        let Some(at) = self.tunnel.filter(|_| self.rule.tunnel == Tunnel::Opaque) else { return };
        let rule = &*self.rule;
        let connects = |methods: &BTreeSet<Arc<str>>| methods.iter().any(|method| **method == *CONNECT);
        let unfit = [
            (rule.methods.as_ref().is_some_and(|methods| !connects(methods)), "method", "its method is CONNECT"),
            (rule.paths.is_some(), "path", "nobody sees a path in it"),
            (rule.schemes.is_some(), "scheme", "nobody sees a scheme in it"),
            (rule.tools.is_some() || self.when.is_some(), "tool", "a tool call is no tunnel"),
            (rule.labels.is_some(), "label", "an access to data is no tunnel"),
            (rule.purposes.is_some(), "purpose", "an access to data is no tunnel"),
        ];
        for (_, key, why) in unfit.into_iter().filter(|(there, ..)| *there) {
            let message = format!("`tunnel = \"opaque\"` and `{key}` contradict each other: {why}");
            self.wrong(
                at,
                message,
                "make two rules of it, one for tunnels and one for what can be looked into".to_owned(),
            );
        }
    }

    fn hours(&mut self, key: &str, value: &Item<'_>) {
        let texts = strings(self.draft, self.text, key, value);
        if texts.is_empty() {
            return;
        }
        match Hours::parse(texts.iter().map(|(_, text)| *text)) {
            Ok(hours) => self.rule.hours = Some(hours),
            Err(why) => self.wrong(value.span().start, why, "write \"mon-fri 08:00-18:00\", in UTC".to_owned()),
        }
    }

    fn until(&mut self, value: &Item<'_>) {
        let at = value.span().start;
        let hint = || "a date such as 2026-12-31 (its first moment in UTC) or 2026-12-31T18:00:00Z".to_owned();
        let text = match value.get_ref() {
            DeValue::Datetime(moment) if moment.offset.is_none() && moment.time.is_none() && moment.date.is_some() => {
                format!("{moment}T00:00:00Z")
            }
            DeValue::Datetime(moment) if moment.offset.is_some() => moment.to_string(),
            DeValue::Datetime(_) => return self.wrong(at, "`until` needs an offset such as Z", hint()),
            _ => return self.wrong(at, "`until` must be a date or a time, without quotes", hint()),
        };
        match text.parse::<jiff::Timestamp>() {
            Ok(moment) => self.rule.until = Some(Time::from_millis(moment.as_millisecond())),
            Err(_) => self.wrong(at, "`until` is out of range", hint()),
        }
    }
}

fn canonical(name: &str) -> Result<Arc<str>, &'static str> {
    Action::parse(name).map(|action| shared(action.as_str())).map_err(|_| "an action such as external.write")
}

fn method(text: &str) -> Result<Arc<str>, &'static str> {
    let text = text.trim();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b);
    if text.is_empty() || text.len() > 32 || !text.bytes().all(token) {
        return Err("a method such as GET; leave the key out for any method");
    }
    Ok(Arc::from(text.to_ascii_uppercase()))
}

/// The host of what looks like an URL.
fn bare_host(written: &str) -> Option<&str> {
    let rest = written.split_once("://").map_or(written, |(_, rest)| rest);
    let host = rest.split(['/', '?', ':']).next()?;
    (host != written && DomainPattern::parse(host).is_ok()).then_some(host)
}

fn path(written: &str) -> Result<Arc<str>, &'static str> {
    let text = written.trim();
    if !text.starts_with('/') {
        return Err("a path begins with /");
    }
    if text.contains(['?', '#']) {
        return Err("a path has no query; leave `?` and what follows out");
    }
    if text.contains('*') {
        return Err("a path covers everything below it: write /repos, not /repos/*");
    }
    let url =
        model::TargetUrl::parse(&format!("http://path.invalid{text}")).map_err(|_| "this is no path of an URL")?;
    let plain = plain_path(url.path().trim_end_matches('/'))
        .ok_or("servers read this path in different ways (//, %2f, %2e or \\)")?;
    Ok(shared(&plain))
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
}

/// Sorted, and those that touch joined.
fn joined(mut ranges: Vec<(u32, u32)>) -> Vec<(u16, u16)> {
    ranges.sort_unstable();
    let mut all: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match all.last_mut() {
            Some((_, end)) if from <= *end + 1 => *end = (*end).max(to),
            _ => all.push((from, to)),
        }
    }
    let port = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    all.into_iter().map(|(from, to)| (port(from), port(to))).collect()
}
