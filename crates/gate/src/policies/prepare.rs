//! From files to a compiled and tested set, away from the threads that decide.

use std::sync::Arc;

use model::Time;
use rules::cases::{self, CaseResult};
use rules::{Problem, Source};
use store::sets::{CompiledSet, PolicyText};
use tokio::sync::Semaphore;

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

/// Whom a long piece of work waits for: whoever only looks never keeps anybody from publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Those who publish.
    Publish,
    /// Those who look.
    Look,
}

/// One turn of each kind at a time, so that however much is sent the other threads can decide.
pub(crate) struct Turns {
    publish: Semaphore,
    look: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self { publish: Semaphore::new(1), look: Semaphore::new(1) }
    }
}

impl Gate {
    /// Reads, compiles and, when wanted, tests a set.
    ///
    /// # Errors
    /// The outer one: this process is ending. The inner one: what is wrong with the files.
    pub(super) async fn prepare(
        &self,
        turn: Turn,
        files: Vec<Source>,
        tests: Tests,
        now: Time,
    ) -> Result<Result<Arc<Prepared>, Vec<Problem>>, GateError> {
        let store = self.store().clone();
        self.beside(turn, move || {
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
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, GateError> {
        let ending = |why: String| GateError::Unavailable(store::DbError::Lost(why));
        let turns = match turn {
            Turn::Publish => &self.turns().publish,
            Turn::Look => &self.turns().look,
        };
        let _turn = turns.acquire().await.map_err(|error| ending(error.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| ending(error.to_string()))
    }
}

/// A problem of our own.
pub(super) fn problem(file: &str, (line, column): (u32, u32), message: String) -> Problem {
    Problem { file: file.to_owned(), line, column, message, hint: None }
}
