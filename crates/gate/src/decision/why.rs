//! Why a decision came out as it did: the rules it rests on with their places, what others would
//! have said, and the rule that almost matched.
//!
//! Read from the version of the set that was asked then, on the facts that were kept. Where facts
//! were not kept this says so and guesses nothing.

mod asked;
mod words;

use std::sync::Arc;

use model::decision::Other;
use model::{Canonical, Category, DecisionId, EgressRequestId, Outcome, ReasonCode};
use rules::selector::Selector;
use rules::{Effect, PolicySet, Rule};
use serde::{Deserialize, Serialize};
use store::rows::DecisionRow;
use store::sets::{CompiledSet, PolicyText, files_of};

use super::whole_trace;
use crate::policies::Turn;
use crate::{Caller, Gate, GateError};

/// A decision and what there is to say about it.
#[derive(Debug, Clone)]
pub struct Why {
    /// The decision as it was kept, its trace whole.
    pub row: DecisionRow,
    /// The rules it rests on.
    pub rules: Vec<RuleShown>,
    /// What it would have been if the rules in shadow counted, where that differs.
    pub trial: Option<Other>,
    /// What the candidate would have made of it.
    pub candidate: Option<Other>,
    /// What is known of what was asked.
    pub facts: FactsKept,
    /// The rule that almost changed it.
    pub nearest: Option<NearestView>,
    /// How carrying it out ended, when it was carried out and has: the data of its `egress.completed`.
    pub execution: Option<Canonical>,
}

/// A rule that determined a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleShown {
    /// Its id.
    pub id: String,
    /// `allow`, `ask` or `deny`; none when the set of then cannot be read.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub effect: Option<Effect>,
    /// Why it is there, as its author wrote.
    pub reason: Option<String>,
    /// The file it stands in.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// Whether the facts of an ask can still be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum FactsKept {
    /// All that rules look at.
    Kept,
    /// Some; the others count as unseen.
    Partly,
    /// None.
    NotKept,
}

/// The rule that almost matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NearestView {
    /// Its id.
    pub id: String,
    /// What it would have done.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub effect: Effect,
    /// The file it stands in.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What spoke against it.
    pub failed: Vec<FailedSelector>,
    /// The same in a sentence.
    pub sentence: String,
}

/// A selector that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailedSelector {
    /// Its key, as rules are written; `who` stands for agent, user, service and group.
    pub selector: String,
    /// What the rule wants, as it is written.
    pub wants: String,
    /// What the ask had; none when it was not seen.
    pub was: Option<String>,
}

impl Gate {
    /// The kept decision with this id, and why it came out so.
    ///
    /// # Errors
    /// [`GateError::Unavailable`] when the store cannot be read.
    pub async fn why(&self, caller: &Caller, id: &DecisionId) -> Result<Option<Why>, GateError> {
        let Some(row) = self.store().decision(&caller.workspace_id, id).await? else { return Ok(None) };
        let set = self.set_of_then(caller, &row).await?;
        let (nearest, facts) = match &set {
            Some(set) => self.nearest(caller, &row, Arc::clone(set)).await?,
            None => (None, FactsKept::NotKept),
        };
        let ids: Vec<String> = serde_json::from_str(row.rules.as_str()).unwrap_or_default();
        let none = PolicySet::default();
        let rules = set.as_ref().map_or(&none, |set| &set.set);
        let execution = self.execution(&row).await?;
        Ok(Some(Why {
            rules: ids.into_iter().map(|id| shown(rules.rule(&id), id)).collect(),
            trial: row.trial.as_ref().and_then(|text| serde_json::from_str(text.as_str()).ok()),
            candidate: row.candidate.as_ref().and_then(|text| serde_json::from_str(text.as_str()).ok()),
            facts,
            nearest,
            execution,
            row: DecisionRow { trace: whole_trace(&row.trace), ..row },
        }))
    }

    /// How what was asked for ended, when it was a request that was carried out.
    async fn execution(&self, row: &DecisionRow) -> Result<Option<Canonical>, GateError> {
        if row.blocked || Category::parse(&row.category) != Some(Category::Egress) {
            return Ok(None);
        }
        let id = EgressRequestId::from_stored(row.decision_id.as_str().to_owned());
        let ended = self.store().outcome(&id).await?;
        Ok(ended.filter(|event| event.workspace_id == row.workspace_id).map(|event| event.data))
    }

    /// The set whose rules were asked, when it can still be read.
    async fn set_of_then(&self, caller: &Caller, row: &DecisionRow) -> Result<Option<Arc<CompiledSet>>, GateError> {
        let Some(version) = row.policy_version.and_then(|version| u64::try_from(version).ok()) else { return Ok(None) };
        let workspace = &caller.workspace_id;
        let Some(version) = self.store().policy_version(workspace, version).await? else { return Ok(None) };
        if let Some(known) = self.store().compiled_set(&version.digest) {
            return Ok(Some(known));
        }
        let Some(text) = self.store().policy_text(workspace, &version.digest).await? else { return Ok(None) };
        let compiled = self
            .beside(Turn::Look, move || {
                let files = files_of(&text.files)?;
                let text = PolicyText { digest: text.digest, files: text.files };
                CompiledSet::compile(&text, &files).ok().map(Arc::new)
            })
            .await?;
        Ok(compiled)
    }

    async fn nearest(
        &self,
        caller: &Caller,
        row: &DecisionRow,
        set: Arc<CompiledSet>,
    ) -> Result<(Option<NearestView>, FactsKept), GateError> {
        // What a rule could have changed it to: more, where it was stopped; less, where it passed.
        let (Some(outcome), Some(asked)) = (Outcome::parse(&row.decision), self.asked_then(row).await?) else {
            return Ok((None, FactsKept::NotKept));
        };
        let kept = asked.kept;
        // No rule lifts what another step denies.
        let by_rules = [ReasonCode::PolicyDenies, ReasonCode::PolicyUnevaluable].map(ReasonCode::as_str);
        if outcome == Outcome::Deny
            && !by_rules.contains(&row.reason_code.as_str())
            && row.reason_code != ReasonCode::NoPolicyPermits.as_str()
        {
            return Ok((None, kept));
        }
        let effects: &'static [Effect] = match outcome {
            Outcome::Allow => &[Effect::Deny, Effect::Ask],
            Outcome::RequireApproval | Outcome::Deny => &[Effect::Allow],
        };
        let (snapshot, now) = (caller.view.snapshot.clone(), row.created_at);
        let view = self
            .beside(Turn::Look, move || {
                let facts = asked.facts(&snapshot);
                let near = rules::nearest(&set.set, &facts, now, effects)?;
                let rule = set.set.rule(&near.id)?;
                let failed: Vec<FailedSelector> =
                    near.failed.iter().map(|selector| failed(*selector, rule, &facts, now)).collect();
                let sentence = words::sentence(rule, &failed);
                Some(NearestView {
                    id: near.id,
                    effect: near.effect,
                    file: near.place.file.to_string(),
                    line: near.place.line,
                    failed,
                    sentence,
                })
            })
            .await?;
        Ok((view, kept))
    }
}

fn shown(rule: Option<&Rule>, id: String) -> RuleShown {
    RuleShown {
        id,
        effect: rule.map(|rule| rule.effect),
        reason: rule.and_then(|rule| rule.reason.as_deref().map(str::to_owned)),
        file: rule.map(|rule| rule.place.file.to_string()),
        line: rule.map(|rule| rule.place.line),
    }
}

fn failed(selector: Selector, rule: &Rule, facts: &policy::Facts<'_>, now: model::Time) -> FailedSelector {
    FailedSelector {
        selector: selector.as_str().to_owned(),
        wants: words::wants(selector, rule),
        was: words::was(selector, facts, now),
    }
}
