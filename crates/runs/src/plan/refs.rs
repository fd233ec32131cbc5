//! References to what earlier steps gave: `{"$ref": "/steps/0/output/decision"}`, a JSON Pointer
//! (RFC 6901) into `{"input": …, "steps": [{"status": …, "output": …}, …]}`.

use serde_json::{Value, json};

/// LIMIT: how deep references are looked for.
const DEPTH_MAX: usize = 64;

/// A reference that points at nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference points at nothing")]
pub struct Unresolved;

/// The value with its references replaced by what they point at.
///
/// # Errors
/// [`Unresolved`] when one points at nothing, or lies deeper than 64 levels.
pub fn resolve(value: &Value, input: &Value, steps: &[Value]) -> Result<Value, Unresolved> {
    if !contains(value, 0) {
        return Ok(value.clone());
    }
    let document = json!({"input": input, "steps": steps});
    replaced(value, &document, 0)
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

fn replaced(value: &Value, document: &Value, depth: usize) -> Result<Value, Unresolved> {
    if depth > DEPTH_MAX {
        return Err(Unresolved);
    }
    if let Some(pointer) = pointer(value) {
        return document.pointer(pointer).cloned().ok_or(Unresolved);
    }
    Ok(match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| Ok((name.clone(), replaced(value, document, depth + 1)?)))
                .collect::<Result<_, Unresolved>>()?,
        ),
        Value::Array(items) => {
            Value::Array(items.iter().map(|value| replaced(value, document, depth + 1)).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}
