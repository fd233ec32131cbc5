//! RFC 8785 canonical JSON text: what is hashed and what the JSON columns keep.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Canonical JSON text (RFC 8785). Cloning shares it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Canonical(Arc<str>);

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form: {0}")]
pub struct NotCanonical(String);

impl Canonical {
    /// `{}`.
    #[must_use]
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// Renders any value.
    ///
    /// # Errors
    /// [`NotCanonical`] when the value cannot be JSON (a map with other than text keys, a number
    /// that is not finite).
    pub fn of<T: Serialize>(value: &T) -> Result<Self, NotCanonical> {
        serde_json_canonicalizer::to_string(value)
            .map(|text| Self(text.into()))
            .map_err(|e| NotCanonical(e.to_string()))
    }

    /// Takes text that a store row holds, which was canonical when written.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value again.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }
}

impl Serialize for Canonical {
    /// As the JSON it is, not as a text.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&serde_json::value::RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_unit(),
        }
    }
}

impl From<&serde_json::Value> for Canonical {
    fn from(value: &serde_json::Value) -> Self {
        // A `Value` always has text keys and finite numbers.
        Self::of(value).unwrap_or_else(|_| Self::empty())
    }
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
