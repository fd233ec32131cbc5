//! Rules that look at what nobody sees in a tunnel: where HTTPS goes through the proxy as it is.
//!
//! A client that speaks HTTPS asks the proxy for a tunnel, with the method `CONNECT` and no path. What
//! is asked for otherwise (plain HTTP, the tools of a run, the API) is seen whole, so such a rule is
//! not wrong; it just does not do what its reader may think.

use model::ask::CONNECT;

use crate::load::PROBLEMS_MAX;
use crate::problem::Problem;
use crate::rule::{Effect, PolicySet, Ports, Rule, Scheme};

/// The rules of a set that cannot hold of HTTPS in a tunnel although they name its port: at most
/// [`PROBLEMS_MAX`], in the order of the set.
#[must_use]
pub fn blind_in_tunnels(set: &PolicySet) -> Vec<Problem> {
    set.rules.iter().filter_map(note).take(PROBLEMS_MAX).collect()
}

fn note(rule: &Rule) -> Option<Problem> {
    let by_method = rule.methods.as_ref().is_some_and(|methods| !methods.contains(CONNECT));
    let by_path = rule.paths.is_some();
    if !may_be_https(rule) || !(by_method || by_path) {
        return None;
    }
    let what = if by_method { "method" } else { "path" };
    let (message, hint) = match rule.effect {
        Effect::Allow => (
            format!("lets no HTTPS pass that goes through a tunnel: without interception nobody sees its {what}"),
            "to let tunnels to these hosts pass, allow the method CONNECT without a path",
        ),
        // By its path it denies, or asks for, the whole tunnel.
        Effect::Ask | Effect::Deny if !by_method => return None,
        Effect::Ask | Effect::Deny => (
            "does not look into HTTPS that goes through a tunnel: without interception nobody sees its method"
                .to_owned(),
            "add CONNECT to its methods if tunnels to these hosts are meant too",
        ),
    };
    Some(Problem {
        file: rule.place.file.to_string(),
        line: rule.place.line,
        column: rule.place.column,
        message: format!("rule `{}` {message}", rule.id),
        hint: Some(hint.to_owned()),
    })
}

/// Whether requests by HTTPS on its usual port are among those the rule is about.
fn may_be_https(rule: &Rule) -> bool {
    let port = match &rule.ports {
        Ports::Any | Ports::Web => true,
        Ports::In(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&443)),
    };
    port && rule.schemes.as_ref().is_none_or(|schemes| schemes.contains(&Scheme::Https))
}
