//! One TOML file as a flat list of settings. Unknown keys are refused with the nearest known one.

use std::io::ErrorKind;
use std::path::Path;

use toml::Value;

use super::{ConfigError, Key};
use crate::suggest;

/// Whether a file that is not there is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Somebody named it.
    Required,
    /// It is one of the usual places.
    Optional,
}

/// Reads one file; an optional one that is not there holds nothing.
pub(super) fn read(path: &Path, presence: Presence) -> Result<Vec<(Key, String)>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error)
            if presence == Presence::Optional
                && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            Ok(Vec::new())
        }
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<(Key, String)>, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::Syntax {
            path: path.to_owned(),
            detail: format!("line {line}: {}", error.message().replace('\n', " ")),
        }
    })?;
    let mut found = Vec::new();
    flatten(path, "", table, &mut found)?;
    Ok(found)
}

fn flatten(path: &Path, prefix: &str, table: toml::Table, found: &mut Vec<(Key, String)>) -> Result<(), ConfigError> {
    for (name, value) in table {
        let full = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        let key = Key::ALL.iter().copied().find(|key| key.path() == full);
        match (key, value) {
            (Some(key), value) => found.push((key, scalar(path, key, value)?)),
            (None, Value::Table(inner)) if is_table(&full) => flatten(path, &full, inner, found)?,
            (None, _) => {
                let suggestion = suggest_key(&full);
                return Err(ConfigError::UnknownKey { path: path.to_owned(), key: full, suggestion });
            }
        }
    }
    Ok(())
}

fn is_table(name: &str) -> bool {
    Key::ALL.iter().any(|key| key.path().strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The nearest key by its whole name, the nearest table, or the nearest key by its variable or, when the table
/// was forgotten, by its last part.
fn suggest_key(given: &str) -> Option<&'static str> {
    let whole = || suggest::nearest(given, Key::ALL.iter().map(|key| key.path()));
    let table = || suggest::nearest(given, Key::ALL.iter().filter_map(|key| Some(key.path().split_once('.')?.0)));
    let variable = || {
        let near = suggest::nearest(given, Key::ALL.iter().map(|key| key.variable()))?;
        Key::ALL.iter().find(|key| key.variable() == near).map(|key| key.path())
    };
    let last = || {
        let part = |key: &Key| key.path().rsplit('.').next().unwrap_or_default();
        let near = suggest::nearest(given.rsplit('.').next()?, Key::ALL.iter().map(part))?;
        Key::ALL.iter().find(|key| part(key) == near).map(|key| key.path())
    };
    whole().or_else(table).or_else(variable).or_else(last)
}

/// A value as text; a list as its parts with commas between, as its variable is written.
fn scalar(path: &Path, key: Key, value: Value) -> Result<String, ConfigError> {
    match value {
        Value::Array(parts) if key.is_list() => {
            let parts: Result<Vec<String>, ConfigError> =
                parts.into_iter().map(|part| one_of(path, key, part)).collect();
            Ok(parts?.join(","))
        }
        Value::String(text) => Ok(text),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(yes) => Ok(yes.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => Err(ConfigError::Invalid {
            origin: super::Origin::File { path: path.to_owned(), key: key.path() },
            value: value.type_str().to_owned(),
            expects: "a text, a whole number or a boolean",
        }),
    }
}

/// A part of a list: a text, or for a trusted upstream a table.
fn one_of(path: &Path, key: Key, part: Value) -> Result<String, ConfigError> {
    let invalid = |value: &str| ConfigError::Invalid {
        origin: super::Origin::File { path: path.to_owned(), key: key.path() },
        value: value.to_owned(),
        expects: if key == Key::TrustedUpstreams { "a text, or a table of host, net and port" } else { "a text" },
    };
    match part {
        // A comma would make two of it.
        Value::String(text) if !text.contains(',') => Ok(text),
        Value::Table(mut table) if key == Key::TrustedUpstreams => {
            let (host, net, port) = (table.remove("host"), table.remove("net"), table.remove("port"));
            let net = match net {
                None => String::new(),
                Some(Value::String(net)) if net.contains(':') && !net.contains('/') => format!("=[{net}]"),
                Some(Value::String(net)) => format!("={net}"),
                Some(other) => return Err(invalid(other.type_str())),
            };
            let port = match port {
                None => String::new(),
                Some(Value::Integer(port)) => format!(":{port}"),
                Some(other) => return Err(invalid(other.type_str())),
            };
            // One address of IPv6 stands in brackets only before a port.
            let net = if port.is_empty() { net.replace(['[', ']'], "") } else { net };
            match host {
                Some(Value::String(host)) if table.is_empty() && !format!("{host}{net}").contains(',') => {
                    Ok(format!("{host}{net}{port}"))
                }
                _ => Err(invalid("table")),
            }
        }
        other => Err(invalid(other.type_str())),
    }
}
