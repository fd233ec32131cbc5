//! Rules known one by one, so that it can be told whether a fact that was not kept mattered.

use std::sync::Arc;

use foldhash::HashSet;
use model::Time;
use policy::{Facts, RulePack, RuleVerdict};
use rules::{Compiled, Effect, PolicySet, Rule};

use crate::entry::Kept;

/// For each choice of facts that were withheld: the rules that do not look at any of them, and of those
/// that do, what remains of them without it.
#[derive(Debug)]
pub(super) struct Typed {
    path: Parted,
    input: Parted,
    both: Parted,
    /// The tools whose input some rule looks at.
    tools: HashSet<Arc<str>>,
}

#[derive(Debug)]
struct Parted {
    without: Compiled,
    /// By effect: what is left of the rules that look, all of them as asks, for an ask speaks where it
    /// is true and where it is unknown.
    left: [(Effect, Compiled); 3],
}

impl Typed {
    pub(super) fn of(set: &PolicySet) -> Self {
        let conditions = set.rules.iter().filter(|rule| rule.when.is_some());
        let tools = conditions.filter_map(|rule| rule.tools.as_ref()).flatten();
        Self {
            path: Parted::of(set, [true, false]),
            input: Parted::of(set, [false, true]),
            both: Parted::of(set, [true, true]),
            tools: tools.map(|tool| Arc::from(tool.to_string())).collect(),
        }
    }

    /// Whether some rule looks at what this tool is called with.
    pub(super) fn looks_into(&self, tool: Kept<&str>) -> bool {
        match tool {
            Kept::Absent => false,
            Kept::Unseen | Kept::Withheld => !self.tools.is_empty(),
            Kept::Seen(tool) => self.tools.contains(tool),
        }
    }

    /// What the rules say that do not look at what was lost (path, input), and what all of them may
    /// have said.
    pub(super) fn possible(&self, facts: &Facts<'_>, at: Time, lost: [bool; 2]) -> (RuleVerdict, Vec<RuleVerdict>) {
        let parted = match lost {
            [true, true] => &self.both,
            [true, false] => &self.path,
            [false, _] => &self.input,
        };
        let certain = parted.without.eval(facts, at).live;
        let spoke = parted.left.iter().filter(|(_, left)| !matches!(left.eval(facts, at).live, RuleVerdict::Silent));
        let possible = spoke.map(|(effect, _)| stricter(&certain, *effect)).collect();
        (certain, possible)
    }
}

/// What a rule with this effect makes of a verdict when it joins in.
fn stricter(verdict: &RuleVerdict, effect: Effect) -> RuleVerdict {
    match (verdict, effect) {
        (RuleVerdict::Deny(_) | RuleVerdict::Unevaluable(_), _) | (_, Effect::Deny) => RuleVerdict::Deny(Vec::new()),
        (RuleVerdict::Ask(_), _) | (_, Effect::Ask) => RuleVerdict::Ask(Vec::new()),
        (RuleVerdict::Silent | RuleVerdict::Allow(_), Effect::Allow) => RuleVerdict::Allow(Vec::new()),
    }
}

impl Parted {
    fn of(set: &PolicySet, [path, input]: [bool; 2]) -> Self {
        let looks = |rule: &&Rule| path && rule.paths.is_some() || input && rule.when.is_some();
        let live = || set.rules.iter().filter(|rule| !rule.shadow);
        let compiled = |rules: Vec<Rule>| {
            rules::compile(&PolicySet { rules, tools: set.tools.clone(), groups: set.groups.clone() })
        };
        let left = |effect: Effect| {
            let looking = live().filter(looks).filter(|rule| rule.effect == effect).cloned();
            let left = looking.map(|rule| Rule {
                effect: Effect::Ask,
                paths: rule.paths.filter(|_| !path),
                when: rule.when.filter(|_| !input),
                ..rule
            });
            (effect, compiled(left.collect()))
        };
        Self { without: compiled(live().filter(|rule| !looks(rule)).cloned().collect()), left: Effect::ALL.map(left) }
    }
}
