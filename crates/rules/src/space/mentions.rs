//! Every value that some rules mention: where a space has to be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::ActorType;
use model::ask::Tunnel;
use model::domain::DomainPattern;

use super::tree::Names;
use crate::rule::{Effect, NamePattern, Ports, Rule, WhoPattern};
use crate::when::Test;

/// What rules mention, by dimension.
#[derive(Debug)]
pub(crate) struct Mentions<'a> {
    pub(super) who: [(ActorType, BTreeSet<Arc<str>>); 3],
    pub(super) actions: Names,
    pub(super) rooms: BTreeSet<Arc<str>>,
    pub(super) minutes: BTreeSet<i64>,
    pub(super) moments: BTreeSet<i64>,
    pub(super) hosts: Names,
    pub(super) methods: BTreeSet<Arc<str>>,
    pub(super) paths: Names,
    pub(super) ports: BTreeSet<i64>,
    pub(super) opaque: bool,
    pub(super) tools: Names,
    pub(super) purposes: BTreeSet<Arc<str>>,
    pub(super) tests: BTreeMap<Arc<str>, Vec<&'a Test>>,
}

impl<'a> Mentions<'a> {
    /// What these rules mention.
    pub(crate) fn of(rules: impl IntoIterator<Item = &'a Rule>) -> Self {
        let kinds = [ActorType::Service, ActorType::User, ActorType::Agent];
        let mut all = Self {
            who: kinds.map(|kind| (kind, BTreeSet::new())),
            actions: Names::default(),
            rooms: BTreeSet::new(),
            minutes: BTreeSet::new(),
            moments: BTreeSet::new(),
            hosts: Names::default(),
            methods: BTreeSet::new(),
            paths: Names::default(),
            ports: BTreeSet::new(),
            opaque: false,
            tools: Names::default(),
            purposes: BTreeSet::new(),
            tests: BTreeMap::new(),
        };
        rules.into_iter().for_each(|rule| all.rule(rule));
        all
    }

    /// Tells these methods apart too.
    pub(crate) fn methods(&mut self, methods: impl IntoIterator<Item = &'static str>) {
        self.methods.extend(methods.into_iter().map(Arc::from));
    }

    /// Tells opaque tunnels apart too.
    pub(crate) fn opaque(&mut self) {
        self.opaque = true;
    }

    fn rule(&mut self, rule: &'a Rule) {
        for who in rule.who.iter().flatten() {
            if let WhoPattern::Named(kind, name) = who
                && let Some((_, names)) = self.who.iter_mut().find(|(each, _)| each == kind)
            {
                insert(names, name);
            }
        }
        for (patterns, names) in [(&rule.actions, &mut self.actions), (&rule.tools, &mut self.tools)] {
            for pattern in patterns.iter().flatten() {
                match pattern {
                    NamePattern::Exact(name) => names.exact(name),
                    NamePattern::Below(prefix) => names.below(prefix),
                }
            }
        }
        for host in rule.hosts.iter().flatten() {
            match host {
                DomainPattern::Any => {}
                DomainPattern::Exact(host) => self.hosts.exact(host),
                DomainPattern::Suffix(suffix) => self.hosts.below(suffix),
            }
        }
        self.opaque |= rule.effect == Effect::Allow && rule.tunnel == Tunnel::Opaque;
        rule.paths.iter().flatten().for_each(|path| self.paths.below(path));
        rule.methods.iter().flatten().for_each(|method| insert(&mut self.methods, method));
        rule.rooms.iter().flatten().for_each(|room| insert(&mut self.rooms, room));
        rule.purposes.iter().flatten().for_each(|purpose| insert(&mut self.purposes, purpose));
        match &rule.ports {
            Ports::Any => {}
            Ports::Web => self.ports.extend([80, 81, 443, 444]),
            Ports::In(ranges) => {
                self.ports.extend(ranges.iter().flat_map(|(from, to)| [i64::from(*from), i64::from(*to) + 1]));
            }
        }
        if let Some(hours) = &rule.hours {
            self.minutes.extend(hours.ranges().iter().flat_map(|(from, to)| [i64::from(*from), i64::from(*to)]));
        }
        self.moments.extend(rule.until.map(model::Time::as_millis));
        if let Some(when) = &rule.when {
            when.each_test(&mut |test| match self.tests.get_mut(&test.at) {
                Some(tests) => tests.push(test),
                None => drop(self.tests.insert(Arc::clone(&test.at), vec![test])),
            });
        }
    }
}

fn insert(into: &mut BTreeSet<Arc<str>>, word: &Arc<str>) {
    if !into.contains(word) {
        into.insert(Arc::clone(word));
    }
}
