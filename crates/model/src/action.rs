//! Action names: what an agent wants to do, in dotted lower-case words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not an action name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an action is 1 to 200 characters without control characters or spaces inside")]
pub struct InvalidAction;

/// A normalised action name: trimmed, lower-case, aliases resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Action(String);

impl Action {
    /// The action that leaves with effects on the outside.
    pub const EXTERNAL_WRITE: &'static str = "external.write";
    /// A safe request that really leaves.
    pub const EXTERNAL_READ: &'static str = "external.read";
    /// Reading labelled data.
    pub const DATA_READ: &'static str = "data.read";
    /// Writing labelled data.
    pub const DATA_WRITE: &'static str = "data.write";

    /// Methods that only read, in capitals.
    pub const SAFE_METHODS: [&'static str; 3] = ["GET", "HEAD", "OPTIONS"];

    /// Whether a method, in capitals, only reads.
    #[must_use]
    pub fn is_safe_method(method: &str) -> bool {
        Self::SAFE_METHODS.contains(&method)
    }

    /// The name of what a request that leaves does: safe methods read, all others write.
    #[must_use]
    pub fn name_of_method(method: &str) -> &'static str {
        if Self::is_safe_method(method) { Self::EXTERNAL_READ } else { Self::EXTERNAL_WRITE }
    }

    /// Normalises a name: trimmed, lower-case; `external_write`, `data_read` and `data_write`
    /// become their dotted forms.
    ///
    /// # Errors
    /// [`InvalidAction`] when empty, longer than 200 bytes or with white space or controls inside.
    pub fn parse(text: &str) -> Result<Self, InvalidAction> {
        let text = text.trim();
        if text.is_empty() || text.len() > 200 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(InvalidAction);
        }
        let name = text.to_lowercase();
        Ok(Self(match name.as_str() {
            "external_write" => Self::EXTERNAL_WRITE.to_owned(),
            "data_read" => Self::DATA_READ.to_owned(),
            "data_write" => Self::DATA_WRITE.to_owned(),
            _ => name,
        }))
    }

    /// `external.write`.
    #[must_use]
    pub fn external_write() -> Self {
        Self(Self::EXTERNAL_WRITE.to_owned())
    }

    /// `external.read`.
    #[must_use]
    pub fn external_read() -> Self {
        Self(Self::EXTERNAL_READ.to_owned())
    }

    /// `tool.call.<tool_name>`.
    ///
    /// # Errors
    /// [`InvalidAction`] when the tool name does not make an action.
    pub fn tool_call(tool_name: &str) -> Result<Self, InvalidAction> {
        Self::parse(&format!("tool.call.{}", tool_name.trim()))
    }

    /// The normalised name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Action {
    type Error = InvalidAction;
    fn try_from(text: String) -> Result<Self, InvalidAction> {
        Self::parse(&text)
    }
}

impl From<Action> for String {
    fn from(action: Action) -> String {
        action.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_and_resolves_aliases() {
        let check = |text: &str, want: &str| assert_eq!(Action::parse(text).unwrap().as_str(), want);
        check(" external_write ", "external.write");
        check("External.Write", "external.write");
        check("DATA_READ", "data.read");
        check("data_write", "data.write");
        check("internal.read", "internal.read");
        for bad in ["", "  ", "a b", "a\0b", "a\nb", &"x".repeat(201)] {
            assert_eq!(Action::parse(bad), Err(InvalidAction), "{bad:?}");
        }
    }
}
