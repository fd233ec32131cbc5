//! Sets of classes in words, and the dimension of plain words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::classes::Classes;

/// More than so many are counted, not listed.
const LISTED_MAX: usize = 5;

/// A set in words: some of them, or all but some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// What is in it.
    pub(crate) some: Vec<String>,
    /// Everything is, but for `except`.
    pub(crate) all: bool,
    /// What is not.
    pub(crate) except: Vec<String>,
}

impl Words {
    /// As a phrase; `any` names everything.
    pub(crate) fn phrase(&self, any: &str) -> String {
        match (self.all, self.except.is_empty()) {
            (true, true) => any.to_owned(),
            (true, false) => format!("{any} except {}", listed(&self.except, "and")),
            (false, _) => listed(&self.some, "or"),
        }
    }
}

/// `a, b or c`; a long list ends with a count.
pub(crate) fn listed(list: &[String], word: &str) -> String {
    let shown = if list.len() > LISTED_MAX { LISTED_MAX - 1 } else { list.len() };
    let more = list.len() - shown;
    let mut parts: Vec<String> = list.iter().take(shown).cloned().collect();
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// A dimension of words: each mentioned one, and every other.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    first: u32,
    words: Vec<Arc<str>>,
    ids: BTreeMap<Arc<str>, u32>,
}

impl Vocabulary {
    /// Numbers the classes from `first` on.
    pub(crate) fn new(words: BTreeSet<Arc<str>>, first: u32) -> Self {
        let words: Vec<Arc<str>> = words.into_iter().collect();
        let ids = (first..).zip(&words).map(|(id, word)| (Arc::clone(word), id)).collect();
        Self { first, words, ids }
    }

    /// The class of all words that are not mentioned.
    pub(crate) fn other(&self) -> u32 {
        self.first + u32::try_from(self.words.len()).unwrap_or(u32::MAX - self.first - 1)
    }

    /// How many words are mentioned.
    pub(crate) fn count(&self) -> u32 {
        self.other() - self.first
    }

    /// One past the last class.
    pub(crate) fn end(&self) -> u32 {
        self.other() + 1
    }

    /// The class of a mentioned word.
    pub(crate) fn one(&self, word: &str) -> Classes {
        self.ids.get(word).map_or_else(Classes::none, |id| Classes::one(*id))
    }

    /// The classes of mentioned words.
    pub(crate) fn some<'a>(&self, words: impl IntoIterator<Item = &'a Arc<str>>) -> Classes {
        Classes::of(words.into_iter().filter_map(|word| self.ids.get(word)).map(|id| (*id, id + 1)))
    }

    /// The mentioned word of a class.
    pub(crate) fn word(&self, class: u32) -> Option<&Arc<str>> {
        class.checked_sub(self.first).and_then(|at| self.words.get(usize::try_from(at).ok()?))
    }

    /// A word in the class: the mentioned one, else one of `usual` or one made from the last of them.
    pub(crate) fn example(&self, class: u32, usual: &[&str]) -> String {
        if let Some(word) = self.word(class) {
            return word.to_string();
        }
        let free = |word: &str| !self.ids.contains_key(word);
        let usual_one = usual.iter().copied().find(|word| free(word)).map(str::to_owned);
        let last = usual.last().copied().unwrap_or("other");
        usual_one.or_else(|| (1_u32..).map(|n| format!("{last}{n}")).find(|word| free(word))).unwrap_or_default()
    }

    /// The set in words.
    pub(crate) fn words(&self, set: &Classes) -> Words {
        let quoted = |within: bool| {
            let in_it = move |id: &u32| set.contains(*id) == within;
            (self.first..).zip(&self.words).filter(move |(id, _)| in_it(id)).map(|(_, word)| word.to_string()).collect()
        };
        if set.contains(self.other()) {
            Words { some: Vec::new(), all: true, except: quoted(false) }
        } else {
            Words { some: quoted(true), all: false, except: Vec::new() }
        }
    }
}
