//! What an event says of a request to leave: the request as it was decided, or how it ended.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

use crate::output::opt;

/// LIMIT: requests remembered, so that an end is shown with what it is the end of.
const REMEMBERED_MAX: usize = 10_000;

/// A request to leave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Its id.
    pub(super) id: String,
    /// `allow`, `deny` or `require_approval`.
    pub(super) decision: String,
    /// Whether it was held back.
    pub(super) blocked: bool,
    /// Why.
    pub(super) reason: String,
    /// The method, else the action.
    pub(super) method: String,
    /// The host; empty when it cannot be told.
    pub(super) host: String,
    /// The port.
    pub(super) port: Option<u16>,
    /// Who asked: the kind, the id, and the name where it is known.
    pub(super) who: (String, String, Option<String>),
    /// The run it is part of.
    pub(super) run: Option<String>,
    /// The room it happens in.
    pub(super) room: Option<String>,
}

/// How a request ended that was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    /// `completed`, `failed`, `cut` or `unknown`.
    pub(super) outcome: String,
    /// The status of the answer.
    pub(super) status: Option<String>,
    /// Bytes towards the target.
    pub(super) bytes_up: u64,
    /// Bytes from it.
    pub(super) bytes_down: u64,
    /// How long it took, in milliseconds.
    pub(super) duration_ms: u64,
    /// What went wrong.
    pub(super) error: Option<String>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// It was decided.
    Decided(Request),
    /// It ended; of a request that is not known only the id.
    Ended(Request, End),
}

impl Request {
    /// From the data of an event, or from a request as the API shows it.
    fn of(data: &Value) -> Self {
        let text = |name: &str| opt(data, name).unwrap_or_default();
        let url = data.get("target_url").and_then(Value::as_str).and_then(|url| url::Url::parse(url).ok());
        let port = url.as_ref().and_then(url::Url::port_or_known_default);
        Self {
            id: text("egress_request_id"),
            decision: opt(data, "decision").unwrap_or_else(|| text("policy_decision")),
            blocked: data.get("blocked") == Some(&Value::Bool(true)),
            reason: opt(data, "reason_code").unwrap_or_else(|| text("policy_reason_code")),
            method: opt(data, "method").unwrap_or_else(|| text("action")),
            host: text("target_domain"),
            port,
            who: (text("requested_by_type"), text("requested_by_id"), None),
            run: opt(data, "run_id"),
            room: opt(data, "room_id"),
        }
    }

    /// `host:port`, as far as it is known.
    pub(super) fn place(&self) -> String {
        match (self.host.as_str(), self.port) {
            ("", _) => "-".to_owned(),
            (host, Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        }
    }

    /// Who asked, by name where it is known.
    pub(super) fn asker(&self) -> &str {
        match &self.who {
            (_, _, Some(name)) => name,
            (_, id, None) if !id.is_empty() => id,
            _ => "-",
        }
    }

    /// For scripts: what a person reads in a line.
    pub(super) fn to_json(&self) -> Value {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        json!({
            "decision": some(&self.decision),
            "reason_code": some(&self.reason),
            "method": some(&self.method),
            "host": some(&self.host),
            "port": self.port,
            "who": self.asker(),
        })
    }
}

/// The requests of late and the names of agents.
#[derive(Debug, Default)]
pub(super) struct Memory {
    requests: HashMap<String, Request>,
    order: VecDeque<String>,
    names: HashMap<String, String>,
}

impl Memory {
    /// What an event says; `None` of events that are about something else.
    pub(super) fn read(&mut self, event: &Value) -> Option<Said> {
        let none = Value::Null;
        let data = event.get("data").unwrap_or(&none);
        match event.get("event_type")?.as_str()? {
            "egress.allowed" | "egress.blocked" => {
                let mut request = Request::of(data);
                let text = |name: &str| opt(event, name).unwrap_or_default();
                request.who = (text("actor_type"), text("actor_id"), None);
                request.run = opt(event, "run_id");
                request.room = opt(event, "room_id");
                self.name(&mut request);
                self.keep(request.clone());
                Some(Said::Decided(request))
            }
            "egress.completed" => {
                let id = opt(data, "egress_request_id").unwrap_or_default();
                let request = self.requests.get(&id).cloned().unwrap_or(Request { id, ..Request::default() });
                let number = |name: &str| data.get(name).and_then(Value::as_u64).unwrap_or_default();
                let end = End {
                    outcome: opt(data, "outcome").unwrap_or_default(),
                    status: opt(data, "status"),
                    bytes_up: number("bytes_up"),
                    bytes_down: number("bytes_down"),
                    duration_ms: number("duration_ms"),
                    error: opt(data, "error_code"),
                };
                Some(Said::Ended(request, end))
            }
            _ => None,
        }
    }

    /// Learns a request from before, as the API shows it.
    pub(super) fn learn(&mut self, shown: &Value) -> Request {
        let mut request = Request::of(shown);
        self.name(&mut request);
        self.keep(request.clone());
        request
    }

    /// Whether the name of this agent is not known.
    pub(super) fn wonders(&self, said: &Said) -> bool {
        let (Said::Decided(request) | Said::Ended(request, _)) = said;
        request.who.0 == "agent" && request.who.2.is_none()
    }

    /// Learns the names of agents, as the API lists them.
    pub(super) fn learn_agents(&mut self, agents: &[Value]) {
        let named = agents.iter().filter_map(|agent| Some((opt(agent, "agent_id")?, opt(agent, "display_name")?)));
        self.names.extend(named);
    }

    /// Puts the name of who asked beside the id.
    pub(super) fn name(&self, request: &mut Request) {
        request.who.2 = self.names.get(&request.who.1).cloned();
    }

    fn keep(&mut self, request: Request) {
        if self.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.requests.remove(&oldest);
        }
        self.order.push_back(request.id.clone());
        self.requests.insert(request.id.clone(), request);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::commands::egress) fn decided(id: &str, host: &str, decision: &str, agent: &str) -> Value {
        let kind = if decision == "allow" { "egress.allowed" } else { "egress.blocked" };
        json!({
            "event_type": kind, "occurred_at": "2026-01-02T03:04:05.678Z", "actor_type": "agent", "actor_id": agent,
            "run_id": null, "data": {
                "egress_request_id": id, "action": "external.write", "method": "CONNECT", "target_domain": host,
                "target_url": format!("https://{host}/"), "decision": decision, "blocked": decision != "allow",
                "reason_code": if decision == "allow" { "policy_allows" } else { "policy_denies" },
            }
        })
    }

    pub(in crate::commands::egress) fn ended(id: &str, outcome: &str, up: u64, down: u64) -> Value {
        json!({
            "event_type": "egress.completed", "occurred_at": "2026-01-02T03:04:06.000Z", "actor_type": "agent",
            "actor_id": "a_1", "data": {
                "egress_request_id": id, "outcome": outcome, "bytes_up": up, "bytes_down": down, "duration_ms": 1_250,
                "error_code": if outcome == "cut" { json!("policy_changed") } else { Value::Null },
            }
        })
    }

    #[test]
    fn an_end_is_shown_with_what_it_ends() {
        let mut memory = Memory::default();
        memory.learn_agents(&[json!({ "agent_id": "a_1", "display_name": "coder" })]);
        let Some(Said::Decided(request)) = memory.read(&decided("egr_1", "a.example", "allow", "a_1")) else {
            panic!("a decision")
        };
        assert_eq!(
            (request.place().as_str(), request.asker(), request.reason.as_str()),
            ("a.example:443", "coder", "policy_allows")
        );
        let Some(Said::Ended(request, end)) = memory.read(&ended("egr_1", "cut", 1, 2)) else { panic!("an end") };
        assert_eq!((request.host.as_str(), end.outcome.as_str(), end.bytes_down), ("a.example", "cut", 2));
        assert_eq!(end.error.as_deref(), Some("policy_changed"));
        let Some(Said::Ended(request, _)) = memory.read(&ended("egr_2", "failed", 0, 0)) else { panic!("an end") };
        assert_eq!((request.place().as_str(), request.asker(), request.id.as_str()), ("-", "-", "egr_2"));
        assert_eq!(memory.read(&json!({ "event_type": "run.created" })), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = Memory::default();
        for n in 0..REMEMBERED_MAX + 5 {
            memory.read(&decided(&format!("egr_{n}"), "a.example", "allow", "a_1"));
        }
        assert_eq!((memory.requests.len(), memory.order.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
        assert!(!memory.requests.contains_key("egr_4") && memory.requests.contains_key("egr_5"));
    }
}
