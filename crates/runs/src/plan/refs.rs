//! References to what earlier steps gave: `{"$ref": "/steps/0/output/decision"}`, a JSON Pointer
//! (RFC 6901) into `{"input": …, "steps": [{"status": …, "output": …}, …]}`.
//!
//! What a reference brings in is taken as it is: references in it stay what they are.

use std::io;

use serde_json::{Value, json};

/// LIMIT: how deep references are looked for.
const DEPTH_MAX: usize = 64;

/// LIMIT: how much the references of one step may bring in, as bytes of JSON. Without it a short
/// list of references to a long input would be a very long input.
const BROUGHT_BYTES_MAX: usize = 1 << 20;

/// Why references cannot be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// One points at nothing, or lies too deep to be looked for.
    #[error("a reference points at nothing")]
    NothingThere,
    /// Together they bring in too much.
    #[error("the references bring in too much")]
    TooMuch,
}

/// The value with its references replaced by what they point at.
///
/// # Errors
/// [`Unresolved`] when one points at nothing or lies deeper than 64 levels, and when together they
/// bring in more than 1 MiB of JSON.
pub fn resolve(value: &Value, input: &Value, steps: &[Value]) -> Result<Value, Unresolved> {
    if !contains(value, 0) {
        return Ok(value.clone());
    }
    let document = json!({"input": input, "steps": steps});
    replaced(value, &document, 0, &mut Room(BROUGHT_BYTES_MAX))
}

/// How much more may be brought in.
struct Room(usize);

impl Room {
    fn take(&mut self, value: &Value) -> Result<(), Unresolved> {
        serde_json::to_writer(self, value).map_err(|_| Unresolved::TooMuch)
    }
}

impl io::Write for &mut Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pointer(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get("$ref")?.as_str()
}

fn contains(value: &Value, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        // Too deep to look: resolving says so.
        return true;
    }
    match value {
        Value::Object(_) if pointer(value).is_some() => true,
        Value::Object(members) => members.values().any(|value| contains(value, depth + 1)),
        Value::Array(items) => items.iter().any(|value| contains(value, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn replaced(value: &Value, document: &Value, depth: usize, room: &mut Room) -> Result<Value, Unresolved> {
    if depth > DEPTH_MAX {
        return Err(Unresolved::NothingThere);
    }
    if let Some(pointer) = pointer(value) {
        let found = document.pointer(pointer).ok_or(Unresolved::NothingThere)?;
        room.take(found)?;
        return Ok(found.clone());
    }
    Ok(match value {
        Value::Object(members) => {
            let mut all = serde_json::Map::new();
            for (name, value) in members {
                all.insert(name.clone(), replaced(value, document, depth + 1, room)?);
            }
            Value::Object(all)
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| replaced(item, document, depth + 1, room)).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}
