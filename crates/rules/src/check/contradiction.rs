//! Rules whose own selectors contradict each other.

use std::fmt;

use serde::Serialize;

use crate::rule::{Ports, Rule};
use crate::selector::Selector;
use crate::space::classes::Sets;
use crate::space::{Mentions, Shape, Space};
use crate::when::Tri;

/// Why a rule can never match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// No ask has both facts.
    Apart(Selector, Selector),
    /// The condition holds for no input.
    When,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart(one, other) => write!(f, "no ask has both `{}` and `{}`", one.as_str(), other.as_str()),
            Self::When => f.write_str("`when` holds for no input"),
        }
    }
}

/// Why no ask can match the rule for certain; `None` when some can.
///
/// Looks at this rule alone, and at nothing but its condition in detail. What is too complicated to
/// tell counts as possible.
#[must_use]
pub fn never_matches(rule: &Rule) -> Option<Contradiction> {
    let mut before: Vec<(Selector, u8)> = Vec::new();
    for (selector, shapes) in applies(rule) {
        if let Some((other, _)) = before.iter().find(|(_, others)| others & shapes == 0) {
            return Some(Contradiction::Apart(*other, selector));
        }
        before.push((selector, shapes));
    }
    rule.when.as_ref()?;
    let space = Space::new(Mentions::of([rule]), None).ok()?;
    let pieces = space.pieces(rule, Shape::ToolCall, Tri::True, &mut Sets::default()).ok()?;
    pieces.is_empty().then_some(Contradiction::When)
}

/// The selectors that only some shapes of asks have facts for, and those shapes.
fn applies(rule: &Rule) -> impl Iterator<Item = (Selector, u8)> {
    let egress = Shape::Egress.bit();
    let tool = Shape::ToolCall.bit();
    let data = Shape::DataAccess.bit();
    [
        (Selector::Host, rule.hosts.is_some(), egress | Shape::Action.bit()),
        (Selector::Method, rule.methods.is_some(), egress),
        (Selector::Path, rule.paths.is_some(), egress),
        (Selector::Port, matches!(rule.ports, Ports::In(_)), egress),
        (Selector::Scheme, rule.schemes.is_some(), egress),
        (Selector::Tool, rule.tools.is_some(), tool),
        (Selector::When, rule.when.is_some(), tool),
        (Selector::Label, rule.labels.is_some(), data),
        (Selector::Purpose, rule.purposes.is_some(), data),
    ]
    .into_iter()
    .filter(|(_, has, _)| *has)
    .map(|(selector, _, shapes)| (selector, shapes))
}
