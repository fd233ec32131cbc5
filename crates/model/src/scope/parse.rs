//! Reading the scopes of a grant. Strict: a key or an entry that would be ignored would be a token
//! that does not do what its grantor wrote.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{DataScopes, TokenScopes, set};
use crate::{Action, DomainPattern};

/// The most entries a list may have, repetitions included.
pub const ENTRIES_MAX: usize = 1_000;

/// The longest entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 200;

/// The longest entry of `egress_domains`, in bytes: a longest name and `*.`.
pub const DOMAIN_BYTES_MAX: usize = 255;

/// How much of an unknown key is repeated in an error, in characters.
const KEY_CHARS_SHOWN: usize = 64;

/// Why a value is not a set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {fault}")]
pub struct InvalidScopes {
    /// Where: a JSON pointer into the scopes, empty for the whole.
    pub field: String,
    /// What is wrong there.
    pub fault: ScopesFault,
}

/// What is wrong with one place of a set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopesFault {
    /// Something else where an object belongs.
    #[error("is not an object")]
    NotAnObject,
    /// A key that scopes do not have.
    #[error("is not a scope; known are rooms, tools, egress_domains, action_types and data_access {{read, write}}")]
    UnknownKey,
    /// Something else where a list belongs.
    #[error("is not a list")]
    NotAList,
    /// Too many entries.
    #[error("has more than {ENTRIES_MAX} entries")]
    TooMany,
    /// An entry that is not a text.
    #[error("is not a string")]
    NotText,
    /// An empty entry.
    #[error("is blank")]
    Blank,
    /// An entry above its limit.
    #[error("is too long")]
    TooLong,
    /// An entry with a control character.
    #[error("has a control character")]
    Control,
    /// A `*` that is only a part of an entry.
    #[error("has a `*` that does not stand alone")]
    Wildcard,
    /// Not an action name.
    #[error("is not an action name")]
    NotAnAction,
    /// Not a domain pattern.
    #[error("is not a domain name, an address, `*.suffix` or `*`")]
    NotADomain,
    /// Not a data entry.
    #[error("is not `<type>`, `room:<room>`, `resource_type:<type>` or `resource:<type>:<id>`")]
    NotData,
}

impl InvalidScopes {
    fn at(field: impl Into<String>, fault: ScopesFault) -> Self {
        Self { field: field.into(), fault }
    }
}

/// What the entries of a list are.
#[derive(Clone, Copy)]
enum Entry {
    Name,
    Action,
    Domain,
    Data,
}

pub(super) fn scopes(value: &Value) -> Result<TokenScopes, InvalidScopes> {
    let mut scopes = TokenScopes::default();
    for (key, value) in object(value, "")?.into_iter().flatten() {
        match key.as_str() {
            "rooms" => scopes.rooms = list(value, "/rooms", Entry::Name)?,
            "tools" => scopes.tools = list(value, "/tools", Entry::Name)?,
            "egress_domains" => scopes.egress_domains = list(value, "/egress_domains", Entry::Domain)?,
            "action_types" => scopes.action_types = list(value, "/action_types", Entry::Action)?,
            "data_access" => scopes.data_access = data(value)?,
            _ => return Err(unknown("", key)),
        }
    }
    Ok(scopes)
}

fn data(value: &Value) -> Result<DataScopes, InvalidScopes> {
    let mut scopes = DataScopes::default();
    for (key, value) in object(value, "/data_access")?.into_iter().flatten() {
        match key.as_str() {
            "read" => scopes.read = list(value, "/data_access/read", Entry::Data)?,
            "write" => scopes.write = list(value, "/data_access/write", Entry::Data)?,
            _ => return Err(unknown("/data_access", key)),
        }
    }
    Ok(scopes)
}

/// An object, or nothing where null stands.
fn object<'a>(value: &'a Value, field: &str) -> Result<Option<&'a Map<String, Value>>, InvalidScopes> {
    match value {
        Value::Null => Ok(None),
        Value::Object(map) => Ok(Some(map)),
        _ => Err(InvalidScopes::at(field, ScopesFault::NotAnObject)),
    }
}

fn list(value: &Value, field: &str, kind: Entry) -> Result<BTreeSet<String>, InvalidScopes> {
    let entries = match value {
        Value::Null => return Ok(BTreeSet::new()),
        Value::Array(entries) => entries,
        _ => return Err(InvalidScopes::at(field, ScopesFault::NotAList)),
    };
    if entries.len() > ENTRIES_MAX {
        return Err(InvalidScopes::at(field, ScopesFault::TooMany));
    }
    let at = |(index, value)| entry(value, kind).map_err(|fault| InvalidScopes::at(format!("{field}/{index}"), fault));
    entries.iter().enumerate().map(at).collect()
}

fn entry(value: &Value, kind: Entry) -> Result<String, ScopesFault> {
    let text = value.as_str().ok_or(ScopesFault::NotText)?.trim();
    let bytes_max = if matches!(kind, Entry::Domain) { DOMAIN_BYTES_MAX } else { ENTRY_BYTES_MAX };
    if text.is_empty() {
        return Err(ScopesFault::Blank);
    }
    if text.len() > bytes_max {
        return Err(ScopesFault::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(ScopesFault::Control);
    }
    if text == "*" {
        return Ok(text.to_owned());
    }
    if !matches!(kind, Entry::Domain) && text.contains('*') {
        return Err(ScopesFault::Wildcard);
    }
    match kind {
        Entry::Name => Ok(text.to_owned()),
        Entry::Action => Action::parse(text).map(String::from).map_err(|_| ScopesFault::NotAnAction),
        Entry::Domain => DomainPattern::parse(text).map(String::from).map_err(|_| ScopesFault::NotADomain),
        Entry::Data => set::is_data_entry(text).then(|| text.to_owned()).ok_or(ScopesFault::NotData),
    }
}

fn unknown(parent: &str, key: &str) -> InvalidScopes {
    let mut field = format!("{parent}/");
    for c in key.chars().take(KEY_CHARS_SHOWN) {
        match c {
            '~' => field.push_str("~0"),
            '/' => field.push_str("~1"),
            c if c.is_control() => field.push('\u{fffd}'),
            c => field.push(c),
        }
    }
    InvalidScopes::at(field, ScopesFault::UnknownKey)
}
