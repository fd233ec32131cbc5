//! Tests beside a policy: an ask, what the rules are expected to say to it, and which of them.
//!
//! They stand in the set's files named `*.test.toml`. What counts is what the rules themselves say:
//! steps of the gate before and after them, approvals and the workspace's default are not part of
//! it. A deny that rests on a fact that was not seen is a deny here, too.
//!
//! An ask is as concrete as a request: what is not written is `GET`, `https`, the scheme's port and
//! the path `/`. `tunnel = "opaque"` asks for a tunnel that may carry anything, `tunnel = "tls"` (or
//! the method `CONNECT`) for one that carries TLS; of neither anybody sees a path. `unseen` names facts that nobody saw, such as the path inside a tunnel.

mod ask;
mod read;

use std::collections::BTreeSet;
use std::sync::Arc;

use model::decision::RuleId;
use model::{Ask, Time};
use policy::{DefaultDecision, Fact, Facts, RulePack, RuleVerdict};
use serde::{Deserialize, Serialize};

use crate::load::TESTS;
use crate::never::{Answer, Assertion};
use crate::problem::{Problem, did_you_mean};
use crate::rule::{Effect, Place, PolicySet};

pub use read::parse;

/// LIMIT: cases of a set.
pub const CASES_MAX: usize = 20_000;

/// Whether a file of this name holds tests.
#[must_use]
pub fn is_cases(name: &str) -> bool {
    name.ends_with(TESTS)
}

/// A fact that can be said to be unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// The host.
    Host,
    /// The method.
    Method,
    /// The path.
    Path,
    /// The port.
    Port,
    /// The scheme.
    Scheme,
    /// The tool's name.
    Tool,
    /// What the tool is called with.
    Input,
}

impl Unseen {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Host, "host"),
        (Self::Method, "method"),
        (Self::Path, "path"),
        (Self::Port, "port"),
        (Self::Scheme, "scheme"),
        (Self::Tool, "tool"),
        (Self::Input, "input"),
    ];
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What is asked and expected.
    pub asks: Claim,
}

/// What a test claims.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Of one ask.
    Ask(Box<Expectation>),
    /// That no ask of this description is ever allowed.
    Never(Box<Assertion>),
}

/// What is expected of one ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The ask.
    pub ask: Ask,
    /// Facts of it that nobody saw.
    pub unseen: BTreeSet<Unseen>,
    /// When it is asked; when the tests are run where it is not said.
    pub at: Option<Time>,
    /// What the rules say; `None` = no rule matches.
    pub expect: Option<Effect>,
    /// The rules that must be among those that determine it.
    pub rules: Vec<RuleId>,
}

/// What a test found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The test.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// Whether it holds.
    pub passed: bool,
    /// `allow`, `ask`, `deny` or `none`; of an assertion `never …`.
    pub expected: String,
    /// The same for what the rules said; of an assertion `holds` or the ask that breaks it.
    pub got: String,
    /// The rules that determined it.
    pub rules: Vec<String>,
    /// What is wrong, in a sentence, when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Runs tests. `pack` is the compiled `set`; `now` is the time of asks that name none.
#[must_use]
pub fn run(set: &PolicySet, pack: &dyn RulePack, cases: &[Case], now: Time) -> Vec<CaseResult> {
    cases
        .iter()
        .map(|case| match &case.asks {
            Claim::Ask(expected) => of_ask(set, pack, case, expected, now),
            Claim::Never(assertion) => of_all(set, case, assertion, now),
        })
        .collect()
}

fn of_ask(set: &PolicySet, pack: &dyn RulePack, case: &Case, expected: &Expectation, now: Time) -> CaseResult {
    let mut facts = Facts::of(&expected.ask, None, None);
    for unseen in &expected.unseen {
        hide(&mut facts, *unseen);
    }
    let verdict = pack.eval(&facts, expected.at.unwrap_or(now)).live;
    let got = effect_of(&verdict);
    let message = if got == expected.expect {
        expected.rules.iter().find(|rule| !verdict.rules().contains(rule)).map(|rule| missing(set, rule, &verdict))
    } else {
        Some(match verdict.rules() {
            [] => "no rule matches".to_owned(),
            ids => format!("determined by {}", listed(set, ids)),
        })
    };
    CaseResult {
        name: case.name.clone(),
        file: case.place.file.to_string(),
        line: case.place.line,
        passed: message.is_none(),
        expected: word(expected.expect).to_owned(),
        got: word(got).to_owned(),
        rules: verdict.rules().iter().map(ToString::to_string).collect(),
        message,
    }
}

/// An assertion over all asks from now on. What the workspace does by default counts as allowed, for
/// a set does not know where it will hold.
fn of_all(set: &PolicySet, case: &Case, assertion: &Assertion, now: Time) -> CaseResult {
    let (got, rules, message) = match assertion.check(set, DefaultDecision::Allow, Some(now)) {
        Ok(Answer::Holds) => ("holds".to_owned(), Vec::new(), None),
        Ok(Answer::Broken(broken)) => {
            let rules = broken.rules.iter().map(ToString::to_string).collect();
            (broken.witness.to_string(), rules, Some(broken.to_string()))
        }
        Err(error) => ("not checked".to_owned(), Vec::new(), Some(error.to_string())),
    };
    CaseResult {
        name: case.name.clone(),
        file: case.place.file.to_string(),
        line: case.place.line,
        passed: message.is_none(),
        expected: format!("never {assertion}"),
        got,
        rules,
        message,
    }
}

fn missing(set: &PolicySet, rule: &RuleId, verdict: &RuleVerdict) -> String {
    match set.rule(rule) {
        Some(_) => format!("`{rule}` is not among the rules that determine it: {}", listed(set, verdict.rules())),
        None => {
            let hint = did_you_mean(rule, set.rules.iter().map(|rule| &*rule.id)).unwrap_or_default();
            format!("there is no rule `{rule}` {hint}").trim_end().to_owned()
        }
    }
}

fn listed(set: &PolicySet, ids: &[RuleId]) -> String {
    let named = |id: &RuleId| match set.rule(id) {
        Some(rule) => format!("`{id}` ({})", rule.place),
        None => format!("`{id}`"),
    };
    match ids {
        [] => "none".to_owned(),
        ids => ids.iter().map(named).collect::<Vec<_>>().join(", "),
    }
}

fn hide(facts: &mut Facts<'_>, unseen: Unseen) {
    match unseen {
        Unseen::Host => facts.host = Fact::Unseen,
        Unseen::Method => facts.method = Fact::Unseen,
        Unseen::Path => facts.path = Fact::Unseen,
        Unseen::Port => facts.port = Fact::Unseen,
        Unseen::Scheme => facts.scheme = Fact::Unseen,
        Unseen::Tool => facts.tool = Fact::Unseen,
        Unseen::Input => facts.input = Fact::Unseen,
    }
}

fn effect_of(verdict: &RuleVerdict) -> Option<Effect> {
    match verdict {
        RuleVerdict::Silent => None,
        RuleVerdict::Allow(_) => Some(Effect::Allow),
        RuleVerdict::Ask(_) => Some(Effect::Ask),
        RuleVerdict::Deny(_) | RuleVerdict::Unevaluable(_) => Some(Effect::Deny),
    }
}

fn word(effect: Option<Effect>) -> &'static str {
    effect.map_or("none", Effect::as_str)
}

fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}

/// A problem at a place.
fn at(place: &Place, message: impl Into<String>, hint: Option<String>) -> Problem {
    Problem { file: place.file.to_string(), line: place.line, column: place.column, message: message.into(), hint }
}

#[cfg(test)]
mod tests;
