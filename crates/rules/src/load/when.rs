//! Conditions on tool arguments: read as they are written, checked against the declared tools when
//! all files are known.
//!
//! `{ arg = "/amount", gt = 100 }`; several operators in one test must all hold. `{ all = [...] }`,
//! `{ any = [...] }`, `{ not = {...} }`; a list of tests means all of them.

use std::sync::Arc;

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};

use super::draft::{Draft, at};
use super::shared;
use super::text::{Item, Text};
use crate::problem::did_you_mean;
use crate::rule::{Arg, ArgType, NamePattern, Place, Rule};
use crate::when::{Is, Test, When, address};

/// LIMIT: how deep conditions nest.
const DEPTH_MAX: usize = 16;
/// LIMIT: tests in one rule.
const TESTS_MAX: usize = 200;

pub(super) const OPERATORS: [&str; 10] = ["eq", "ne", "lt", "le", "gt", "ge", "in", "prefix", "suffix", "cidr"];

/// A condition whose values are not typed yet.
pub(crate) enum Unchecked {
    Test { place: Place, arg: Arc<str>, operators: Vec<Operator> },
    All(Vec<Unchecked>),
    Any(Vec<Unchecked>),
    Not(Box<Unchecked>),
}

pub(crate) struct Operator {
    place: Place,
    name: &'static str,
    values: Vec<Scalar>,
}

#[derive(Debug, Clone)]
enum Scalar {
    Text(Arc<str>),
    Number(f64),
    Bool(bool),
}

/// Reads a condition.
pub(super) fn read(draft: &mut Draft, text: &Text<'_>, value: &Item<'_>) -> Option<Unchecked> {
    let mut tests = 0;
    let read = any_depth(draft, text, value, 0, &mut tests)?;
    if tests > TESTS_MAX {
        draft.problem(text.problem(value.span().start, format!("`when` has more than {TESTS_MAX} tests")));
        return None;
    }
    Some(read)
}

fn any_depth(
    draft: &mut Draft,
    text: &Text<'_>,
    value: &Item<'_>,
    depth: usize,
    tests: &mut usize,
) -> Option<Unchecked> {
    let at = value.span().start;
    if depth > DEPTH_MAX {
        draft.problem(text.problem(at, format!("`when` nests deeper than {DEPTH_MAX}")));
        return None;
    }
    match value.get_ref() {
        DeValue::Array(list) => {
            if list.is_empty() {
                draft.problem(text.problem(at, "an empty list of conditions".to_owned()).hinted("leave `when` out"));
                return None;
            }
            list.iter()
                .map(|item| any_depth(draft, text, item, depth + 1, tests))
                .collect::<Option<_>>()
                .map(Unchecked::All)
        }
        DeValue::Table(table) => {
            let single = |name: &str| table.get(name).filter(|_| table.len() == 1);
            if let Some(item) = single("not") {
                return any_depth(draft, text, item, depth + 1, tests).map(|not| Unchecked::Not(Box::new(not)));
            }
            for (name, make) in [("all", Unchecked::All as fn(_) -> _), ("any", Unchecked::Any)] {
                let Some(item) = single(name) else { continue };
                let list = match item.get_ref() {
                    DeValue::Array(list) if !list.is_empty() => list,
                    _ => {
                        draft
                            .problem(text.problem(item.span().start, format!("`{name}` must be a list of conditions")));
                        return None;
                    }
                };
                let some = list.iter().map(|item| any_depth(draft, text, item, depth + 1, tests));
                return some.collect::<Option<_>>().map(make);
            }
            *tests += 1;
            test(draft, text, at, table)
        }
        _ => {
            draft.problem(text.problem(at, "a condition is a table".to_owned()).hinted(EXAMPLE));
            None
        }
    }
}

const EXAMPLE: &str = "write { arg = \"/amount\", gt = 100 }";

fn test(draft: &mut Draft, text: &Text<'_>, at: usize, table: &DeTable<'_>) -> Option<Unchecked> {
    let (mut arg, mut operators) = (None, Vec::new());
    for (key, value) in table {
        let place = key.span().start;
        match (&**key.get_ref(), value.get_ref()) {
            ("arg", DeValue::String(pointer)) => arg = Some(shared(pointer)),
            ("arg", _) => draft.problem(text.problem(place, "`arg` is a JSON Pointer such as \"/amount\"".to_owned())),
            ("all" | "any" | "not", _) => {
                let problem = text.problem(place, format!("`{}` stands alone in its table", key.get_ref()));
                draft.problem(problem.hinted("nest it: { all = [{ … }, { any = [ … ] }] }"));
            }
            (name, _) => match OPERATORS.iter().find(|operator| **operator == name) {
                Some(name) => {
                    let values = scalars(draft, text, value)?;
                    operators.push(Operator { place: text.place(place), name, values });
                }
                None => {
                    let hint = did_you_mean(name, OPERATORS.into_iter().chain(["arg", "all", "any", "not"]));
                    let problem = text.problem(place, format!("`{name}` is not known in a condition"));
                    draft.problem(problem.hinted(&hint.unwrap_or_else(|| OPERATORS.join(", "))));
                }
            },
        }
    }
    let Some(arg) = arg else {
        draft.problem(text.problem(at, "`arg` is missing".to_owned()).hinted(EXAMPLE));
        return None;
    };
    if operators.is_empty() {
        let problem = text.problem(at, format!("nothing is asked of `{arg}`"));
        draft.problem(problem.hinted(&format!("one of {}", OPERATORS.join(", "))));
        return None;
    }
    Some(Unchecked::Test { place: text.place(at), arg, operators })
}

fn scalars(draft: &mut Draft, text: &Text<'_>, value: &Item<'_>) -> Option<Vec<Scalar>> {
    let one = std::slice::from_ref(value);
    let items = match value.get_ref() {
        DeValue::Array(list) => list.iter().as_slice(),
        _ => one,
    };
    if items.is_empty() || items.len() > super::VALUES_MAX {
        let message = format!("a list has 1 to {} values", super::VALUES_MAX);
        draft.problem(text.problem(value.span().start, message));
        return None;
    }
    let scalar = |item: &Item<'_>| match item.get_ref() {
        DeValue::String(text) => Some(Scalar::Text(shared(text))),
        DeValue::Boolean(flag) => Some(Scalar::Bool(*flag)),
        DeValue::Integer(number) => {
            let exact = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            // A JSON number is a double; one that it cannot hold would never be equal.
            #[expect(clippy::cast_precision_loss, reason = "bounded by the filter")]
            Some(exact).filter(|exact| exact.unsigned_abs() <= 1 << 53).map(|exact| Scalar::Number(exact as f64))
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().filter(|n| n.is_finite()).map(Scalar::Number),
        _ => None,
    };
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        match scalar(item) {
            Some(value) => all.push(value),
            None => {
                let message = "a value is a text, a number that a double holds, true or false";
                draft.problem(text.problem(item.span().start, message.to_owned()));
                return None;
            }
        }
    }
    Some(all)
}

/// The condition of a rule, checked against what the rule's tools declare.
pub(super) fn check(draft: &mut Draft, rule: &Rule, unchecked: Unchecked) -> Option<When> {
    let mut tools = Vec::new();
    for pattern in rule.tools.iter().flatten() {
        match pattern {
            NamePattern::Exact(name) if draft.tools.contains_key(name) => tools.push(Arc::clone(name)),
            NamePattern::Exact(name) => {
                let hint = did_you_mean(name, draft.tools.keys().map(|name| &**name));
                let hint = hint.unwrap_or_else(|| format!("declare it: [tools.\"{name}\"]"));
                let message = format!("rule `{}` has a condition, but the tool `{name}` is not declared", rule.id);
                draft.problem(at(&rule.place, message).hinted(&hint));
                return None;
            }
            NamePattern::Below(_) => {
                let message = format!("rule `{}` has a condition, so its tools must be named one by one", rule.id);
                draft.problem(at(&rule.place, message));
                return None;
            }
        }
    }
    if tools.is_empty() {
        let message = format!("rule `{}` has a condition, but names no tool", rule.id);
        draft.problem(at(&rule.place, message).hinted("add tool = \"NAME\""));
        return None;
    }
    typed(draft, &tools, unchecked)
}

fn typed(draft: &mut Draft, tools: &[Arc<str>], unchecked: Unchecked) -> Option<When> {
    let mut each = |some: Vec<Unchecked>| -> Option<Vec<When>> {
        // All of them, so that every problem is told.
        let all: Vec<Option<When>> = some.into_iter().map(|one| typed(draft, tools, one)).collect();
        all.into_iter().collect()
    };
    match unchecked {
        Unchecked::All(all) => each(all).map(When::All),
        Unchecked::Any(any) => each(any).map(When::Any),
        Unchecked::Not(not) => typed(draft, tools, *not).map(|not| When::Not(Box::new(not))),
        Unchecked::Test { place, arg, operators } => {
            let declared = declared(draft, tools, &place, &arg)?;
            let mut tests = Vec::with_capacity(operators.len());
            for operator in operators {
                match operator.on(declared.kind) {
                    Ok((is, negated)) => {
                        let test = Test { at: Arc::clone(&arg), kind: declared.kind, optional: declared.optional, is };
                        let test = When::Test(test);
                        tests.push(if negated { When::Not(Box::new(test)) } else { test });
                    }
                    Err(message) => draft.problem(at(&operator.place, message)),
                }
            }
            let one = tests.pop()?;
            Some(if tests.is_empty() {
                one
            } else {
                tests.push(one);
                When::All(tests)
            })
        }
    }
}

/// What every tool of the rule declares the value to be.
fn declared(draft: &mut Draft, tools: &[Arc<str>], place: &Place, arg: &Arc<str>) -> Option<Arg> {
    let mut found: Option<(Arg, &Arc<str>)> = None;
    for name in tools {
        let Some((_, tool)) = draft.tools.get(name) else { continue };
        let Some(this) = tool.args.get(arg) else {
            let hint = did_you_mean(arg, tool.args.keys().map(|pointer| &**pointer));
            let hint = hint.unwrap_or_else(|| format!("declare it under [tools.\"{name}\"]"));
            draft.problem(at(place, format!("the tool `{name}` declares no `{arg}`")).hinted(&hint));
            return None;
        };
        match found {
            Some((first, other)) if first != *this => {
                draft.problem(at(place, format!("the tools `{other}` and `{name}` declare `{arg}` differently")));
                return None;
            }
            _ => found = Some((*this, name)),
        }
    }
    found.map(|(arg, _)| arg)
}

impl Operator {
    /// What is asked of a value of this type, and whether it is the opposite that is meant.
    fn on(&self, kind: ArgType) -> Result<(Is, bool), String> {
        let name = self.name;
        if !matches!(name, "in" | "cidr") && self.values.len() != 1 {
            return Err(format!("`{name}` takes one value; `in` takes a list"));
        }
        let mismatch = || format!("`{name}` with this value does not fit a value of type {}", kind.as_str());
        let is = match (kind, name) {
            (ArgType::String, "eq" | "ne" | "in") => Is::In(self.texts().ok_or_else(mismatch)?),
            (ArgType::String, "prefix") => Is::Prefix(self.not_empty().ok_or_else(mismatch)?),
            (ArgType::String, "suffix") => Is::Suffix(self.not_empty().ok_or_else(mismatch)?),
            (ArgType::Boolean, "eq" | "ne") => match self.values.first() {
                Some(Scalar::Bool(flag)) => Is::Bool(*flag),
                _ => return Err(mismatch()),
            },
            (ArgType::Number | ArgType::Integer, _) => {
                let numbers = self.numbers().ok_or_else(mismatch)?;
                let first = numbers.first().copied().ok_or_else(mismatch)?;
                match name {
                    "lt" => Is::Less(first),
                    "le" => Is::AtMost(first),
                    "gt" => Is::Greater(first),
                    "ge" => Is::AtLeast(first),
                    "eq" | "ne" | "in" => Is::OneOf(numbers),
                    _ => return Err(mismatch()),
                }
            }
            (ArgType::Ip, "cidr" | "in" | "eq" | "ne") => Is::Within(self.networks()?),
            _ => return Err(mismatch()),
        };
        Ok((is, name == "ne"))
    }

    fn texts(&self) -> Option<Vec<Arc<str>>> {
        let text = |value: &Scalar| match value {
            Scalar::Text(text) => Some(Arc::clone(text)),
            _ => None,
        };
        self.values.iter().map(text).collect()
    }

    fn not_empty(&self) -> Option<Arc<str>> {
        self.texts()?.into_iter().next().filter(|text| !text.is_empty())
    }

    fn numbers(&self) -> Option<Vec<f64>> {
        let number = |value: &Scalar| match value {
            Scalar::Number(number) => Some(*number),
            _ => None,
        };
        self.values.iter().map(number).collect()
    }

    fn networks(&self) -> Result<Vec<IpNet>, String> {
        let network = |value: &Scalar| match value {
            Scalar::Text(text) => text.parse().ok().or_else(|| address(text).map(IpNet::from)),
            _ => None,
        };
        let nets: Option<Vec<IpNet>> = self.values.iter().map(network).collect();
        nets.ok_or_else(|| "a network such as \"10.0.0.0/8\" or an address is expected".to_owned())
    }
}
