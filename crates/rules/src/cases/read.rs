//! Reading tests from TOML, as strictly as rules are read.

use std::collections::BTreeSet;

use model::decision::RuleId;
use toml::de::{DeTable, DeValue};

use super::ask::Asked;
use super::{CASES_MAX, Case, Claim, Expectation, at, is_cases, shared};
use crate::Source;
use crate::load::PROBLEMS_MAX;
use crate::load::text::{Item, Text};
use crate::never::Assertion;
use crate::problem::{Problem, did_you_mean};
use crate::rule::Effect;

const KEYS: [&str; 5] = ["name", "ask", "expect", "rule", "never"];

/// Reads the tests among the files of a set; the other files are left out.
///
/// # Errors
/// Every problem found, in the order of the files and lines, at most [`PROBLEMS_MAX`].
pub fn parse(files: &[Source]) -> Result<Vec<Case>, Vec<Problem>> {
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| is_cases(&file.name)) {
        let text = Text::new(&file.name, &file.text);
        match DeTable::parse(&file.text) {
            Ok(table) => of_file(&text, table.get_ref(), &mut cases, &mut problems),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                problems.push(text.problem(start, error.message().trim().replace('\n', ", ")));
            }
        }
    }
    if cases.len() > CASES_MAX {
        let place = cases.get(CASES_MAX).map(|case: &Case| case.place.clone());
        problems.extend(place.map(|place| at(&place, format!("more than {CASES_MAX} tests"), None)));
    }
    if problems.is_empty() {
        return Ok(cases);
    }
    problems.sort();
    problems.truncate(PROBLEMS_MAX);
    Err(problems)
}

fn of_file(text: &Text<'_>, table: &DeTable<'_>, cases: &mut Vec<Case>, problems: &mut Vec<Problem>) {
    for (key, value) in table {
        let start = key.span().start;
        if &**key.get_ref() != "case" {
            let hint = did_you_mean(key.get_ref(), ["case"]).unwrap_or_else(|| "tests are [[case]] tables".to_owned());
            problems.push(at(&text.place(start), format!("`{}` is not known here", key.get_ref()), Some(hint)));
            continue;
        }
        let DeValue::Array(list) = value.get_ref() else {
            let hint = "write [[case]] with two brackets".to_owned();
            problems.push(at(&text.place(start), "`case` must be a list of tests", Some(hint)));
            continue;
        };
        for item in list.iter() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let mut reader = Reader { text, problems: &mut *problems };
                    cases.extend(reader.case(item.span().start, table));
                }
                _ => problems.push(text.problem(item.span().start, "`case` holds tests only".to_owned())),
            }
        }
    }
}

/// Reads one test and remembers what is wrong with it.
pub(super) struct Reader<'a, 't> {
    pub(super) text: &'a Text<'t>,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Reader<'_, '_> {
    pub(super) fn wrong(&mut self, start: usize, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(at(&self.text.place(start), message, hint));
    }

    /// A text.
    pub(super) fn string<'v>(&mut self, name: &str, value: &'v Item<'_>) -> Option<&'v str> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text);
        }
        self.wrong(value.span().start, format!("`{name}` must be a text"), None);
        None
    }

    /// One text, or a list of them.
    pub(super) fn strings<'v>(&mut self, name: &str, value: &'v Item<'_>) -> Vec<(usize, &'v str)> {
        let one = std::slice::from_ref(value);
        let items = match value.get_ref() {
            DeValue::Array(list) => list.iter().as_slice(),
            _ => one,
        };
        items.iter().filter_map(|item| Some((item.span().start, self.string(name, item)?))).collect()
    }

    fn case(&mut self, start: usize, table: &DeTable<'_>) -> Option<Case> {
        let before = self.problems.len();
        let place = self.text.place(start);
        let (mut name, mut asked, mut expect, mut rules, mut never) = (None, None, None, Vec::<RuleId>::new(), None);
        for (key, value) in table {
            let at = key.span().start;
            match &**key.get_ref() {
                "name" => name = self.string("name", value),
                "ask" => asked = Some(self.ask(value)),
                "expect" => expect = self.expect(value),
                "rule" => rules = self.strings("rule", value).into_iter().map(|(_, id)| shared(id)).collect(),
                "never" => never = self.string("never", value),
                other => {
                    let hint = did_you_mean(other, KEYS);
                    self.wrong(at, format!("`{other}` is not a key of a test"), hint);
                }
            }
        }
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        if name.is_none() && self.problems.len() == before {
            self.wrong(start, "the test has no name", Some("add name = \"what must hold\"".to_owned()));
        }
        let asks = match (asked, expect, never) {
            _ if self.problems.len() > before => return None,
            (None, None, Some(text)) if rules.is_empty() => Claim::Never(Box::new(self.never(table, text)?)),
            (Some(asked), Some(expect), None) => {
                let Asked { ask, unseen, at } = asked?;
                Claim::Ask(Box::new(Expectation { ask, unseen, at, expect, rules }))
            }
            (_, _, Some(_)) => {
                self.wrong(start, "`never` stands alone", Some("leave ask, expect and rule out".to_owned()));
                return None;
            }
            (None, ..) => {
                self.wrong(start, "the test asks nothing", Some("add ask = { … } or never = \"…\"".to_owned()));
                return None;
            }
            (Some(_), None, None) => {
                let hint = "add expect = \"allow\", \"ask\", \"deny\" or \"none\"".to_owned();
                self.wrong(start, "the test expects nothing", Some(hint));
                return None;
            }
        };
        Some(Case { name: name?.to_owned(), place, asks })
    }

    /// An assertion.
    fn never(&mut self, table: &DeTable<'_>, text: &str) -> Option<Assertion> {
        match Assertion::parse(text) {
            Ok(assertion) => Some(assertion),
            Err(error) => {
                let start = table.get("never").map_or(0, |value| value.span().start);
                self.wrong(start, error.to_string(), None);
                None
            }
        }
    }

    /// `Some(None)`: no rule is expected to match.
    fn expect(&mut self, value: &Item<'_>) -> Option<Option<Effect>> {
        let text = self.string("expect", value)?;
        if text == "none" {
            return Some(None);
        }
        let found = Effect::ALL.into_iter().find(|effect| effect.as_str() == text);
        if found.is_none() {
            let hint = did_you_mean(text, ["allow", "ask", "deny", "none"]);
            let hint = hint.unwrap_or_else(|| "allow, ask, deny or none".to_owned());
            self.wrong(value.span().start, format!("`{text}` is not an outcome of rules"), Some(hint));
        }
        found.map(Some)
    }

    /// Names of facts.
    pub(super) fn unseen(&mut self, value: &Item<'_>) -> BTreeSet<super::Unseen> {
        let known = super::Unseen::ALL;
        let mut all = BTreeSet::new();
        for (start, text) in self.strings("unseen", value) {
            match known.iter().find(|(_, name)| *name == text) {
                Some((fact, _)) => drop(all.insert(*fact)),
                None => {
                    let hint = did_you_mean(text, known.iter().map(|(_, name)| *name));
                    self.wrong(start, format!("`{text}` is not a fact that can be unseen"), hint);
                }
            }
        }
        all
    }
}
