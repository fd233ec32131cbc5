//! What was asked of the gate, folded so that a call that asks a million times has a short list.

use std::collections::HashMap;

use egress::proxy::Ruling;
use model::Outcome;

use crate::{Rulings, Told};

/// LIMIT: places in the lists of one call.
const TOLD_MAX: usize = 256;

/// What makes two asks the same.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    host: String,
    port: u16,
    method: String,
    decision: Option<Outcome>,
    reason_code: &'static str,
    captured: bool,
}

/// The asks of a call so far.
#[derive(Default)]
pub(crate) struct Asked {
    at: HashMap<Key, usize>,
    told: Vec<(bool, Told)>,
    more: u64,
}

impl Asked {
    pub(crate) fn add(&mut self, ruling: Ruling) {
        let Ruling {
            host, port, method, decision, blocked, reason_code, egress_request_id, approval_id, captured, ..
        } = ruling;
        let key = Key { host: host.clone(), port, method: method.clone(), decision, reason_code, captured };
        if let Some((_, told)) = self.at.get(&key).and_then(|&at| self.told.get_mut(at)) {
            told.count += 1;
            told.egress_request_id = egress_request_id.or(told.egress_request_id.take());
            told.approval_id = approval_id.or(told.approval_id.take());
            return;
        }
        if self.told.len() >= TOLD_MAX {
            self.more += 1;
            return;
        }
        let reason_code = reason_code.to_owned();
        let told =
            Told { host, port, method, decision, reason_code, egress_request_id, approval_id, captured, count: 1 };
        self.at.insert(key, self.told.len());
        self.told.push((blocked, told));
    }

    pub(crate) fn into_rulings(self) -> Rulings {
        let mut rulings = Rulings { more: self.more, ..Rulings::default() };
        for (blocked, told) in self.told {
            match (told.decision, blocked) {
                (Some(Outcome::RequireApproval), _) => rulings.asked.push(told),
                (_, true) => rulings.blocked.push(told),
                (_, false) => rulings.allowed.push(told),
            }
        }
        rulings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruling(port: u16, decision: Option<Outcome>, blocked: bool) -> Ruling {
        Ruling {
            host: "a.test".to_owned(),
            port,
            method: "GET".to_owned(),
            path: None,
            decision,
            blocked,
            reason_code: "x",
            egress_request_id: None,
            approval_id: None,
            captured: false,
        }
    }

    #[test]
    fn each_place_is_told_once_with_how_often() {
        let mut asked = Asked::default();
        for _ in 0..3 {
            asked.add(ruling(80, Some(Outcome::Allow), false));
            asked.add(ruling(80, Some(Outcome::Deny), true));
            asked.add(ruling(80, Some(Outcome::RequireApproval), true));
            asked.add(ruling(80, None, true));
        }
        let rulings = asked.into_rulings();
        let counts = |told: &[Told]| told.iter().map(|told| told.count).collect::<Vec<_>>();
        assert_eq!(counts(&rulings.allowed), [3]);
        assert_eq!(counts(&rulings.asked), [3]);
        assert_eq!(counts(&rulings.blocked), [3, 3]);
    }

    #[test]
    fn the_lists_are_bounded() {
        let mut asked = Asked::default();
        for port in 1..=300 {
            asked.add(ruling(port, Some(Outcome::Allow), false));
        }
        asked.add(ruling(1, Some(Outcome::Allow), false));
        let rulings = asked.into_rulings();
        assert_eq!((rulings.allowed.len(), rulings.more, rulings.allowed[0].count), (256, 44, 2));
    }
}
