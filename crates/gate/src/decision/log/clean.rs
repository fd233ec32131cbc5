//! What may be kept: texts that redaction leaves as they are. Most were looked at before.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use redact::Scanner;
use replay::entry::Redaction;
use serde_json::Value;

/// LIMIT: how many texts are remembered; then they are forgotten together.
const KNOWN_MAX: usize = 16_384;

/// The scanner, and texts that it left as they are.
#[derive(Default)]
pub(super) struct Clean {
    known: Mutex<HashSet<Box<str>>>,
}

impl Redaction for Clean {
    fn keeps_text(&self, text: &str) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(text) {
            return true;
        }
        let clean = Scanner::standard().text(text) == text;
        if clean {
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(text.into());
        }
        clean
    }

    fn keeps_value(&self, value: &Value) -> bool {
        !Scanner::standard().value(&mut value.clone())
    }
}
