//! The place of user policies: a pack of rules that is asked in step 6.
//!
//! A seam, so that typed rules and any other evaluator join the same lattice. A pack never fails:
//! what it cannot evaluate it says as [`RuleVerdict::Unevaluable`], which denies.

use std::fmt::Debug;

use model::{Ask, Time};

/// What a pack of rules says to one ask: the strictest of its matching rules, with their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RuleVerdict {
    /// No rule matches.
    #[default]
    Silent,
    /// The strictest rules that match allow.
    Allow(Vec<String>),
    /// The strictest rules that match ask for an approval.
    Ask(Vec<String>),
    /// These rules deny.
    Deny(Vec<String>),
    /// These deny rules need a fact that was not seen, and none denies outright.
    Unevaluable(Vec<String>),
}

impl RuleVerdict {
    /// The ids of the rules that gave the verdict.
    #[must_use]
    pub fn rules(&self) -> &[String] {
        match self {
            Self::Silent => &[],
            Self::Allow(ids) | Self::Ask(ids) | Self::Deny(ids) | Self::Unevaluable(ids) => ids,
        }
    }

    pub(crate) fn into_ids(self) -> Vec<String> {
        match self {
            Self::Silent => Vec::new(),
            Self::Allow(ids) | Self::Ask(ids) | Self::Deny(ids) | Self::Unevaluable(ids) => ids,
        }
    }
}

/// A compiled set of rules of one workspace. Pure: the same ask at the same time, the same verdict.
pub trait RulePack: Debug + Send + Sync {
    /// Evaluates all rules; deny beats ask beats allow.
    fn eval(&self, ask: &Ask, now: Time) -> RuleVerdict;
}
