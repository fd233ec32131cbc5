//! All that was tried, gathered so that the same attempts come to the same evidence: in whatever order, however
//! often, by whichever process.

use std::collections::{BTreeMap, BTreeSet};

use guard::attempt::{Attempt, Class};
use guard::rung::Rung;
use model::Canonical;
use serde_json::{Value, json};

/// LIMIT: attempts in an event; the first of them in their order, with a flag when there were more.
pub(crate) const ATTEMPTS_MAX: usize = 32;

/// A set of the smallest so many; which of them, no order of arrival changes.
#[derive(Debug)]
struct Smallest<T> {
    kept: BTreeSet<T>,
    more: bool,
}

impl<T: Ord> Default for Smallest<T> {
    fn default() -> Self {
        Self { kept: BTreeSet::new(), more: false }
    }
}

impl<T: Ord> Smallest<T> {
    /// Whether anything changed.
    fn insert(&mut self, item: T) -> bool {
        if self.kept.len() >= ATTEMPTS_MAX
            && !self.kept.contains(&item)
            && self.kept.last().is_some_and(|last| *last < item)
        {
            return !std::mem::replace(&mut self.more, true);
        }
        let new = self.kept.insert(item);
        if self.kept.len() > ATTEMPTS_MAX {
            self.kept.pop_last();
            self.more = true;
        }
        new
    }
}

/// What was tried so far.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    violations: Smallest<Attempt>,
    /// Keyed digests of what exactly was tried.
    subjects: Smallest<String>,
    noticed: Smallest<Attempt>,
    /// How often.
    notices: u64,
}

impl Gathered {
    /// Adds an attempt, and says whether that changes what its event says.
    pub(crate) fn add(&mut self, attempt: Attempt, class: Class, subject: Option<String>) -> bool {
        match class {
            Class::Notice => {
                self.notices += 1;
                self.noticed.insert(attempt);
                false
            }
            Class::Violation => {
                let subject = subject.is_some_and(|subject| self.subjects.insert(subject));
                self.violations.insert(attempt) || subject
            }
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.violations.kept.is_empty()
    }

    pub(crate) fn notices(&self) -> (u64, Vec<Attempt>) {
        (self.notices, self.noticed.kept.iter().copied().collect())
    }

    pub(crate) fn attempts(&self) -> (Vec<Attempt>, bool) {
        (self.violations.kept.iter().copied().collect(), self.violations.more)
    }

    /// The canonical text of the attempts: what is digested.
    pub(crate) fn canonical(&self) -> Canonical {
        Canonical::from(&json!({ "attempts": self.violations.kept, "overflow": self.violations.more }))
    }

    /// The summary of the event. No errno, process, descriptor, address, name, path or payload is in it.
    pub(crate) fn summary(&self, rung: Rung, input_hmac: &str, digest: &str) -> Value {
        let mut classes: BTreeMap<String, u64> = BTreeMap::new();
        for attempt in &self.violations.kept {
            let class = serde_json::to_value(attempt.destination).unwrap_or_default();
            *classes.entry(class.as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let mut summary = json!({
            "attempts": self.violations.kept,
            "classes": classes,
            "digest": digest,
            "input_hmac": input_hmac,
            "overflow": self.violations.more,
            "rung": rung.as_str(),
            "subjects": self.subjects.kept,
        });
        if guard::weaken::asked("log_errno")
            && let Some(members) = summary.as_object_mut()
        {
            let last = std::io::Error::last_os_error().raw_os_error();
            members.insert("errno".to_owned(), json!([last, self.notices]));
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn attempts(count: u16) -> Vec<Attempt> {
        let address: IpAddr = "203.0.113.5".parse().unwrap();
        (0..count).map(|n| Attempt::towards("connect", "tcp", address, n)).collect()
    }

    fn gathered(attempts: impl IntoIterator<Item = Attempt>) -> Gathered {
        let mut gathered = Gathered::default();
        for attempt in attempts {
            gathered.add(attempt, Class::Violation, Some(format!("{:?}", attempt.port)));
        }
        gathered
    }

    #[test]
    fn the_order_and_the_number_of_attempts_change_nothing() {
        for count in [1, 2, 31, 32, 33, 100] {
            let all = attempts(count);
            let forth = gathered(all.iter().copied());
            let back = gathered(all.iter().rev().chain(&all).copied());
            let say = |gathered: &Gathered| gathered.summary(Rung::A, "in", gathered.canonical().as_str()).to_string();
            assert_eq!(say(&forth), say(&back), "{count}");
            let (kept, more) = forth.attempts();
            assert_eq!((kept.len(), more), (usize::from(count.min(32)), count > 32), "{count}");
            assert!(kept.is_sorted());
        }
    }

    #[test]
    fn it_says_when_its_event_would_say_something_else() {
        let mut gathered = Gathered::default();
        let [one, two] = attempts(2).try_into().unwrap();
        assert!(!gathered.add(one, Class::Notice, None) && gathered.is_clean());
        assert!(gathered.add(one, Class::Violation, None));
        assert!(!gathered.add(one, Class::Violation, None), "the same");
        assert!(gathered.add(one, Class::Violation, Some("a".into())), "towards something else");
        assert!(gathered.add(two, Class::Violation, Some("a".into())));
        for n in 0..40 {
            let more = Attempt::call("ptrace", guard::attempt::Destination::Process);
            gathered.add(Attempt { port: Some(n), ..more }, Class::Violation, None);
        }
        let last = Attempt::call("zzz", guard::attempt::Destination::None);
        assert!(!gathered.add(last, Class::Violation, None), "that there is more was said already");
        assert_eq!(gathered.notices(), (1, vec![one]));
    }

    #[test]
    fn the_summary_has_these_members_and_no_other() {
        let summary = gathered(attempts(2)).summary(Rung::B, "in", "d");
        let members: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["attempts", "classes", "digest", "input_hmac", "overflow", "rung", "subjects"]);
        let attempt: Vec<&str> = summary["attempts"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(attempt, ["destination", "family", "op", "port", "protocol"]);
        assert_eq!((&summary["classes"], &summary["rung"]), (&json!({ "reserved": 2 }), &json!("B")));
    }
}
