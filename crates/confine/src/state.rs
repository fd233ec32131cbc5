//! What of the guard is proven live in this process, for `/readyz` and `doctor`.

use guard::Layer;
use guard::rung::Rung;
use serde::Serialize;

use crate::ConfineError;

/// The guard as its last self-test found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardState {
    /// The rungs that are wholly live, strongest first. With none, nothing is run.
    pub rungs: Vec<Rung>,
    /// Every layer that was probed.
    pub findings: Vec<Finding>,
    /// What may leave without a rule that lets it: nothing.
    pub allowlist: Vec<String>,
    /// What the findings come to, so that a run can name them in one word.
    pub digest: String,
}

/// What was found of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// In which rung.
    pub rung: Rung,
    /// The layer.
    pub layer: Layer,
    /// Whether it holds.
    pub state: Held,
    /// Why it does not.
    pub reason: Option<String>,
    /// What to do about that.
    pub fix: Option<String>,
}

/// Whether a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// A probe met it.
    Live,
    /// It cannot be had here.
    Missing,
    /// It is there and does not hold.
    Broken,
}

impl GuardState {
    /// The guard before anything was proven: nothing is run.
    #[must_use]
    pub fn untested() -> Self {
        let finding = Finding {
            rung: Rung::A,
            layer: Layer::Spawner,
            state: Held::Missing,
            reason: Some("the guard was not tested in this process".to_owned()),
            fix: None,
        };
        Self { rungs: Vec::new(), findings: vec![finding], allowlist: Vec::new(), digest: String::new() }
    }

    /// The guard of a process that cannot start anything.
    pub(crate) fn without(error: &ConfineError) -> Self {
        let (layer, reason, fix) = match error {
            ConfineError::IsolationUnavailable { layer, reason, fix } => (*layer, reason.clone(), fix.clone()),
            other => (Layer::Spawner, other.to_string(), None),
        };
        let finding = Finding { rung: Rung::A, layer, state: Held::Missing, reason: Some(reason), fix };
        Self { findings: vec![finding], ..Self::untested() }
    }

    /// Why nothing is run that must be held so strongly.
    pub(crate) fn refusal(&self, wanted: Rung) -> ConfineError {
        let missing = |finding: &&Finding| finding.state != Held::Live;
        let of_rung = self.findings.iter().filter(missing).find(|finding| finding.rung == wanted);
        match of_rung.or_else(|| self.failing()) {
            Some(finding) => ConfineError::IsolationUnavailable {
                layer: finding.layer,
                reason: finding.reason.clone().unwrap_or_else(|| "it does not hold here".to_owned()),
                fix: finding.fix.clone(),
            },
            None => ConfineError::IsolationUnavailable {
                layer: Layer::Spawner,
                reason: format!("rung {wanted} was not tested"),
                fix: None,
            },
        }
    }

    /// Whether anything can be run.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.rungs.is_empty()
    }

    /// The first layer that does not hold.
    #[must_use]
    pub fn failing(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.state != Held::Live)
    }
}
