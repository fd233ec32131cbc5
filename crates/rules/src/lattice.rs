//! How what rules say comes together: deny over ask over allow, whatever their order.

use model::decision::RuleId;
use policy::{RuleVerdict, Verdicts};

use crate::rule::Effect;
use crate::when::Tri;

/// What was said so far, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Said {
    #[default]
    Silent,
    Allow,
    Ask,
    Unevaluable,
    Deny,
}

/// What a rule with this effect says when it matches so; nothing when it does not.
fn says(effect: Effect, matches: Tri) -> Said {
    match (effect, matches) {
        (_, Tri::False) | (Effect::Allow, Tri::Unknown) => Said::Silent,
        (Effect::Allow, Tri::True) => Said::Allow,
        (Effect::Ask, _) => Said::Ask,
        (Effect::Deny, Tri::Unknown) => Said::Unevaluable,
        (Effect::Deny, Tri::True) => Said::Deny,
    }
}

/// The strictest so far, with who said it.
#[derive(Debug, Default)]
struct Strictest {
    said: Said,
    rules: Vec<RuleId>,
}

impl Strictest {
    fn hear(&mut self, said: Said, rule: &RuleId) {
        if said == Said::Silent || said < self.said {
            return;
        }
        if said > self.said {
            self.said = said;
            self.rules.clear();
        }
        self.rules.push(RuleId::clone(rule));
    }

    fn verdict(mut self) -> RuleVerdict {
        self.rules.sort_unstable();
        self.rules.dedup();
        match self.said {
            Said::Silent => RuleVerdict::Silent,
            Said::Allow => RuleVerdict::Allow(self.rules),
            Said::Ask => RuleVerdict::Ask(self.rules),
            Said::Unevaluable => RuleVerdict::Unevaluable(self.rules),
            Said::Deny => RuleVerdict::Deny(self.rules),
        }
    }
}

/// Both verdicts of a set, rule by rule.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    live: Strictest,
    tried: Strictest,
}

impl Tally {
    /// Whether a rule with this effect can still change anything.
    pub(crate) fn cares(&self, effect: Effect, shadow: bool) -> bool {
        let most = says(effect, Tri::True);
        if shadow { most >= self.tried.said } else { most >= self.live.said }
    }

    pub(crate) fn hear(&mut self, effect: Effect, matches: Tri, shadow: bool, rule: &RuleId) {
        let said = says(effect, matches);
        if shadow { self.tried.hear(said, rule) } else { self.live.hear(said, rule) }
    }

    pub(crate) fn verdicts(self) -> Verdicts {
        let (live, tried) = (self.live, self.tried);
        // What the tried rules say only counts where they are at least as strict as the others.
        let trial = (tried.said > live.said).then(|| tried.verdict());
        Verdicts { live: live.verdict(), trial }
    }
}
