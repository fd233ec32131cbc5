//! Rules under a name, and within it under whom they are about.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use model::ActorType;
use policy::Who;

use crate::rule::WhoPattern;

type Map<V> = HashMap<Arc<str>, V, RandomState>;

/// Rules by name.
#[derive(Debug, Default)]
pub(super) struct Shelf(Map<Bucket>);

#[derive(Debug, Default)]
struct Bucket {
    everybody: Vec<u32>,
    named: Named,
}

/// Rules by whom they are about.
#[derive(Debug, Default)]
pub(super) struct Named {
    agents: Map<Vec<u32>>,
    users: Map<Vec<u32>>,
    services: Map<Vec<u32>>,
}

impl Shelf {
    /// Files a rule; `names` = whom it is about, when that is somebody by name.
    pub(super) fn put(&mut self, name: &str, names: Option<&[WhoPattern]>, rule: u32) {
        let bucket = match self.0.get_mut(name) {
            Some(bucket) => bucket,
            None => self.0.entry(Arc::from(name)).or_default(),
        };
        match names {
            Some(names) => bucket.named.put(names, rule),
            None => bucket.everybody.push(rule),
        }
    }

    pub(super) fn get(&self, name: &str, who: Who<'_>, mut found: impl FnMut(&[u32])) {
        if self.0.is_empty() {
            return;
        }
        if let Some(bucket) = self.0.get(name) {
            found(&bucket.everybody);
            bucket.named.get(who, found);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Named {
    pub(super) fn put(&mut self, names: &[WhoPattern], rule: u32) {
        for pattern in names {
            let WhoPattern::Named(kind, name) = pattern else { continue };
            let map = match kind {
                ActorType::Agent => &mut self.agents,
                ActorType::User => &mut self.users,
                ActorType::Service => &mut self.services,
            };
            match map.get_mut(&**name) {
                Some(rules) => rules.push(rule),
                None => drop(map.insert(Arc::clone(name), vec![rule])),
            }
        }
    }

    pub(super) fn get(&self, who: Who<'_>, mut found: impl FnMut(&[u32])) {
        let map = match who.kind {
            ActorType::Agent => &self.agents,
            ActorType::User => &self.users,
            ActorType::Service => &self.services,
        };
        if !map.is_empty()
            && let Some(rules) = map.get(who.name)
        {
            found(rules);
        }
    }
}
