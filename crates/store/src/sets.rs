//! Policy sets as this process holds them: read and compiled once for each text, however many
//! workspaces, versions and views share it.
//!
//! A stored text that no longer compiles is not left out: it becomes a set that denies everything it
//! is asked, until somebody publishes a good one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use model::{Canonical, Time};
use policy::{Facts, RulePack, RuleVerdict, Verdicts};
use rules::{Compiled, PolicySet, Problem, Source};
use sha2::{Digest as _, Sha256};

/// LIMIT: how many sets are kept that no view holds.
const RECENT_MAX: usize = 4;
/// The rule that a set which cannot be read seems to consist of.
pub const UNREADABLE: &str = "policy-set-unreadable";

/// The files of a set in their canonical form: sorted by name, as RFC 8785 JSON, and the digest of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// `[{"name":…,"text":…}]`.
    pub files: Canonical,
}

impl PolicyText {
    /// The text of these files. They are sorted here; names are expected to differ.
    #[must_use]
    pub fn of(mut files: Vec<Source>) -> Self {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        // Two texts per file always have a JSON form.
        let files = Canonical::of(&files).unwrap_or_else(|_| Canonical::empty());
        Self { digest: digest(&files), files }
    }
}

fn digest(files: &Canonical) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(files.as_str().as_bytes())))
}

/// The files of a stored text; `None` when it is not a list of files.
#[must_use]
pub fn files_of(stored: &Canonical) -> Option<Vec<Source>> {
    serde_json::from_str(stored.as_str()).ok()
}

/// A set, read and compiled. One that could not be says so, and denies.
#[derive(Debug)]
pub struct CompiledSet {
    /// The digest of its text.
    pub digest: String,
    /// The rules as they were read; none when the text cannot be read.
    pub set: PolicySet,
    /// What was noticed while reading it.
    pub warnings: Vec<Problem>,
    /// Why it cannot be read; empty for a good one.
    pub problems: Vec<Problem>,
    compiled: Option<Compiled>,
}

impl CompiledSet {
    /// Reads and compiles a set; tests beside it are not part of it. Takes milliseconds for
    /// thousands of rules: not to be called where others wait.
    ///
    /// # Errors
    /// What is wrong with the files, all of it.
    pub fn compile(text: &PolicyText, files: &[Source]) -> Result<Self, Vec<Problem>> {
        let loaded = rules::load(files)?;
        let compiled = rules::compile(&loaded.set);
        Ok(Self {
            digest: text.digest.clone(),
            set: loaded.set,
            warnings: loaded.warnings,
            problems: Vec::new(),
            compiled: Some(compiled),
        })
    }

    /// Whether it is what was published; if not it denies everything.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.compiled.is_some()
    }

    /// The set of a stored text. Total: what cannot be read denies.
    pub(crate) fn stored(digest_wanted: &str, files: Option<&Canonical>) -> Self {
        let outcome = files.ok_or("the text is not in the store").and_then(|stored| {
            if digest(stored) != digest_wanted {
                return Err("the stored text is not the one that was published");
            }
            files_of(stored).map(|files| (stored, files)).ok_or("the stored text is not a list of files")
        });
        let problems = match outcome {
            Ok((stored, files)) => {
                let text = PolicyText { digest: digest_wanted.to_owned(), files: stored.clone() };
                match Self::compile(&text, &files) {
                    Ok(set) => return set,
                    Err(problems) => problems,
                }
            }
            Err(why) => vec![unplaced(why)],
        };
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            digest = digest_wanted,
            problem = first,
            problems = problems.len(),
            "a stored policy set cannot be read: everything is denied where it holds, until another is published"
        );
        Self {
            digest: digest_wanted.to_owned(),
            set: PolicySet::default(),
            warnings: Vec::new(),
            problems,
            compiled: None,
        }
    }
}

fn unplaced(message: &str) -> Problem {
    Problem { file: String::new(), line: 0, column: 0, message: message.to_owned(), hint: None }
}

impl RulePack for CompiledSet {
    fn eval(&self, facts: &Facts<'_>, now: Time) -> Verdicts {
        match &self.compiled {
            Some(compiled) => compiled.eval(facts, now),
            None => RuleVerdict::Unevaluable(vec![UNREADABLE.into()]).into(),
        }
    }
}

/// A set that holds in a workspace, or is tried there.
#[derive(Debug, Clone)]
pub struct HeldSet {
    /// Its version.
    pub version: u64,
    /// The set.
    pub compiled: Arc<CompiledSet>,
}

/// The sets of one workspace.
#[derive(Debug, Clone, Default)]
pub struct PolicySets {
    /// The one that holds.
    pub active: Option<HeldSet>,
    /// The one that is tried beside it.
    pub candidate: Option<HeldSet>,
}

/// The sets this process knows, by digest.
#[derive(Default)]
pub(crate) struct Shelf {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    known: HashMap<String, Weak<CompiledSet>>,
    recent: VecDeque<Arc<CompiledSet>>,
}

impl Shelf {
    pub(crate) fn get(&self, digest: &str) -> Option<Arc<CompiledSet>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.known.get(digest).and_then(Weak::upgrade)
    }

    pub(crate) fn keep(&self, set: &Arc<CompiledSet>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.known.retain(|_, known| known.strong_count() > 0);
        inner.known.insert(set.digest.clone(), Arc::downgrade(set));
        inner.recent.retain(|kept| kept.digest != set.digest);
        inner.recent.push_front(Arc::clone(set));
        inner.recent.truncate(RECENT_MAX);
    }
}

#[cfg(test)]
mod tests;
