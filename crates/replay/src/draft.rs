//! The rules that are tried on what happened, and what they say where not everything was kept.
//!
//! A fact that was withheld is not a fact that was unseen: then, the rules saw it. So a verdict counts
//! only when it would be the same whatever the fact was. For rules that are known one by one this is
//! exact: the rules that look at the fact are asked about everything else, and where none of them
//! could speak, the fact did not matter. A pack that is not known from inside is taken at its worst.

use std::borrow::Cow;
use std::sync::Arc;

use model::decision::{Ground, RuleId};
use model::{Outcome, ReasonCode, Time};
use policy::{Fact, Facts, RulePack, RuleVerdict, Who, settle};
use rules::PolicySet;
use serde_json::Value;

use crate::entry::Kept;
use crate::report::Missing;
use crate::segment::{Case, Segment, Shape};

mod breaks;
mod typed;

use breaks::Breaks;
use typed::Typed;

/// Rules to be tried.
#[derive(Debug)]
pub struct Draft {
    pack: Arc<dyn RulePack>,
    ids: Vec<RuleId>,
    breaks: Breaks,
    typed: Option<Typed>,
}

/// What rules make of a case.
#[derive(Debug, Clone)]
pub(crate) enum Judgement {
    /// This.
    Known(Judged),
    /// It depends on what was not kept.
    Open(Missing),
}

#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) outcome: Outcome,
    pub(crate) reason_code: ReasonCode,
    /// The rules that gave the verdict.
    pub(crate) rules: Vec<RuleId>,
    /// Whether they determine the outcome.
    pub(crate) by_rules: bool,
    /// The rules in `shadow` that spoke.
    pub(crate) tried: Vec<RuleId>,
    /// The outcome if the rules in `shadow` counted.
    pub(crate) tried_outcome: Outcome,
}

/// Any verdict a pack may give, one of each effect.
const EACH: [RuleVerdict; 4] =
    [RuleVerdict::Silent, RuleVerdict::Allow(Vec::new()), RuleVerdict::Ask(Vec::new()), RuleVerdict::Deny(Vec::new())];

impl Draft {
    /// The rules of a set.
    #[must_use]
    pub fn of(set: &PolicySet) -> Self {
        Self {
            pack: Arc::new(rules::compile(set)),
            ids: set.rules.iter().map(|rule| rule.id.clone()).collect(),
            breaks: Breaks::of(set),
            typed: Some(Typed::of(set)),
        }
    }

    /// Rules that are known only by what they say: `ids` are all of them.
    #[must_use]
    pub fn of_pack(pack: Arc<dyn RulePack>, ids: Vec<RuleId>) -> Self {
        Self { pack, ids, breaks: Breaks::Unknown, typed: None }
    }

    /// The ids of the rules.
    #[must_use]
    pub fn ids(&self) -> &[RuleId] {
        &self.ids
    }

    /// Two moments with the same number have the same verdict on the same facts.
    pub(crate) fn stretch(&self, at: i64) -> u64 {
        self.breaks.stretch(at)
    }

    /// What the rules make of a case at a moment, on its own ground or another.
    pub(crate) fn judge(&self, segment: &Segment<'_>, case: &Case<'_>, at: Time, ground: &Ground) -> Option<Judgement> {
        let shape = segment.shape(case)?;
        let input = self.input(shape, case.input);
        let facts = facts(segment, shape, case, &input);
        if let Some(missing) = missing(segment, shape) {
            // Whatever it was: only where no rule could matter.
            return Some(unless_open(ground, judged(ground, RuleVerdict::Silent, None), &EACH, missing));
        }
        let lost = [matches!(case.path, Kept::Withheld), matches!(input, Kept::Withheld)];
        let withheld = match lost {
            [false, false] => {
                let verdicts = self.pack.eval(&facts, at);
                return Some(Judgement::Known(judged(ground, verdicts.live, verdicts.trial)));
            }
            [true, false] => Missing::Path,
            [_, true] => Missing::Input,
        };
        let (verdict, possible) = match &self.typed {
            Some(typed) => typed.possible(&facts, at, lost),
            None => at_worst(self.pack.eval(&facts, at).live),
        };
        Some(unless_open(ground, judged(ground, verdict, None), &possible, withheld))
    }

    /// The input as a value; one that no rule looks at is not even read.
    fn input(&self, shape: &Shape<'_>, input: Kept<&str>) -> Kept<Value> {
        let looked_at = self.typed.as_ref().is_none_or(|typed| typed.looks_into(shape.tool));
        match input {
            Kept::Absent => Kept::Absent,
            Kept::Seen(text) if looked_at => serde_json::from_str(text).map_or(Kept::Withheld, Kept::Seen),
            Kept::Withheld if looked_at => Kept::Withheld,
            _ => Kept::Unseen,
        }
    }
}

/// What a pack may have said, had it seen a fact that counted as unseen when it said `verdict`: a
/// deny that is certain stays; an allow shows that no deny and no ask waited for the fact.
fn at_worst(verdict: RuleVerdict) -> (RuleVerdict, Vec<RuleVerdict>) {
    let possible = match &verdict {
        RuleVerdict::Deny(_) | RuleVerdict::Allow(_) => 0,
        RuleVerdict::Silent => 2,
        RuleVerdict::Ask(_) => 3,
        RuleVerdict::Unevaluable(_) => 4,
    };
    (verdict, EACH.into_iter().take(possible).collect())
}

fn unless_open(ground: &Ground, judged: Judged, possible: &[RuleVerdict], missing: Missing) -> Judgement {
    if possible.iter().all(|verdict| settle(ground, verdict).0 == judged.outcome) {
        Judgement::Known(judged)
    } else {
        Judgement::Open(missing)
    }
}

fn judged(ground: &Ground, verdict: RuleVerdict, trial: Option<RuleVerdict>) -> Judged {
    let (outcome, reason_code) = settle(ground, &verdict);
    let says = match &verdict {
        RuleVerdict::Silent => None,
        RuleVerdict::Allow(_) => Some(Outcome::Allow),
        RuleVerdict::Ask(_) if ground.approved => Some(Outcome::Allow),
        RuleVerdict::Ask(_) => Some(Outcome::RequireApproval),
        RuleVerdict::Deny(_) | RuleVerdict::Unevaluable(_) => Some(Outcome::Deny),
    };
    Judged {
        outcome,
        reason_code,
        by_rules: says == Some(outcome),
        tried_outcome: trial.as_ref().map_or(outcome, |trial| settle(ground, trial).0),
        rules: verdict.into_ids(),
        tried: trial.map(RuleVerdict::into_ids).unwrap_or_default(),
    }
}

/// The first thing of a shape that was not kept.
pub(crate) fn missing(segment: &Segment<'_>, shape: &Shape<'_>) -> Option<Missing> {
    let withheld = |kept: Kept<&str>| matches!(kept, Kept::Withheld);
    [
        (shape.action.is_none(), Missing::Action),
        (shape.who_name.is_none(), Missing::Who),
        (withheld(shape.host), Missing::Host),
        (withheld(shape.method), Missing::Method),
        (withheld(shape.scheme), Missing::Scheme),
        (withheld(shape.tool), Missing::Tool),
        (matches!(segment.purposes(shape), Kept::Withheld), Missing::Purposes),
    ]
    .into_iter()
    .find_map(|(missing, what)| missing.then_some(what))
}

/// The facts of a case, as the rules saw them; what was withheld is unseen.
fn facts<'f>(segment: &'f Segment<'_>, shape: &'f Shape<'_>, case: &'f Case<'_>, input: &'f Kept<Value>) -> Facts<'f> {
    let who = Who { kind: shape.who_kind, name: shape.who_name.unwrap_or_default() };
    let mut facts = Facts::bare(shape.category, shape.action.unwrap_or_default(), who);
    facts.zone = shape.zone.unwrap_or(facts.zone);
    facts.room = shape.room;
    facts.host = shape.host.fact();
    facts.method = shape.method.fact();
    facts.path = case.path.map(Cow::Borrowed).fact();
    facts.port = shape.port.fact();
    facts.scheme = shape.scheme.fact();
    facts.opaque = shape.is_opaque();
    facts.tool = shape.tool.fact();
    facts.input = match input {
        Kept::Absent => Fact::Absent,
        Kept::Unseen | Kept::Withheld => Fact::Unseen,
        Kept::Seen(value) => Fact::Seen(value),
    };
    facts.label = shape.label.fact();
    facts.purposes = segment.purposes(shape).fact();
    facts
}
