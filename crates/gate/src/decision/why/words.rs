//! What a rule wants and what an ask had, in the words rules are written with.

use model::Time;
use policy::{Fact, Facts};
use rules::Rule;
use rules::selector::Selector;

use super::FailedSelector;

/// What a selector of a rule says.
pub(super) fn wants(selector: Selector, rule: &Rule) -> String {
    let keys: &[&str] = match selector {
        Selector::Who => &["agent", "user", "service", "group"],
        _ => &[selector.as_str()],
    };
    let text = rules::write::rule(rule);
    let said: Vec<&str> = text
        .lines()
        .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| keys.contains(&key)))
        .map(|line| if selector == Selector::Who { line } else { line.split_once(" = ").map_or(line, |(_, v)| v) })
        .collect();
    match (said.is_empty(), selector) {
        (true, Selector::Port) => "80 or 443, as an allow without a port means".to_owned(),
        (true, Selector::Tunnel) => "tls, as an allow without a tunnel means".to_owned(),
        _ => said.join(", "),
    }
}

/// What the ask had for it; `None` when it was not seen.
pub(super) fn was(selector: Selector, facts: &Facts<'_>, now: Time) -> Option<String> {
    let none = || Some("nothing of the kind".to_owned());
    fn fact<T>(fact: Fact<T>, text: impl FnOnce(T) -> String) -> Option<String> {
        match fact {
            Fact::Absent => Some("nothing of the kind".to_owned()),
            Fact::Unseen => None,
            Fact::Seen(value) => Some(text(value)),
        }
    }
    match selector {
        Selector::Who => Some(format!("{} {}", facts.who.kind, facts.who.name)),
        Selector::Action => Some(facts.action.to_owned()),
        Selector::Zone => Some(facts.zone.as_str().to_owned()),
        Selector::Room => facts.room.map(str::to_owned).or_else(none),
        Selector::Tool => fact(facts.tool, str::to_owned),
        Selector::When => fact(facts.input, |_| "another input".to_owned()),
        Selector::Host => fact(facts.host, str::to_owned),
        Selector::Method => fact(facts.method, str::to_owned),
        Selector::Path => fact(facts.path.as_ref(), |path| path.to_string()),
        Selector::Port => fact(facts.port, |port| port.to_string()),
        Selector::Scheme => fact(facts.scheme, str::to_owned),
        Selector::Tunnel => Some(if facts.opaque { "opaque" } else { "no opaque one" }.to_owned()),
        Selector::Label => fact(facts.label, |label| label.as_str().to_owned()),
        Selector::Purpose => {
            fact(facts.purposes, |some| some.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Selector::Hours | Selector::Until => Some(now.to_string()),
    }
}

/// The rule and what spoke against it.
pub(super) fn sentence(rule: &Rule, failed: &[FailedSelector]) -> String {
    let each: Vec<String> = failed
        .iter()
        .map(|one| {
            let was = one.was.as_ref().map_or_else(|| "it was not seen".to_owned(), |was| format!("it was {was}"));
            format!("its {} is {} and {was}", one.selector, one.wants)
        })
        .collect();
    format!("Rule `{}` ({}) would {} it, but {}.", rule.id, rule.place, rule.effect, each.join("; "))
}
