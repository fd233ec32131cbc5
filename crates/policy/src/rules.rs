//! The place of user policies: a pack of rules that is asked in step 6.
//!
//! A seam, so that typed rules and any other evaluator join the same lattice. A pack never fails:
//! what it cannot evaluate it says as [`RuleVerdict::Unevaluable`], which denies.

use std::fmt::Debug;
use std::sync::Arc;

use model::Time;
use model::decision::RuleId;

use crate::facts::Facts;

/// What a pack of rules says to one ask: the strictest of its matching rules, with their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RuleVerdict {
    /// No rule matches.
    #[default]
    Silent,
    /// The strictest rules that match allow.
    Allow(Vec<RuleId>),
    /// The strictest rules that match ask for an approval.
    Ask(Vec<RuleId>),
    /// These rules deny.
    Deny(Vec<RuleId>),
    /// These deny rules need a fact that was not seen, and none denies outright.
    Unevaluable(Vec<RuleId>),
}

impl RuleVerdict {
    /// The ids of the rules that gave the verdict.
    #[must_use]
    pub fn rules(&self) -> &[RuleId] {
        match self {
            Self::Silent => &[],
            Self::Allow(ids) | Self::Ask(ids) | Self::Deny(ids) | Self::Unevaluable(ids) => ids,
        }
    }

    /// The same, by value.
    #[must_use]
    pub fn into_ids(self) -> Vec<RuleId> {
        match self {
            Self::Silent => Vec::new(),
            Self::Allow(ids) | Self::Ask(ids) | Self::Deny(ids) | Self::Unevaluable(ids) => ids,
        }
    }
}

/// What a pack says, twice: with and without the rules that are only tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// What counts.
    pub live: RuleVerdict,
    /// What would count if the rules in `shadow` did, when that differs.
    pub trial: Option<RuleVerdict>,
}

impl From<RuleVerdict> for Verdicts {
    fn from(live: RuleVerdict) -> Self {
        Self { live, trial: None }
    }
}

/// A compiled set of rules of one workspace. Pure: the same facts at the same time, the same verdict.
pub trait RulePack: Debug + Send + Sync {
    /// Evaluates all rules; deny beats ask beats allow.
    fn eval(&self, facts: &Facts<'_>, now: Time) -> Verdicts;
}

/// A pack with the version of the set it was compiled from.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The version of the set; versions of a workspace count from 1.
    pub version: u64,
    /// The rules.
    pub pack: Arc<dyn RulePack>,
}
