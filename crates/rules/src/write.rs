//! A rule as text: what `exeat policy allow` writes, and what reading it again gives back.

use std::fmt::Write as _;

use jiff::Timestamp;
use model::ask::Tunnel;
use model::{ActorType, Time};

use crate::hours::Hours;
use crate::rule::{Effect, Ports, Rule, WhoPattern};
use crate::when::{Is, Test, When};

/// The rule in TOML, ending with a newline. Groups are written as groups, `who` as it stands.
#[must_use]
pub fn rule(rule: &Rule) -> String {
    let mut out = format!("{}\n", rule.effect.table());
    let mut selects = false;
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            selects |= !matches!(key, "id" | "tunnel" | "until" | "shadow" | "reason");
            let _ = writeln!(out, "{key} = {value}");
        }
    };
    line("id", Some(text(&rule.id)));
    for kind in [ActorType::Agent, ActorType::User, ActorType::Service] {
        line(kind.as_str(), names(rule.who.iter().flatten().filter_map(|pattern| named(pattern, kind))));
    }
    line("group", names(rule.groups.iter().map(|group| &**group)));
    line("action", patterns(rule.actions.as_deref()));
    line("tool", patterns(rule.tools.as_deref()));
    line("when", rule.when.as_ref().map(when));
    line("host", patterns(rule.hosts.as_deref()));
    line("method", names(rule.methods.iter().flatten().map(|method| &**method)));
    let path = |path: &str| if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    line("path", list(rule.paths.iter().flatten().map(|each| text(&path(each))).collect()));
    line("port", ports(rule));
    line("tunnel", (rule.effect == Effect::Allow && rule.tunnel == Tunnel::Opaque).then(|| text(rule.tunnel.as_str())));
    line("scheme", names(rule.schemes.iter().flatten().map(|scheme| scheme.as_str())));
    line("zone", names(rule.zones.iter().flatten().map(|zone| zone.as_str())));
    line("room", names(rule.rooms.iter().flatten().map(|room| &**room)));
    line("label", names(rule.labels.iter().flatten().map(|label| label.as_str())));
    line("purpose", names(rule.purposes.iter().flatten().map(|purpose| &**purpose)));
    line("hours", rule.hours.as_ref().and_then(hours));
    line("until", rule.until.map(until));
    line("shadow", rule.shadow.then(|| "true".to_owned()));
    line("reason", rule.reason.as_deref().map(text));
    if !selects {
        out.push_str("everything = true\n");
    }
    out
}

/// A text in quotes.
#[must_use]
pub fn text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// One value, or a list of them; `None` when there are none.
fn list(mut values: Vec<String>) -> Option<String> {
    match values.len() {
        0 => None,
        1 => values.pop(),
        _ => Some(format!("[{}]", values.join(", "))),
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    list(names.map(text).collect())
}

fn patterns<T: ToString>(patterns: Option<&[T]>) -> Option<String> {
    list(patterns.unwrap_or_default().iter().map(|pattern| text(&pattern.to_string())).collect())
}

fn named(pattern: &WhoPattern, wanted: ActorType) -> Option<&str> {
    match pattern {
        WhoPattern::Kind(kind) => (*kind == wanted).then_some("*"),
        WhoPattern::Named(kind, name) => (*kind == wanted).then_some(name),
    }
}

fn ports(rule: &Rule) -> Option<String> {
    match &rule.ports {
        Ports::Any => (rule.effect == Effect::Allow).then(|| "\"*\"".to_owned()),
        Ports::Web => None,
        Ports::In(ranges) => list(
            ranges
                .iter()
                .map(|(from, to)| if from == to { from.to_string() } else { format!("\"{from}-{to}\"") })
                .collect(),
        ),
    }
}

fn hours(hours: &Hours) -> Option<String> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    const DAY: u16 = 24 * 60;
    let mut texts = Vec::new();
    for (from, to) in hours.ranges() {
        let mut start = *from;
        while start < *to {
            let end = (*to).min((start / DAY + 1) * DAY);
            let day = DAYS.get(usize::from(start / DAY))?;
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            texts.push(text(&format!("{day} {}-{}", clock(start % DAY), clock(end - start / DAY * DAY))));
            start = end;
        }
    }
    list(texts)
}

/// The moment, as a date where it is the first one of a day in UTC.
#[must_use]
pub fn until(at: Time) -> String {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let whole = Timestamp::from_millisecond(at.as_millis()).map(|moment| moment.to_string()).unwrap_or_default();
    match at.as_millis() % DAY {
        0 => whole.split('T').next().unwrap_or_default().to_owned(),
        _ => whole,
    }
}

fn when(condition: &When) -> String {
    let several = |some: &[When]| some.iter().map(when).collect::<Vec<_>>().join(", ");
    match condition {
        When::Test(test) => self::test(test),
        When::All(all) => format!("{{ all = [{}] }}", several(all)),
        When::Any(any) => format!("{{ any = [{}] }}", several(any)),
        When::Not(not) => format!("{{ not = {} }}", when(not)),
    }
}

fn test(test: &Test) -> String {
    let texts = |texts: &[std::sync::Arc<str>]| texts.iter().map(|each| text(each)).collect::<Vec<_>>().join(", ");
    let asked = match &test.is {
        Is::Less(bound) => format!("lt = {bound:?}"),
        Is::AtMost(bound) => format!("le = {bound:?}"),
        Is::Greater(bound) => format!("gt = {bound:?}"),
        Is::AtLeast(bound) => format!("ge = {bound:?}"),
        Is::OneOf(some) => {
            format!("in = [{}]", some.iter().map(|number| format!("{number:?}")).collect::<Vec<_>>().join(", "))
        }
        Is::In(some) => format!("in = [{}]", texts(some)),
        Is::Prefix(prefix) => format!("prefix = {}", text(prefix)),
        Is::Suffix(suffix) => format!("suffix = {}", text(suffix)),
        Is::Bool(flag) => format!("eq = {flag}"),
        Is::Within(nets) => {
            format!("cidr = [{}]", nets.iter().map(|net| text(&net.to_string())).collect::<Vec<_>>().join(", "))
        }
    };
    format!("{{ arg = {}, {asked} }}", text(&test.at))
}
