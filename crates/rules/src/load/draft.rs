//! What was read so far; names are resolved when all files are read, for they may be used before
//! they are declared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{PROBLEMS_MAX, RULES_MAX, groups, when};
use crate::problem::Problem;
use crate::rule::{Effect, Place, PolicySet, Rule, Tool, WhoPattern};

/// A group as written.
pub(crate) struct Group {
    pub(crate) place: Place,
    pub(crate) members: BTreeSet<WhoPattern>,
    /// Groups in the group.
    pub(crate) groups: Vec<(Place, Arc<str>)>,
}

/// A rule whose names are not resolved yet.
pub(crate) struct Pending {
    pub(crate) rule: Rule,
    pub(crate) groups: Vec<(Place, Arc<str>)>,
    pub(crate) when: Option<when::Unchecked>,
}

#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) rules: Vec<Pending>,
    pub(crate) groups: BTreeMap<Arc<str>, Group>,
    pub(crate) tools: BTreeMap<Arc<str>, (Place, Tool)>,
    ids: HashMap<Arc<str>, Place>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Draft {
    pub(crate) fn problem(&mut self, problem: Problem) {
        // Kept one more than is shown, so that the end can be told from the limit.
        if self.problems.len() <= PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    /// How many problems there were so far.
    pub(crate) fn trouble(&self) -> usize {
        self.problems.len()
    }

    pub(crate) fn add(&mut self, pending: Pending) {
        let (id, place) = (&pending.rule.id, &pending.rule.place);
        if let Some(first) = self.ids.get(id) {
            let message = format!("the id `{id}` is taken: {first}");
            self.problem(at(place, message).hinted("ids are unique in a set"));
        } else {
            self.ids.insert(Arc::clone(id), place.clone());
        }
        if self.rules.len() == RULES_MAX {
            self.problem(at(place, format!("more than {RULES_MAX} rules")).hinted("use groups and lists"));
        }
        if self.rules.len() < RULES_MAX {
            self.rules.push(pending);
        }
    }

    /// The set, when nothing is wrong with it.
    pub(crate) fn finish(mut self) -> Result<(PolicySet, Vec<Problem>), Vec<Problem>> {
        let members = groups::resolve(&mut self);
        let mut rules = Vec::with_capacity(self.rules.len());
        for mut pending in std::mem::take(&mut self.rules) {
            groups::join(&mut self, &members, &mut pending);
            if let Some(unchecked) = pending.when.take() {
                pending.rule.when = when::check(&mut self, &pending.rule, unchecked);
            }
            rules.push(pending.rule);
        }
        if self.problems.is_empty() {
            self.contradictions(&rules);
        }
        self.twins(&rules);
        if !self.problems.is_empty() {
            self.problems.sort();
            self.problems.truncate(PROBLEMS_MAX);
            return Err(self.problems);
        }
        let tools = self.tools.into_iter().map(|(name, (_, tool))| (name, tool)).collect();
        self.warnings.sort();
        self.warnings.truncate(PROBLEMS_MAX);
        Ok((PolicySet { rules, tools, groups: members }, self.warnings))
    }

    /// Rules that no ask can match.
    fn contradictions(&mut self, rules: &[Rule]) {
        for rule in rules {
            if let Some(why) = crate::check::never_matches(rule) {
                self.problem(at(&rule.place, format!("rule `{}` can never match: {why}", rule.id)));
            }
        }
    }

    /// Rules that say the same and differ in how long.
    fn twins(&mut self, rules: &[Rule]) {
        let mut seen: HashMap<_, Vec<&Rule>> = HashMap::new();
        for rule in rules.iter().filter(|rule| rule.until.is_some()) {
            let alike = seen.entry((rule.effect, &rule.who, &rule.hosts, &rule.tools, &rule.actions)).or_default();
            if let Some(first) = alike.iter().find(|first| says_the_same(first, rule)) {
                let message =
                    format!("rule `{}` is rule `{}` ({}) with another `until`", rule.id, first.id, first.place);
                self.warnings.push(at(&rule.place, message).hinted("keep the one that ends later"));
            }
            // LIMIT: beyond a few that begin alike, looking further is not worth the time.
            if alike.len() < 16 {
                alike.push(rule);
            }
        }
    }
}

/// Whether two rules differ in name, place, reason and end at most.
fn says_the_same(a: &Rule, b: &Rule) -> bool {
    let named =
        Rule { id: Arc::clone(&b.id), reason: b.reason.clone(), until: b.until, place: b.place.clone(), ..a.clone() };
    named == *b
}

impl Effect {
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Allow => "[[allow]]",
            Self::Ask => "[[ask]]",
            Self::Deny => "[[deny]]",
        }
    }
}

/// A problem at a place.
pub(crate) fn at(place: &Place, message: String) -> Problem {
    Problem { file: place.file.to_string(), line: place.line, column: place.column, message, hint: None }
}
