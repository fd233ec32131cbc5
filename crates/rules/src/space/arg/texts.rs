//! Texts: those that are named, and pairs of the longest prefix and suffix that match.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{TEXT_PAIRS_MAX, joined, of_kind, quoted};
use crate::rule::ArgType;
use crate::space::classes::Classes;
use crate::when::{Is, Test, Tri};

/// The classes of texts: the named ones, then for each prefix one for each suffix.
#[derive(Debug)]
pub(super) struct Texts {
    first: u32,
    named: Vec<Arc<str>>,
    /// Sorted, the empty one first; all that begin with one follow it. Empty when no text is tested.
    prefixes: Vec<String>,
    /// Sorted by their ends in the same way.
    suffixes: Vec<String>,
    /// A character that is in none of them.
    filler: char,
}

impl Texts {
    pub(super) fn new(tests: &[&Test], first: u32) -> Option<Self> {
        let (mut named, mut prefixes, mut suffixes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for is in of_kind(tests, &[ArgType::String]) {
            prefixes.insert(String::new());
            suffixes.insert(String::new());
            match is {
                Is::In(some) => named.extend(some.iter().cloned()),
                Is::Prefix(prefix) => drop(prefixes.insert(prefix.to_string())),
                Is::Suffix(suffix) => drop(suffixes.insert(backwards(suffix))),
                _ => {}
            }
        }
        if prefixes.len().saturating_mul(suffixes.len()) > TEXT_PAIRS_MAX {
            return None;
        }
        let used: BTreeSet<char> = (named.iter().flat_map(|text| text.chars()))
            .chain(prefixes.iter().chain(&suffixes).flat_map(|text| text.chars()))
            .collect();
        let filler = "_x-0".chars().chain('a'..=char::MAX).find(|c| !used.contains(c)).unwrap_or('_');
        let suffixes = suffixes.iter().map(|suffix| backwards(suffix)).collect();
        Some(Self {
            first,
            named: named.into_iter().collect(),
            prefixes: prefixes.into_iter().collect(),
            suffixes,
            filler,
        })
    }

    fn pairs(&self) -> u32 {
        self.first + count(self.named.len())
    }

    pub(super) fn end(&self) -> u32 {
        self.pairs() + count(self.prefixes.len()) * count(self.suffixes.len())
    }

    pub(super) fn runs(&self, test: &Test, runs: &mut Vec<(u32, u32, Tri)>) {
        if test.kind != ArgType::String {
            // A named text may be an address; nothing else here is.
            let on = |text: &Arc<str>| test.is.holds(test.kind, &Value::String(text.to_string()));
            runs.extend((self.first..).zip(&self.named).map(|(id, text)| (id, id + 1, on(text))));
            runs.push((self.pairs(), self.end(), Tri::Unknown));
            return;
        }
        let hits = Classes::of(self.hits(&test.is));
        let misses = Classes::range(self.first, self.end()).minus(&hits);
        runs.extend(hits.ranges().iter().map(|(from, to)| (*from, *to, Tri::True)));
        runs.extend(misses.ranges().iter().map(|(from, to)| (*from, *to, Tri::False)));
    }

    fn hits(&self, is: &Is) -> Vec<(u32, u32)> {
        let named = |holds: &dyn Fn(&str) -> bool| -> Vec<(u32, u32)> {
            (self.first..).zip(&self.named).filter(|(_, text)| holds(text)).map(|(id, _)| (id, id + 1)).collect()
        };
        let (pairs, width) = (self.pairs(), count(self.suffixes.len()));
        let together = |list: &[String], holds: &dyn Fn(&str) -> bool| {
            let from = list.iter().position(|text| holds(text)).unwrap_or(list.len());
            let many = list.iter().skip(from).take_while(|text| holds(text)).count();
            (count(from), count(from + many))
        };
        match is {
            Is::In(some) => some
                .iter()
                .filter_map(|text| self.named.binary_search(text).ok())
                .map(|at| (self.first + count(at), self.first + count(at) + 1))
                .collect(),
            Is::Prefix(prefix) => {
                let mut hits = named(&|text| text.starts_with(&**prefix));
                let (from, to) = together(&self.prefixes, &|text| text.starts_with(&**prefix));
                hits.push((pairs + from * width, pairs + to * width));
                hits
            }
            Is::Suffix(suffix) => {
                let mut hits = named(&|text| text.ends_with(&**suffix));
                let (from, to) = together(&self.suffixes, &|text| text.ends_with(&**suffix));
                let rows = (0..count(self.prefixes.len())).map(|row| pairs + row * width);
                hits.extend(rows.map(|row| (row + from, row + to)));
                hits
            }
            _ => Vec::new(),
        }
    }

    fn pair(&self, class: u32) -> Option<(&String, &String)> {
        let at = usize::try_from(class.checked_sub(self.pairs())?).ok()?;
        let width = self.suffixes.len().max(1);
        Some((self.prefixes.get(at / width)?, self.suffixes.get(at % width)?))
    }

    pub(super) fn example(&self, class: u32) -> Option<Value> {
        let at = usize::try_from(class.checked_sub(self.first)?).ok()?;
        let text = match self.named.get(at) {
            Some(named) => named.to_string(),
            None => self.pair(class).map(|(prefix, suffix)| format!("{prefix}{}{suffix}", self.filler))?,
        };
        Some(Value::String(text))
    }

    pub(super) fn words(&self, set: &Classes, some: &mut Vec<String>) {
        let all = Classes::range(self.first, self.end());
        if all.is_empty() {
            return;
        }
        if set.covers(&all) {
            some.push("any text".to_owned());
            return;
        }
        some.extend((self.first..).zip(&self.named).filter(|(id, _)| set.contains(*id)).map(|(_, text)| quoted(text)));
        let plain = self.prefixes.len() == 1 && self.suffixes.len() == 1;
        for class in set.clip(self.pairs(), self.end()).iter() {
            let Some((prefix, suffix)) = self.pair(class) else { continue };
            let mut parts = Vec::new();
            if !prefix.is_empty() {
                parts.push(format!("beginning {}", quoted(prefix)));
            }
            if !suffix.is_empty() {
                parts.push(format!("ending {}", quoted(suffix)));
            }
            some.push(match (parts.is_empty(), plain) {
                (true, true) if self.named.len() <= 3 => {
                    let named: Vec<String> = self.named.iter().map(|text| quoted(text)).collect();
                    format!("any text but {}", joined(&named))
                }
                (true, _) => "any other text".to_owned(),
                (false, _) => joined(&parts),
            });
        }
    }
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(0)
}
