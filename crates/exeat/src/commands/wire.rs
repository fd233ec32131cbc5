//! Small readers of answers and builders of bodies, shared by the commands.

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::output::{DIM, Output, clean, opt};

/// The object under its singular noun, or the answer itself when it is not wrapped.
pub(super) fn object<'a>(answer: &'a Value, noun: &str) -> &'a Value {
    answer.get(noun).filter(|inner| inner.is_object()).unwrap_or(answer)
}

/// The list under its plural noun; empty when there is none.
pub(super) fn list<'a>(answer: &'a Value, noun: &str) -> &'a [Value] {
    answer.get(noun).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A body of the members that are set.
pub(super) fn body<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Value::Object(
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>(),
    )
}

/// A text as a member.
pub(super) fn text(value: Option<String>) -> Option<Value> {
    value.map(Value::String)
}

/// Adds a member to an object.
pub(super) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

/// Shows an object as `name  value` lines, without what is absent.
pub(super) fn lines(output: &Output, value: &Value) -> Result<(), Failure> {
    let Some(members) = value.as_object() else { return output.line(&clean(&value.to_string())) };
    let width = members.keys().map(String::len).max().unwrap_or_default();
    for name in members.keys() {
        if let Some(text) = opt(value, name) {
            output.line(&format!("{DIM}{:width$}{DIM:#}  {text}", clean(name)))?;
        }
    }
    Ok(())
}
