//! Redaction inside JSON values.

use std::borrow::Cow;
use std::mem;

use serde_json::{Map, Value};

use crate::names::is_secret_name;
use crate::scanner::{MARKER, Scanner};

/// Longest value that is judged together with its member name, in bytes.
const NAMED_MAX: usize = 4096;

/// Removes secrets from `root`. Walks with a stack of its own, so depth costs no call stack.
pub(crate) fn redact(scanner: &Scanner, root: &mut Value) -> bool {
    let mut replaced = false;
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => replaced |= redact_string(scanner, text),
            Value::Array(items) => open.extend(items.iter_mut()),
            Value::Object(members) => {
                replaced |= rename(scanner, members);
                let described = describes_secret(members);
                for (name, value) in members.iter_mut() {
                    if is_secret_name(name) || (described && name == "value") {
                        replaced |= blank(value);
                        continue;
                    }
                    if let Value::String(text) = value {
                        replaced |= redact_named(scanner, name, text);
                    }
                    open.push(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    replaced
}

fn redact_string(scanner: &Scanner, text: &mut String) -> bool {
    let Cow::Owned(clean) = scanner.text(text) else {
        return false;
    };
    *text = clean;
    true
}

/// `{"name": "Authorization", "value": "…"}`, the way header lists are often written.
fn describes_secret(members: &Map<String, Value>) -> bool {
    let says = |member: &str| members.get(member).and_then(Value::as_str).is_some_and(is_secret_name);
    members.contains_key("value") && (says("name") || says("key") || says("header"))
}

/// Replaces `value` whole. Null and the empty string hold nothing, the marker nothing more.
fn blank(value: &mut Value) -> bool {
    let nothing = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == MARKER,
        _ => false,
    };
    if !nothing {
        *value = Value::String(MARKER.to_owned());
    }
    !nothing
}

/// Judges a value together with its name, as `name="value"` is judged in text.
fn redact_named(scanner: &Scanner, name: &str, text: &mut String) -> bool {
    let fits = (16..NAMED_MAX).contains(&text.len()) && name.len() < 128;
    if !fits || !names_credential(name) || text.contains(|c: char| c.is_whitespace() || c == '"') {
        return false;
    }
    let line = format!("{name}=\"{text}\"");
    let value = name.len() + 2;
    let found = scanner.findings(&line);
    let whole = found.iter().any(|finding| finding.span == (value..value + text.len()));
    if whole {
        *text = MARKER.to_owned();
    }
    whole
}

fn names_credential(name: &str) -> bool {
    let name = name.as_bytes();
    crate::assignment::KEYWORDS
        .iter()
        .any(|word| name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())))
}

/// Redacts member names. Names that become equal get a number, so that no member is lost.
fn rename(scanner: &Scanner, members: &mut Map<String, Value>) -> bool {
    if !members.keys().any(|name| !scanner.findings(name).is_empty()) {
        return false;
    }
    for (name, value) in mem::take(members) {
        let clean = scanner.text(&name).into_owned();
        let mut unique = clean.clone();
        let mut count = 1;
        while members.contains_key(&unique) {
            count += 1;
            unique = format!("{clean} {count}");
        }
        members.insert(unique, value);
    }
    true
}
