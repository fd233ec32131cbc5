//! Texts that a caller supplies for others to read: bounded, and rid of secrets before they are kept.

use redact::Scanner;
use serde_json::Value;

use crate::Refusal;

/// LIMIT: the longest title or name, in characters.
pub const TITLE_CHARS_MAX: usize = 300;
/// LIMIT: the longest reason, topic or summary, in characters.
pub const REASON_CHARS_MAX: usize = 4_000;

/// Reads the texts of one request and remembers whether one held a secret.
#[derive(Default)]
pub struct Wording {
    found: bool,
}

impl Wording {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether something was replaced so far.
    #[must_use]
    pub fn contains_secrets(&self) -> bool {
        self.found
    }

    /// A text without its secrets.
    pub fn clean(&mut self, text: &str) -> String {
        let clean = Scanner::standard().text(text);
        self.found |= clean != text;
        clean.into_owned()
    }

    /// A value without its secrets.
    pub fn clean_value(&mut self, mut value: Value) -> Value {
        self.found |= Scanner::standard().value(&mut value);
        value
    }

    /// An optional text: trimmed, blank is none, at most `chars_max` characters.
    ///
    /// # Errors
    /// 400 `invalid_request` at `field` when it is longer.
    pub fn optional(&mut self, text: Option<&str>, field: &str, chars_max: usize) -> Result<Option<String>, Refusal> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.chars().count() > chars_max {
            return Err(Refusal::invalid_field(field, format!("at most {chars_max} characters")));
        }
        Ok(Some(self.clean(text)))
    }

    /// An optional reason.
    ///
    /// # Errors
    /// As [`Self::optional`].
    pub fn reason(&mut self, text: Option<&str>) -> Result<Option<String>, Refusal> {
        self.optional(text, "/reason", REASON_CHARS_MAX)
    }
}

/// A name that things are found by and that is therefore kept as it is: trimmed, not blank, at
/// most 200 bytes, no control characters.
#[must_use]
pub fn name(text: Option<&str>) -> Option<&str> {
    let text = text?.trim();
    let good = !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    good.then_some(text)
}
