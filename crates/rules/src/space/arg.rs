//! The dimension of one value of a tool's input: what a JSON Pointer may point to.
//!
//! The classes are: missing; of no type that is tested; true and false; numbers, cut at every bound
//! (whole ones apart from fractions, because a test of an integer is unknown on a fraction, and a
//! gap without a whole number has no class); texts, one class for each text that is named and one for
//! each pair of the longest prefix and the longest suffix that match; addresses, cut where a network
//! begins or ends.
//!
//! LIMIT: where one pointer is tested as text by one tool and as an address by another, the texts
//! that are addresses are stood for by the ends of each span of addresses.

mod addresses;
mod numbers;
mod texts;

use std::sync::Arc;

use serde_json::{Value, json};

use self::addresses::Addresses;
use self::numbers::Numbers;
use self::texts::Texts;
use super::classes::Classes;
use super::words::{Words, listed};
use crate::rule::ArgType;
use crate::when::{Is, Test, Tri};

/// More pairs of prefixes and suffixes on one value are refused.
pub(crate) const TEXT_PAIRS_MAX: usize = 100_000;

/// One value of the input.
#[derive(Debug)]
pub(crate) struct ArgClasses {
    pub(crate) pointer: Arc<str>,
    missing: u32,
    other: u32,
    /// The class of `false`; that of `true` is the next.
    booleans: Option<u32>,
    numbers: Numbers,
    texts: Texts,
    addresses: Addresses,
    end: u32,
}

impl ArgClasses {
    /// The classes that `tests` tell apart, numbered from `first` on; `None` when the pairs of
    /// prefixes and suffixes are too many.
    pub(crate) fn new(pointer: &Arc<str>, tests: &[&Test], first: u32) -> Option<Self> {
        let booleans = tests.iter().any(|test| test.kind == ArgType::Boolean).then_some(first + 2);
        let next = first + 2 + if booleans.is_some() { 2 } else { 0 };
        let numbers = Numbers::new(tests, next);
        let texts = Texts::new(tests, numbers.end())?;
        let addresses = Addresses::new(tests, texts.end());
        let end = addresses.end();
        let (missing, other) = (first, first + 1);
        Some(Self { pointer: Arc::clone(pointer), missing, other, booleans, numbers, texts, addresses, end })
    }

    /// One past the last class.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// The classes on which the test has a wanted value.
    pub(crate) fn set(&self, test: &Test, wanted: impl Fn(Tri) -> bool) -> Classes {
        let mut runs: Vec<(u32, u32, Tri)> = vec![
            (self.missing, self.missing + 1, if test.optional { Tri::False } else { Tri::Unknown }),
            (self.other, self.other + 1, Tri::Unknown),
        ];
        if let Some(no) = self.booleans {
            let on = |value: bool| test.is.holds(test.kind, &Value::Bool(value));
            runs.extend([(no, no + 1, on(false)), (no + 1, no + 2, on(true))]);
        }
        self.numbers.runs(test, &mut runs);
        self.texts.runs(test, &mut runs);
        self.addresses.runs(test, &mut runs);
        Classes::of(runs.into_iter().filter(|(.., tri)| wanted(*tri)).map(|(from, to, _)| (from, to)))
    }

    /// A value in the class; `None` = it is missing.
    pub(crate) fn example(&self, class: u32) -> Option<Value> {
        if class == self.missing {
            return None;
        }
        let boolean = self.booleans.and_then(|no| match class.checked_sub(no) {
            Some(0) => Some(json!(false)),
            Some(1) => Some(json!(true)),
            _ => None,
        });
        let found = boolean.or_else(|| self.numbers.example(class)).or_else(|| self.texts.example(class));
        Some(found.or_else(|| self.addresses.example(class)).unwrap_or_else(|| json!([])))
    }

    /// The set in words.
    pub(crate) fn words(&self, set: &Classes) -> String {
        let mut some = Vec::new();
        some.extend(self.booleans.filter(|no| set.contains(no + 1)).map(|_| "true".to_owned()));
        some.extend(self.booleans.filter(|no| set.contains(*no)).map(|_| "false".to_owned()));
        self.numbers.words(set, &mut some);
        self.texts.words(set, &mut some);
        self.addresses.words(set, &mut some);
        if set.contains(self.other) {
            some.push("of another type".to_owned());
        }
        if set.contains(self.missing) {
            some.push("missing".to_owned());
        }
        Words { some, ..Words::default() }.phrase("anything")
    }
}

/// A text as rules would quote it.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Several parts of one value in words.
fn joined(parts: &[String]) -> String {
    listed(parts, "and")
}

/// The tests of one pointer that are of a kind.
fn of_kind<'a>(tests: &'a [&'a Test], kinds: &'a [ArgType]) -> impl Iterator<Item = &'a Is> {
    tests.iter().filter(|test| kinds.contains(&test.kind)).map(|test| &test.is)
}
