//! From texts to a [`PolicySet`]: everything is checked here, so that what is loaded can be decided
//! on without a doubt.
//!
//! All problems of a text are reported, not only the first. Unknown keys, wrong types, empty
//! selectors, duplicate ids, cyclic groups and rules that contradict themselves are problems.

mod draft;
mod groups;
mod names;
mod rule;
pub(crate) mod text;
mod tools;
mod when;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Time;
use serde::Serialize;
use toml::de::{DeArray, DeTable, DeValue};

use crate::Source;
use crate::problem::{Problem, did_you_mean};
use crate::rule::{Effect, PolicySet, Rule};
use draft::Draft;
pub(crate) use rule::KEYS;
use text::{Item, Key, Text};

/// LIMIT: bytes of all texts of a set together.
pub const SET_BYTES_MAX: usize = 8 * 1024 * 1024;
/// LIMIT: rules of a set.
pub const RULES_MAX: usize = 50_000;
/// LIMIT: files of a set.
pub const FILES_MAX: usize = 200;
/// LIMIT: problems reported at once.
pub const PROBLEMS_MAX: usize = 100;
/// LIMIT: values of one selector.
pub const VALUES_MAX: usize = 2_000;

/// The end of the name of a file that holds tests, not rules.
pub const TESTS: &str = ".test.toml";

/// What the keys at the top of a file are.
pub(crate) const TOP: [&str; 5] = ["allow", "ask", "deny", "groups", "tools"];

/// A set that was read without a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The set.
    pub set: PolicySet,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Problem>,
}

/// Reads and checks a set. Files with tests (`*.test.toml`) are left out.
///
/// # Errors
/// Every problem found, in the order of the files and lines, at most [`PROBLEMS_MAX`].
pub fn load(sources: &[Source]) -> Result<Loaded, Vec<Problem>> {
    within_limits(sources).map_err(|problem| vec![problem])?;
    let mut draft = Draft::default();
    for source in sources.iter().filter(|source| !source.name.ends_with(TESTS)) {
        read(&mut draft, source);
    }
    let (set, warnings) = draft.finish()?;
    Ok(Loaded { set, warnings })
}

/// The rules that have expired by now, as warnings.
#[must_use]
pub fn expired(set: &PolicySet, now: Time) -> Vec<Problem> {
    let over = |rule: &&Rule| rule.until.is_some_and(|until| until <= now);
    set.rules.iter().filter(over).map(|rule| about(rule, "has expired and matches nothing")).collect()
}

/// What a set holds, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rules that allow.
    pub allow: usize,
    /// Rules that ask.
    pub ask: usize,
    /// Rules that deny.
    pub deny: usize,
    /// Of all those, the ones that are only tried.
    pub shadow: usize,
}

/// Counts the rules of a set.
#[must_use]
pub fn counts(set: &PolicySet) -> Counts {
    let of = |effect| set.rules.iter().filter(|rule| rule.effect == effect).count();
    Counts {
        allow: of(Effect::Allow),
        ask: of(Effect::Ask),
        deny: of(Effect::Deny),
        shadow: set.rules.iter().filter(|rule| rule.shadow).count(),
    }
}

fn about(rule: &Rule, message: &str) -> Problem {
    Problem {
        file: rule.place.file.to_string(),
        line: rule.place.line,
        column: rule.place.column,
        message: format!("rule `{}` {message}", rule.id),
        hint: None,
    }
}

fn within_limits(sources: &[Source]) -> Result<(), Problem> {
    let whole = |file: &str, message: String, hint: &str| Problem {
        file: file.to_owned(),
        line: 0,
        column: 0,
        message,
        hint: Some(hint.to_owned()),
    };
    if sources.len() > FILES_MAX {
        return Err(whole("policies", format!("more than {FILES_MAX} files"), "put several into one"));
    }
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    if bytes > SET_BYTES_MAX {
        let message = format!("{bytes} bytes of rules, the limit of a set is {SET_BYTES_MAX}");
        return Err(whole("policies", message, "use groups and lists instead of a rule for each"));
    }
    let mut seen = BTreeMap::new();
    for source in sources {
        if seen.insert(&source.name, ()).is_some() {
            return Err(whole(&source.name, "two files have this name".to_owned(), "rename one"));
        }
    }
    Ok(())
}

fn read(draft: &mut Draft, source: &Source) {
    let text = Text::new(&source.name, &source.text);
    let table = match DeTable::parse(&source.text) {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            draft.problem(text.problem(at, error.message().trim().replace('\n', ", ")));
            return;
        }
    };
    let mut effects = Vec::new();
    for (key, value) in table.get_ref() {
        match &**key.get_ref() {
            "allow" => effects.push((Effect::Allow, key, value)),
            "ask" => effects.push((Effect::Ask, key, value)),
            "deny" => effects.push((Effect::Deny, key, value)),
            "groups" => groups::read(draft, &text, value),
            "tools" => tools::read(draft, &text, value),
            "rule" | "rules" => {
                let problem = text.problem(key.span().start, "`rule` is not known here".to_owned());
                draft.problem(problem.hinted("write [[allow]], [[ask]] or [[deny]]"));
            }
            other => {
                let problem = text.problem(key.span().start, format!("`{other}` is not known here"));
                draft.problem(problem.maybe_hinted(did_you_mean(other, TOP)));
            }
        }
    }
    // In the order they were written, whatever their effect.
    let mut rules = Vec::new();
    for (effect, key, value) in effects {
        match value.get_ref() {
            DeValue::Array(array) => rules.extend(tables(draft, &text, key, array).map(|item| (effect, item))),
            _ => {
                let name = key.get_ref();
                let problem = text.problem(key.span().start, format!("`{name}` must be a list of rules"));
                draft.problem(problem.hinted(&format!("write [[{name}]] with two brackets")));
            }
        }
    }
    rules.sort_by_key(|(_, (at, _))| *at);
    for (effect, (at, table)) in rules {
        rule::read(draft, &text, effect, at, table);
    }
}

/// The tables of an array, each with the place of its header.
fn tables<'a, 'i>(
    draft: &mut Draft,
    text: &Text<'_>,
    key: &Key<'i>,
    array: &'a DeArray<'i>,
) -> impl Iterator<Item = (usize, &'a DeTable<'i>)> + use<'a, 'i> {
    let mut tables = Vec::with_capacity(array.len());
    for item in array.iter() {
        match item.get_ref() {
            DeValue::Table(table) => tables.push((item.span().start, table)),
            _ => draft.problem(text.problem(item.span().start, format!("`{}` holds rules only", key.get_ref()))),
        }
    }
    tables.into_iter()
}

/// The texts of a value that is one text or a list of them, with their places.
pub(crate) fn strings<'a>(
    draft: &mut Draft,
    text: &Text<'_>,
    name: &str,
    value: &'a Item<'_>,
) -> Vec<(usize, &'a str)> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::String(one) => vec![(at, one.as_ref())],
        DeValue::Array(list) if list.is_empty() => {
            let problem = text.problem(at, format!("`{name}` is empty, so the rule would match nothing"));
            draft.problem(problem.hinted("leave it out to match everything, or name something"));
            Vec::new()
        }
        DeValue::Array(list) if list.len() > VALUES_MAX => {
            draft.problem(text.problem(at, format!("`{name}` has more than {VALUES_MAX} values")));
            Vec::new()
        }
        DeValue::Array(list) => {
            let mut texts = Vec::with_capacity(list.len());
            for item in list.iter() {
                match item.get_ref() {
                    DeValue::String(one) => texts.push((item.span().start, one.as_ref())),
                    _ => draft.problem(text.problem(item.span().start, format!("`{name}` holds texts only"))),
                }
            }
            texts
        }
        _ => {
            draft.problem(text.problem(at, format!("`{name}` must be a text or a list of texts")));
            Vec::new()
        }
    }
}

/// A text that is shared by whoever holds it.
pub(crate) fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// The keys of an object of the schema.
    fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
        schema.pointer(pointer).and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    #[test]
    fn the_schema_knows_the_keys_that_are_read() {
        let schema: Value = serde_json::from_str(crate::SCHEMA).unwrap();
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        assert_eq!(keys(&schema, "/properties"), named(&TOP));
        // `effect` is known only to say that it is not a key.
        let rule: Vec<&str> = KEYS.into_iter().filter(|key| *key != "effect").collect();
        assert_eq!(keys(&schema, "/$defs/rule/properties"), named(&rule));
        let test = keys(&schema, "/$defs/when/oneOf/1/properties");
        assert_eq!(test, named(&when::OPERATORS.into_iter().chain(["arg"]).collect::<Vec<_>>()));
    }
}
