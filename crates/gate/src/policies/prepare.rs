//! From files to a compiled and tested set, away from the threads that decide.

use std::sync::Arc;

use model::Time;
use rules::cases::{self, CaseResult};
use rules::{Problem, Source};
use store::sets::{CompiledSet, PolicyText};

use super::input::secrets;
use crate::{Gate, GateError};

/// A set that is good to be published.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) text: PolicyText,
    pub(super) compiled: Arc<CompiledSet>,
    /// How many files it has, tests included.
    pub(super) files: usize,
    /// What its tests found.
    pub(super) results: Vec<CaseResult>,
}

/// Whether the tests of a set are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tests {
    Run,
    Leave,
}

impl Gate {
    /// Reads, compiles and, when wanted, tests a set; one at a time in this process.
    ///
    /// # Errors
    /// The outer one: this process is ending. The inner one: what is wrong with the files.
    pub(super) async fn prepare(
        &self,
        files: Vec<Source>,
        tests: Tests,
        now: Time,
    ) -> Result<Result<Arc<Prepared>, Vec<Problem>>, GateError> {
        let store = self.store().clone();
        self.beside(move || {
            let found = secrets(&files);
            if !found.is_empty() {
                return Err(found);
            }
            let text = PolicyText::of(files.clone());
            let compiled = match store.compiled_set(&text.digest).filter(|set| set.is_sound()) {
                Some(known) => known,
                None => Arc::new(CompiledSet::compile(&text, &files)?),
            };
            let read = cases::parse(&files)?;
            let results = match tests {
                Tests::Run => cases::run(&compiled.set, &*compiled, &read, now),
                Tests::Leave => Vec::new(),
            };
            Ok(Arc::new(Prepared { text, compiled, files: files.len(), results }))
        })
        .await
    }

    /// Runs what takes long where it is in nobody's way.
    ///
    /// # Errors
    /// This process is ending.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, GateError> {
        let ending = |why: String| GateError::Unavailable(store::DbError::Lost(why));
        // Sets come one at a time, so that however many are sent the other threads can decide.
        let _turn = self.compiling().acquire().await.map_err(|error| ending(error.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| ending(error.to_string()))
    }
}

/// A problem of our own.
pub(super) fn problem(file: &str, (line, column): (u32, u32), message: String) -> Problem {
    Problem { file: file.to_owned(), line, column, message, hint: None }
}
