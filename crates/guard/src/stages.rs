//! How long the steps of a start take: they are few, and knowing where the time goes costs next to nothing.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A step of a start that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What was done.
    pub name: String,
    /// How long it took.
    pub time: Duration,
}

/// Takes the time from one step to the next. A copy of the process goes on with it where it was.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Instant,
    stages: Vec<Stage>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), stages: Vec::with_capacity(16) }
    }

    /// The step since the last mark was this.
    pub(crate) fn mark(&mut self, name: &str) {
        let now = Instant::now();
        self.stages.push(Stage { name: name.to_owned(), time: now.saturating_duration_since(self.last) });
        self.last = now;
    }

    pub(crate) fn stages(self) -> Vec<Stage> {
        self.stages
    }
}
