//! What of the requests is wanted, in words: `decision:deny host:*.github.com agent:coder`.
//!
//! A word narrows; several values with commas between widen it again. A word about how requests end
//! (`outcome:`) leaves ends only.

use model::DomainPattern;

use super::said::{Request, Said};
use crate::commands::moment;
use crate::suggest;

const KEYS: [&str; 11] =
    ["decision", "host", "agent", "user", "service", "method", "outcome", "reason", "run", "room", "since"];

/// The wanted values of each kind; none of a kind = any.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    decisions: Vec<String>,
    hosts: Vec<DomainPattern>,
    /// Kind, and id or name.
    who: Vec<(&'static str, String)>,
    methods: Vec<String>,
    outcomes: Vec<String>,
    reasons: Vec<String>,
    runs: Vec<String>,
    rooms: Vec<String>,
    /// From when on, as the API takes it.
    pub(super) since: Option<String>,
}

impl Filter {
    /// Reads the words.
    ///
    /// # Errors
    /// A sentence: what cannot be read, and what was expected.
    pub(super) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in words {
            let Some((key, values)) = word.split_once(':').filter(|(_, values)| !values.is_empty()) else {
                return Err(format!("`{word}` is not a filter: write KEY:VALUE with one of {}", KEYS.join(", ")));
            };
            filter.take(key, values).map_err(|why| format!("`{word}`: {why}"))?;
        }
        Ok(filter)
    }

    fn take(&mut self, key: &str, values: &str) -> Result<(), String> {
        let each = || values.split(',').map(str::trim).filter(|value| !value.is_empty());
        let known = |known: &[&str]| -> Result<Vec<String>, String> {
            each()
                .map(|value| match known.contains(&value) {
                    true => Ok(value.to_owned()),
                    false => Err(format!("expected one of {}", known.join(", "))),
                })
                .collect()
        };
        let texts = || each().map(str::to_owned);
        match key {
            "decision" => self.decisions.extend(known(&["allow", "deny", "require_approval"])?),
            "outcome" => self.outcomes.extend(known(&["completed", "failed", "cut", "unknown"])?),
            "host" => {
                for value in each() {
                    self.hosts.push(DomainPattern::parse(value).map_err(|error| format!("this is {error}"))?);
                }
            }
            "agent" => self.who.extend(texts().map(|name| ("agent", name))),
            "user" => self.who.extend(texts().map(|name| ("user", name))),
            "service" => self.who.extend(texts().map(|name| ("service", name))),
            "method" => self.methods.extend(each().map(str::to_ascii_uppercase)),
            "reason" => self.reasons.extend(texts()),
            "run" => self.runs.extend(texts()),
            "room" => self.rooms.extend(texts()),
            "since" => self.since = Some(moment::past(values)?),
            other => {
                let near = suggest::nearest(other, KEYS.iter().copied());
                return Err(match near {
                    Some(near) => format!("there is no filter `{other}`; did you mean `{near}`?"),
                    None => format!("there is no filter `{other}`; expected one of {}", KEYS.join(", ")),
                });
            }
        }
        Ok(())
    }

    /// Whether it is wanted.
    pub(super) fn takes(&self, said: &Said) -> bool {
        match said {
            Said::Decided(request) => self.outcomes.is_empty() && self.takes_request(request),
            Said::Ended(request, end) => among(&self.outcomes, &end.outcome) && self.takes_request(request),
        }
    }

    fn takes_request(&self, request: &Request) -> bool {
        let (kind, id, name) = &request.who;
        let is = |(wanted, value): &(&'static str, String)| {
            wanted == kind && (value == id || name.as_ref() == Some(value) || value == "*")
        };
        among(&self.decisions, &request.decision)
            && among(&self.methods, &request.method)
            && among(&self.reasons, &request.reason)
            && (self.hosts.is_empty() || self.hosts.iter().any(|host| host.matches(&request.host)))
            && (self.who.is_empty() || self.who.iter().any(is))
            && (self.runs.is_empty() || request.run.as_ref().is_some_and(|run| self.runs.contains(run)))
            && (self.rooms.is_empty() || request.room.as_ref().is_some_and(|room| self.rooms.contains(room)))
    }
}

fn among(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|each| each == value)
}

#[cfg(test)]
mod tests {
    use super::super::said::Memory;
    use super::super::said::tests::{decided, ended};
    use super::*;

    /// The numbers of the lines that are wanted.
    fn taken(words: &str) -> Vec<usize> {
        let filter = Filter::parse(words.split_whitespace()).unwrap();
        let mut memory = Memory::default();
        memory.learn_agents(&[serde_json::json!({ "agent_id": "a_1", "display_name": "coder" })]);
        let events = [
            decided("egr_1", "api.github.com", "allow", "a_1"),
            decided("egr_2", "github.com", "deny", "a_2"),
            decided("egr_3", "example.org", "deny", "a_1"),
            ended("egr_1", "cut", 1, 1),
            ended("egr_9", "completed", 1, 1),
        ];
        let said = events.iter().map(|event| memory.read(event).unwrap()).collect::<Vec<_>>();
        said.iter().enumerate().filter(|(_, said)| filter.takes(said)).map(|(at, _)| at).collect()
    }

    #[test]
    fn words_narrow_and_values_widen() {
        for (words, want) in [
            ("", &[0, 1, 2, 3, 4][..]),
            ("decision:deny", &[1, 2]),
            ("decision:allow", &[0, 3]),
            ("decision:allow,deny", &[0, 1, 2, 3]),
            ("host:*.github.com", &[0, 1, 3]),
            ("host:*.github.com decision:deny", &[1]),
            ("agent:coder", &[0, 2, 3]),
            ("agent:a_2", &[1]),
            ("agent:*", &[0, 1, 2, 3]),
            ("user:coder", &[]),
            ("method:connect host:example.org", &[2]),
            ("method:GET", &[]),
            ("outcome:cut", &[3]),
            ("outcome:cut,completed", &[3, 4]),
            ("outcome:cut agent:coder", &[3]),
            ("reason:policy_denies", &[1, 2]),
            ("run:run_1", &[]),
        ] {
            assert_eq!(taken(words), want, "{words}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_was_expected() {
        for (word, want) in [
            ("deny", "KEY:VALUE"),
            ("decision:", "KEY:VALUE"),
            ("decision:denied", "require_approval"),
            ("hots:a.example", "did you mean `host`?"),
            ("host:a.*.example", "not a domain"),
            ("since:yesterday", "10m"),
        ] {
            let why = Filter::parse([word]).unwrap_err();
            assert!(why.contains(want), "{word}: {why}");
        }
        assert!(Filter::parse(["since:1h"]).unwrap().since.is_some());
    }
}
