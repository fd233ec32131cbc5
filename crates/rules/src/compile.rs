//! A set as an index: a decision looks at the rules that may match, not at all of them.
//!
//! Each rule is filed under its most telling selector: its tools, else its hosts, else whom it is
//! about, else its actions. What has none of these is looked at every time. Within a tool or a host,
//! rules about somebody by name are filed once more under that name.

mod predicate;
mod shelf;

use model::Time;
use model::decision::RuleId;
use model::domain::DomainPattern;
use policy::{Fact, Facts, RulePack, Verdicts};

use crate::lattice::Tally;
use crate::rule::{Effect, NamePattern, PolicySet, Rule, WhoPattern};
use crate::when::Tri;
use predicate::{Moment, Predicate};
use shelf::{Named, Shelf};

/// LIMIT: somebody's rules are filed under their name when the rule names at most so many.
const NAMES_MAX: usize = 64;

/// A set of rules, ready to be asked.
#[derive(Debug)]
pub struct Compiled {
    rules: Box<[Entry]>,
    hosts: Shelf,
    /// Under the suffix, without `*.`.
    suffixes: Shelf,
    tools: Shelf,
    actions: Shelf,
    who: Named,
    rest: Vec<u32>,
    /// Rules under a host or a tool that say something even when that was not seen.
    host_unseen: Vec<u32>,
    tool_unseen: Vec<u32>,
    timed: bool,
}

#[derive(Debug)]
struct Entry {
    id: RuleId,
    effect: Effect,
    shadow: bool,
    shuns_opaque: bool,
    /// What is left to check, cheapest first.
    predicates: Box<[Predicate]>,
}

/// What a rule is filed under.
enum Anchor<'a> {
    Tools(Vec<&'a str>),
    Hosts(&'a [DomainPattern]),
    Who(&'a [WhoPattern]),
    Actions(Vec<&'a str>),
    Nothing,
}

/// Compiles a set.
#[must_use]
pub fn compile(set: &PolicySet) -> Compiled {
    let mut compiled = Compiled {
        rules: Box::default(),
        hosts: Shelf::default(),
        suffixes: Shelf::default(),
        tools: Shelf::default(),
        actions: Shelf::default(),
        who: Named::default(),
        rest: Vec::new(),
        host_unseen: Vec::new(),
        tool_unseen: Vec::new(),
        timed: set.rules.iter().any(|rule| rule.until.is_some() || rule.hours.is_some()),
    };
    compiled.rules = set.rules.iter().zip(0_u32..).map(|(rule, number)| compiled.file(rule, number)).collect();
    compiled
}

impl Compiled {
    fn file(&mut self, rule: &Rule, number: u32) -> Entry {
        let names = rule
            .who
            .as_deref()
            .filter(|who| who.len() <= NAMES_MAX && who.iter().all(|pattern| matches!(pattern, WhoPattern::Named(..))));
        let anchor = anchor(rule, names);
        match &anchor {
            Anchor::Tools(tools) => {
                tools.iter().for_each(|tool| self.tools.put(tool, names, number));
                if rule.effect != Effect::Allow {
                    self.tool_unseen.push(number);
                }
            }
            Anchor::Hosts(hosts) => {
                for host in *hosts {
                    match host {
                        DomainPattern::Exact(host) => self.hosts.put(host, names, number),
                        DomainPattern::Suffix(suffix) => self.suffixes.put(suffix, names, number),
                        DomainPattern::Any => {}
                    }
                }
                if rule.effect != Effect::Allow {
                    self.host_unseen.push(number);
                }
            }
            Anchor::Who(who) => self.who.put(who, number),
            Anchor::Actions(actions) => actions.iter().for_each(|action| self.actions.put(action, None, number)),
            Anchor::Nothing => self.rest.push(number),
        }
        let predicates = predicate::all(rule, matches!(anchor, Anchor::Tools(_)), matches!(anchor, Anchor::Hosts(_)));
        Entry {
            id: RuleId::clone(&rule.id),
            effect: rule.effect,
            shadow: rule.shadow,
            shuns_opaque: rule.shuns_opaque(),
            predicates,
        }
    }

    /// Hears each of these rules; `start` is what their anchor says.
    fn hear(&self, numbers: &[u32], start: Tri, facts: &Facts<'_>, moment: &Moment, tally: &mut Tally) {
        for number in numbers {
            let Some(entry) = self.rules.get(*number as usize) else { continue };
            if !tally.cares(entry.effect, entry.shadow) || facts.opaque && entry.shuns_opaque {
                continue;
            }
            let mut matches = start;
            for predicate in &*entry.predicates {
                matches = matches.min(predicate.holds(facts, moment));
                if matches == Tri::False {
                    break;
                }
            }
            tally.hear(entry.effect, matches, entry.shadow, &entry.id);
        }
    }

    /// Whether what the set says depends on the time.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.timed
    }

    /// How many rules it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl RulePack for Compiled {
    fn eval(&self, facts: &Facts<'_>, now: Time) -> Verdicts {
        let (moment, mut tally) = (Moment::new(now), Tally::default());
        let mut hear = |numbers: &[u32], start| self.hear(numbers, start, facts, &moment, &mut tally);
        hear(&self.rest, Tri::True);
        match facts.host {
            Fact::Absent => {}
            Fact::Unseen => hear(&self.host_unseen, Tri::Unknown),
            Fact::Seen(host) => {
                self.hosts.get(host, facts.who, |numbers| hear(numbers, Tri::True));
                if !self.suffixes.is_empty() {
                    let mut suffix = Some(host);
                    while let Some(name) = suffix {
                        self.suffixes.get(name, facts.who, |numbers| hear(numbers, Tri::True));
                        suffix = name.split_once('.').map(|(_, rest)| rest);
                    }
                }
            }
        }
        match facts.tool {
            Fact::Absent => {}
            Fact::Unseen => hear(&self.tool_unseen, Tri::Unknown),
            Fact::Seen(tool) => self.tools.get(tool, facts.who, |numbers| hear(numbers, Tri::True)),
        }
        self.who.get(facts.who, |numbers| hear(numbers, Tri::True));
        self.actions.get(facts.action, facts.who, |numbers| hear(numbers, Tri::True));
        tally.verdicts()
    }
}

fn anchor<'a>(rule: &'a Rule, names: Option<&'a [WhoPattern]>) -> Anchor<'a> {
    if let Some(tools) = exact(rule.tools.as_deref()) {
        return Anchor::Tools(tools);
    }
    if let Some(hosts) = rule.hosts.as_deref().filter(|hosts| !hosts.contains(&DomainPattern::Any)) {
        return Anchor::Hosts(hosts);
    }
    if let Some(names) = names {
        return Anchor::Who(names);
    }
    exact(rule.actions.as_deref()).map_or(Anchor::Nothing, Anchor::Actions)
}

/// The names, when all are exact.
fn exact(patterns: Option<&[NamePattern]>) -> Option<Vec<&str>> {
    let name = |pattern: &'_ NamePattern| match pattern {
        NamePattern::Exact(_) => true,
        NamePattern::Below(_) => false,
    };
    let patterns = patterns.filter(|all| all.iter().all(name))?;
    Some(
        patterns
            .iter()
            .filter_map(|pattern| match pattern {
                NamePattern::Exact(name) => Some(&**name),
                NamePattern::Below(_) => None,
            })
            .collect(),
    )
}
