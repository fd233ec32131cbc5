//! A run's events as lines: when, how it went, what happened, about what.

use anstyle::Style;
use model::Time;
use serde_json::Value;

use super::super::events::what;
use crate::output::{BAD, DIM, GOOD, WAIT, field, opt};

/// How wide the indented name of an event is.
const NAME_WIDTH: usize = 28;

/// Draws events one after the other. Times count from the first.
#[derive(Debug, Default)]
pub(in crate::commands) struct Timeline {
    start: Option<Time>,
    in_call: bool,
    /// The last reason that was told: what follows from it does not tell it again.
    reason: Option<String>,
}

impl Timeline {
    /// The line of the next event.
    pub(in crate::commands) fn line(&mut self, event: &Value) -> String {
        let name = field(event, "event_type");
        let indent = "  ".repeat(self.depth(&name));
        let width = NAME_WIDTH.saturating_sub(indent.len());
        let (style, glyph) = look(&name, event);
        let about = self.about(&name, event).unwrap_or_default();
        let line =
            format!("{DIM}{:>9}{DIM:#}  {indent}{style}{glyph}{style:#} {name:<width$} {about}", self.offset(event));
        line.trim_end().to_owned()
    }

    /// Seconds since the first event.
    fn offset(&mut self, event: &Value) -> String {
        let at = event.get("occurred_at").and_then(Value::as_str).and_then(|text| Time::parse(text).ok());
        let Some(at) = at else { return "-".to_owned() };
        let start = *self.start.get_or_insert(at);
        let millis = at.as_millis().saturating_sub(start.as_millis()).max(0);
        format!("+{}.{:03}s", millis / 1_000, millis % 1_000)
    }

    /// How deep an event lies: the run and its steps, a tool call, what happens within it.
    fn depth(&mut self, name: &str) -> usize {
        match name {
            "tool.invoked" => {
                self.in_call = true;
                1
            }
            "tool.succeeded" | "tool.failed" => {
                self.in_call = false;
                1
            }
            _ if name.starts_with("run.") || name.starts_with("step.") => {
                self.in_call = false;
                0
            }
            _ if self.in_call => 2,
            "policy.denied" | "policy.requires_approval" | "approval.requested" => 1,
            _ => 0,
        }
    }

    /// What a reader wants to know of an event, in a few words.
    fn about(&mut self, name: &str, event: &Value) -> Option<String> {
        let none = Value::Null;
        let data = event.get("data").unwrap_or(&none);
        let get = |name: &str| opt(data, name);
        match name {
            "run.created" => get("title"),
            "run.started" => Some(format!("by {}", field(event, "actor_id"))),
            // What the worker always says is no news.
            "run.completed" if data.pointer("/output/automated") == Some(&Value::Bool(true)) => None,
            "run.completed" => get("summary"),
            "run.cancelled" => get("reason"),
            "run.waiting" => Some(format!("for {}", get("approval_id")?)),
            "run.resumed" | "tool.succeeded" => None,
            "run.lease_expired" => {
                let parts = [Some("attempt".to_owned()), get("attempt_no"), get("reason"), get("message")];
                Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
            "step.created" => get("title").or_else(|| get("kind")),
            "tool.invoked" => get("tool_name"),
            "tool.failed" | "run.failed" => {
                let error = data.get("error").unwrap_or(&none);
                let reason = opt(error, "reason_code").or_else(|| get("message")).or_else(|| opt(error, "code"));
                self.once(reason).and_then(|reason| get("message").or(Some(reason)))
            }
            "egress.requested" => {
                let action = get("method").or_else(|| get("action")).unwrap_or_default();
                Some(format!("{action} {}", field(data, "target_url")))
            }
            "egress.blocked" if passed(data) => Some(format!("{} (shadow: not blocked)", field(data, "reason_code"))),
            "egress.blocked" | "policy.denied" | "policy.requires_approval" => self.once(get("reason_code")),
            "egress.allowed" => get("reason_code"),
            "approval.requested" => get("approval_id"),
            "approval.decided" => Some(format!("{} by {}", field(data, "decision"), field(event, "actor_id"))),
            _ => Some(what(event)),
        }
    }

    /// A reason, unless it is the one that was told last.
    fn once(&mut self, reason: Option<String>) -> Option<String> {
        if self.reason == reason {
            return None;
        }
        self.reason.clone_from(&reason);
        reason
    }
}

fn passed(data: &Value) -> bool {
    data.get("blocked") == Some(&Value::Bool(false))
}

/// Its colour and mark: well, blocked, failed, waiting, or nothing special.
fn look(name: &str, event: &Value) -> (Style, char) {
    let none = Value::Null;
    let data = event.get("data").unwrap_or(&none);
    let member = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    match name {
        "run.completed" | "run.resumed" | "tool.succeeded" | "egress.allowed" => (GOOD, '✓'),
        "egress.blocked" if passed(data) => (WAIT, '⊘'),
        "egress.blocked" | "policy.denied" => (BAD, '⊘'),
        "approval.decided" => match member("decision") {
            "approve" | "approved" => (GOOD, '✓'),
            "hold" | "held" => (WAIT, '…'),
            _ => (BAD, '✗'),
        },
        "tool.failed" if data.pointer("/error/code").and_then(Value::as_str) == Some("waiting_approval") => (WAIT, '…'),
        "tool.failed" | "run.failed" | "run.cancelled" => (BAD, '✗'),
        "policy.requires_approval" | "approval.requested" | "run.waiting" => (WAIT, '…'),
        "run.lease_expired" | "approval.expired" | "approval.revoked" => (WAIT, '!'),
        _ => (DIM, '·'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn drawn(events: &[(&str, u64, Value)]) -> String {
        let mut timeline = Timeline::default();
        let line = |(name, millis, data): &(&str, u64, Value)| {
            let at = format!("2026-01-02T03:04:{:02}.{:03}Z", millis / 1_000, millis % 1_000);
            let event = json!({ "event_type": name, "occurred_at": at, "actor_id": "run_worker", "data": data });
            anstream::adapter::strip_str(&timeline.line(&event)).to_string()
        };
        events.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_run_that_waits_and_goes_on() {
        let error = json!({ "code": "waiting_approval", "reason_code": "external_write_requires_approval" });
        let egress = json!({ "action": "external.write", "target_url": "https://example.com/" });
        let lines = drawn(&[
            ("run.created", 0, json!({ "title": "one\u{1b}[2J" })),
            ("run.started", 12, json!({ "run_id": "run_1" })),
            ("step.created", 12, json!({ "kind": "runtime", "title": "Runtime worker step" })),
            ("tool.invoked", 12, json!({ "tool_name": "egress.request" })),
            ("egress.requested", 12, egress.clone()),
            ("policy.requires_approval", 12, json!({ "reason_code": "external_write_requires_approval" })),
            ("approval.requested", 12, json!({ "approval_id": "appr_1" })),
            ("egress.blocked", 12, json!({ "reason_code": "external_write_requires_approval", "blocked": true })),
            ("tool.failed", 12, json!({ "message": "Policy blocked it", "error": error })),
            ("run.waiting", 12, json!({ "approval_id": "appr_1" })),
            ("approval.decided", 3_000, json!({ "approval_id": "appr_1", "decision": "approve" })),
            ("run.resumed", 3_007, json!({ "approval_id": "appr_1" })),
            ("tool.invoked", 3_007, json!({ "tool_name": "egress.request" })),
            ("egress.requested", 3_007, egress),
            ("egress.allowed", 3_007, json!({ "reason_code": "approval_allows_action" })),
            ("tool.succeeded", 3_007, json!({ "output": { "ok": true } })),
            (
                "run.completed",
                3_007,
                json!({ "summary": "Completed by local runtime worker", "output": { "automated": true } }),
            ),
        ]);
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn a_run_that_is_blocked_says_why_once() {
        let message = "Policy blocked the tool call: capability_scope_tool_not_allowed";
        let error = json!({ "reason_code": "capability_scope_tool_not_allowed" });
        let lines = drawn(&[
            ("run.created", 0, json!({})),
            ("run.started", 5, json!({})),
            ("step.created", 5, json!({ "kind": "runtime" })),
            ("policy.denied", 5, json!({ "reason_code": "capability_scope_tool_not_allowed" })),
            ("tool.invoked", 5, json!({ "tool_name": "egress.request" })),
            ("tool.failed", 5, json!({ "message": message, "error": error })),
            ("run.failed", 5, json!({ "message": message, "error": error })),
        ]);
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn what_another_worker_says_is_told() {
        let lines = drawn(&[
            ("tool.failed", 0, json!({ "message": "the disk is full", "error": { "code": "disk" } })),
            ("run.failed", 0, json!({ "message": "the disk is full" })),
            ("run.failed", 0, json!({ "error": { "code": "disk" } })),
            ("run.completed", 0, json!({ "summary": "3 files written" })),
        ]);
        assert_eq!(lines.matches("the disk is full").count(), 1, "{lines}");
        assert!(lines.contains("run.failed                   disk") && lines.contains("3 files written"), "{lines}");
    }

    #[test]
    fn what_shadow_let_pass_is_told_apart() {
        let data = json!({ "reason_code": "kill_switch_active", "blocked": false });
        assert!(drawn(&[("egress.blocked", 0, data)]).contains("(shadow: not blocked)"));
        assert_eq!(
            drawn(&[("from.the.future", 0, json!({ "status": "x" }))]),
            "  +0.000s  · from.the.future              x"
        );
    }
}
