//! The scanner: wakes rules where the prefilter hits and replaces what they find.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use serde_json::Value;

use crate::hit::Hit;
use crate::json;
use crate::prefilter::Prefilter;
use crate::rule::{Rule, Seen};
use crate::rules::RULES;

/// What stands where a secret was.
pub const MARKER: &str = "[redacted]";

/// Redacting can bring two halves of a token side by side, so the result is scanned again.
// LIMIT: two passes settle everything known; more would only serve text made to be slow.
const PASSES: usize = 6;

/// No text shorter than this many bytes holds anything a rule would see: `://:a@`.
const SHORTEST: usize = 6;

/// One recognised secret. Holds where it is, never what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that recognised it, in kebab-case, one of [`rule_names`].
    pub rule: &'static str,
    /// Where it lies, in bytes, on character boundaries.
    pub span: Range<usize>,
}

/// Finds and removes secrets. Immutable, so one is shared by all threads: [`Scanner::standard`].
pub struct Scanner {
    prefilter: Prefilter,
    /// The literals, each with the rule it wakes; indices are those of the prefilter.
    wakes: Vec<Wake>,
}

struct Wake {
    literal: &'static str,
    rule: &'static Rule,
    /// The place of `rule` among all rules.
    order: usize,
}

/// The names of every rule, in no particular order.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    RULES.iter().flat_map(|table| table.iter()).map(|rule| rule.name)
}

impl Scanner {
    /// The scanner with every rule. Its automaton is built (some milliseconds) once enough text came by to be worth
    /// that; the first few hundred bytes of a process are searched without.
    pub fn standard() -> &'static Self {
        static STANDARD: LazyLock<Scanner> = LazyLock::new(|| Scanner::with(Prefilter::later));
        &STANDARD
    }

    pub(crate) fn with(prefilter: impl FnOnce(&[&'static str]) -> Prefilter) -> Self {
        let rules = RULES.iter().flat_map(|table| table.iter());
        let wakes: Vec<Wake> = rules
            .enumerate()
            .flat_map(|(order, rule)| rule.literals.iter().map(move |literal| Wake { literal, rule, order }))
            .collect();
        let literals: Vec<_> = wakes.iter().map(|wake| wake.literal).collect();
        Self { prefilter: prefilter(&literals), wakes }
    }

    /// Replaces every secret in `text` by [`MARKER`]. Clean text is returned borrowed.
    ///
    /// The result holds nothing that a second call would replace.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.findings(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = replace(text, found);
        for _ in 1..PASSES {
            let found = self.findings(&clean);
            if found.is_empty() {
                break;
            }
            clean = replace(&clean, found);
        }
        Cow::Owned(clean)
    }

    /// Removes secrets from `value` in place and says whether it replaced anything.
    ///
    /// Strings and member names are scanned; what stands under a secret name
    /// ([`is_secret_name`](crate::is_secret_name)) is replaced whole unless it is null or empty.
    /// Two member names that become equal stay apart by a number.
    pub fn value(&self, value: &mut Value) -> bool {
        json::redact(self, value)
    }

    /// What the rules see in `text`, ordered by place. Findings may overlap when several rules
    /// recognise the same secret.
    pub fn findings(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        if text.len() < SHORTEST {
            return found;
        }
        // Per rule, where what it last read ended: a hit inside has nothing to add, and skipping
        // it keeps one long run from being read once per hit.
        let mut covered: Vec<usize> = Vec::new();
        self.prefilter.each(text.as_bytes(), |index, start| {
            let Some(wake) = self.wakes.get(index) else {
                return;
            };
            if covered.get(wake.order).is_some_and(|end| start < *end) {
                return;
            }
            let end = start + wake.literal.len();
            let hit = Hit { bytes: text.as_bytes(), start, end };
            let Some(seen) = wake.rule.find(hit, wake.literal) else {
                return;
            };
            let (Seen::Secret(span) | Seen::Decoy(span)) = &seen;
            if covered.len() <= wake.order {
                covered.resize(wake.order + 1, 0);
            }
            if let Some(end) = covered.get_mut(wake.order) {
                *end = span.end;
            }
            let Seen::Secret(span) = seen else { return };
            let span = on_boundaries(text, span);
            if !span.is_empty() && text.get(span.clone()) != Some(MARKER) {
                found.push(Finding { rule: wake.rule.name, span });
            }
        });
        found.sort_by_key(|finding| (finding.span.start, finding.span.end));
        found.dedup();
        found
    }
}

/// Widens `span` to whole characters.
fn on_boundaries(text: &str, span: Range<usize>) -> Range<usize> {
    text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end)
}

/// `text` with the union of all findings replaced; findings that overlap share one marker.
fn replace(text: &str, found: Vec<Finding>) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    let mut spans = found.into_iter().map(|finding| finding.span).peekable();
    while let Some(mut span) = spans.next() {
        while let Some(next) = spans.next_if(|next| next.start < span.end) {
            span.end = span.end.max(next.end);
        }
        clean.push_str(text.get(done..span.start).unwrap_or_default());
        clean.push_str(MARKER);
        done = span.end;
    }
    clean.push_str(text.get(done..).unwrap_or_default());
    clean
}
