//! The steps of a decision, one file each, in the order of the contract's table.
//!
//! A step reads the [`Case`] and says what it found; it knows nothing of the other steps, but for
//! the base step, whose asks an allow rule lifts.

mod action_scope;
mod agent;
pub(crate) mod base;
mod data_scope;
mod dlp;
mod domain_scope;
mod kill_switch;
mod label;
mod principal;
mod quarantine;
pub(crate) mod quota;
mod registry;
mod room_scope;
mod rules;
mod scope;
mod token;
mod tool_scope;

use std::borrow::Cow;

use model::decision::{Step, Verdict};
use model::{Outcome, ReasonCode};

use crate::case::Case;

/// What one step found, with the fact that decided.
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) fact: Option<Cow<'static, str>>,
}

impl Finding {
    pub(crate) const PASSED: Self = Self { verdict: Verdict::Passed, fact: None };
    pub(crate) const SKIPPED: Self = Self { verdict: Verdict::Skipped, fact: None };

    pub(crate) fn of(verdict: Verdict) -> Self {
        Self { verdict, fact: None }
    }

    pub(crate) fn decided(outcome: Outcome, reason_code: ReasonCode) -> Self {
        Self::of(Verdict::Decided { outcome, reason_code })
    }

    pub(crate) fn deny(reason_code: ReasonCode) -> Self {
        Self::decided(Outcome::Deny, reason_code)
    }

    /// The same with the fact that decided: our own words or an id that the snapshot knows, never
    /// text of the caller's.
    pub(crate) fn because(self, fact: impl Into<Cow<'static, str>>) -> Self {
        Self { fact: Some(fact.into()), ..self }
    }

    /// The stricter of two; of equals the first.
    pub(crate) fn or_stricter(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }

    fn weight(&self) -> u8 {
        match self.verdict {
            Verdict::Skipped => 0,
            Verdict::Passed => 1,
            Verdict::Decided { outcome: Outcome::Allow, .. } => 2,
            Verdict::Lifted { .. } => 3,
            Verdict::Decided { outcome: Outcome::RequireApproval, .. } => 4,
            Verdict::Decided { outcome: Outcome::Deny, .. } => 5,
        }
    }
}

/// Runs one step.
pub(crate) fn run(step: Step, case: &Case<'_>) -> Finding {
    match step {
        Step::AgentBinding => agent::run(case),
        Step::CapabilityToken => token::run(case),
        Step::RoomScope => room_scope::run(case),
        Step::ActionScope => action_scope::run(case),
        Step::ToolScope => tool_scope::run(case),
        Step::DataScope => data_scope::run(case),
        Step::DomainScope => domain_scope::run(case),
        Step::Principal => principal::run(case),
        Step::ActionRegistry => registry::run(case),
        Step::Quarantine => quarantine::run(case),
        Step::KillSwitch => kill_switch::run(case),
        Step::Dlp => dlp::run(case),
        Step::PolicyRules => rules::run(case),
        Step::Base => base::run(case, case.rule_allows()),
        Step::Quota => quota::run(quota::limit(case)),
    }
}
