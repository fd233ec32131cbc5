//! A text with its lines, so that what is wrong can be pointed at.

use std::borrow::Cow;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use crate::problem::Problem;
use crate::rule::Place;

pub(crate) type Key<'i> = Spanned<Cow<'i, str>>;
pub(crate) type Item<'i> = Spanned<DeValue<'i>>;

/// One file.
pub(crate) struct Text<'a> {
    name: Arc<str>,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Text<'a> {
    pub(crate) fn new(name: &str, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { name: Arc::from(name), text, lines }
    }

    /// The place of a byte.
    pub(crate) fn place(&self, at: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..at).map_or(1, |before| before.chars().count() + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { file: Arc::clone(&self.name), line: number(line), column: number(column) }
    }

    /// A problem at a byte.
    pub(crate) fn problem(&self, at: usize, message: String) -> Problem {
        let place = self.place(at);
        Problem { file: self.name.to_string(), line: place.line, column: place.column, message, hint: None }
    }
}

impl Problem {
    pub(crate) fn hinted(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }

    pub(crate) fn maybe_hinted(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}
