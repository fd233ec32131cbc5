//! The words of an assertion, turned into the selectors of a rule and read by the reader of rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::Assertion;
use crate::Source;
use crate::load::load;
use crate::problem::did_you_mean;

/// LIMIT: bytes of one assertion.
const TEXT_BYTES_MAX: usize = 4_096;

/// The keys of words.
const KEYS: [&str; 14] = [
    "agent", "user", "service", "group", "action", "host", "method", "path", "port", "scheme", "zone", "room", "tool",
    "label",
];
const PURPOSE: &str = "purpose";
const TUNNEL: &str = "tunnel";
/// Methods whose names in small letters are not taken for a host.
const METHODS: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "CONNECT"];

/// Why a text is not an assertion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is nothing in it.
    #[error("an assertion has at least one word, such as `agent:coder POST *.prod.example.com`")]
    Empty,
    /// It is too long.
    #[error("an assertion has at most {TEXT_BYTES_MAX} bytes")]
    Long,
    /// A word cannot be read.
    #[error("`{word}`: {expected}")]
    Word {
        /// The word.
        word: String,
        /// What is wrong, and what was expected.
        expected: String,
    },
}

/// Reads the words.
pub(super) fn parse(text: &str) -> Result<Assertion, ParseError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ParseError::Long);
    }
    let mut words: BTreeMap<&str, &str> = BTreeMap::new();
    let mut bare = Vec::new();
    for word in text.split_whitespace() {
        let wrong = |expected: String| ParseError::Word { word: word.to_owned(), expected };
        let Some((key, value)) = word.split_once(':').filter(|_| !word.starts_with('[')) else {
            bare.push(word);
            continue;
        };
        let Some(key) = KEYS.into_iter().chain([PURPOSE, TUNNEL]).find(|known| *known == key) else {
            let hint = did_you_mean(key, KEYS.into_iter().chain([PURPOSE, TUNNEL]));
            let keys = || format!("expected one of {}, {PURPOSE}, {TUNNEL}", KEYS.join(", "));
            return Err(wrong(format!("`{key}` is not a key; {}", hint.unwrap_or_else(keys))));
        };
        if value.is_empty() || value.split(',').any(str::is_empty) {
            return Err(wrong(format!("expected a value after `{key}:`, or several with commas between")));
        }
        if words.insert(key, value).is_some() {
            return Err(wrong(format!("`{key}` is there twice; several values are written with commas between")));
        }
    }
    for (key, word) in without_keys(&bare)? {
        if words.insert(key, word).is_some() {
            let expected = format!("there is a {key} already");
            return Err(ParseError::Word { word: word.to_owned(), expected });
        }
    }
    if words.is_empty() {
        return Err(ParseError::Empty);
    }
    let opaque = match words.remove(TUNNEL) {
        None => false,
        Some("opaque") => true,
        Some(other) => {
            let expected = "only `tunnel:opaque` can be meant; leave the word out for every request".to_owned();
            return Err(ParseError::Word { word: format!("{TUNNEL}:{other}"), expected });
        }
    };
    let groups = words.remove("group").map(|some| some.split(',').map(Arc::from).collect()).unwrap_or_default();
    Ok(Assertion { text: text.split_whitespace().collect::<Vec<_>>().join(" "), meant: read(&words)?, groups, opaque })
}

/// The method and the host that stand without a key.
fn without_keys<'a>(bare: &[&'a str]) -> Result<Vec<(&'static str, &'a str)>, ParseError> {
    let method = |word: &str| word.bytes().all(|b| b.is_ascii_uppercase() || b == b',' || b == b'-');
    let wrong = |word: &str, expected: String| ParseError::Word { word: word.to_owned(), expected };
    match bare {
        [] => Ok(Vec::new()),
        [one] if method(one) => Ok(vec![("method", one)]),
        [one] => match METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(one)) {
            Some(method) => Err(wrong(one, format!("did you mean `{method}`? methods are written in capitals"))),
            None => Ok(vec![("host", one)]),
        },
        [first, second] if method(first) || *first == "*" => Ok(vec![("method", first), ("host", second)]),
        [first, _] => {
            let hint = did_you_mean(first, METHODS).map_or_else(String::new, |hint| format!("; {hint}"));
            Err(wrong(first, format!("expected a method in capitals before the host{hint}")))
        }
        [_, _, third, ..] => {
            Err(wrong(third, "expected one method and one host at most; other words have a key".into()))
        }
    }
}

/// Has the words read as the selectors of a rule.
fn read(words: &BTreeMap<&str, &str>) -> Result<crate::Rule, ParseError> {
    let mut text = "[[deny]]\nid = \"never\"\n".to_owned();
    let mut some = false;
    for (key, value) in words {
        if *key == "method" && *value == "*" {
            continue;
        }
        some = true;
        let list: Vec<String> = value.split(',').map(|one| format!("{one:?}")).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{key} = [{}]", list.join(", "));
    }
    if !some {
        text.push_str("everything = true\n");
    }
    let read = load(&[Source { name: "assertion".to_owned(), text }]);
    let loaded = read.map_err(|problems| {
        let problem = problems.into_iter().next();
        let line = problem.as_ref().map_or(0, |problem| usize::try_from(problem.line).unwrap_or(0));
        let keys = words.iter().filter(|(key, value)| **key != "method" || **value != "*");
        let word = line.checked_sub(3).and_then(|nth| keys.clone().nth(nth));
        let said = problem.map(|problem| match problem.hint {
            Some(hint) => format!("{} ({hint})", problem.message),
            None => problem.message,
        });
        ParseError::Word {
            word: word.map_or_else(
                || keys.map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(" "),
                |(key, value)| format!("{key}:{value}"),
            ),
            expected: said.unwrap_or_else(|| "cannot be read".to_owned()),
        }
    })?;
    loaded.set.rules.into_iter().next().ok_or(ParseError::Empty)
}
