//! Why a run failed, in words, and the next command.

use model::ReasonCode;
use serde_json::Value;

use crate::output::{BAD, WAIT, clean, opt};

/// The words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) struct Explained {
    /// What went wrong, a sentence with its code.
    pub(in crate::commands) why: String,
    /// What would change it.
    pub(in crate::commands) remedy: Option<String>,
    /// The next commands, the most likely first.
    pub(in crate::commands) next: Vec<String>,
}

impl Explained {
    /// Of a run that failed, with its tool calls; none for any other.
    pub(in crate::commands) fn of(run: &Value, tool_calls: &[Value]) -> Option<Self> {
        if run.get("status").and_then(Value::as_str) != Some("failed") {
            return None;
        }
        let none = Value::Null;
        let error = run.get("error").unwrap_or(&none);
        let id = opt(run, "run_id")?;
        let code = opt(error, "reason_code").or_else(|| opt(error, "code"));
        let known = code.as_deref().and_then(ReasonCode::parse);
        let sentence = known.map(|known| known.sentence().to_owned()).or_else(|| opt(run, "message"));
        let why = match (sentence, &code) {
            (Some(sentence), Some(code)) => format!("{sentence} ({code})"),
            (Some(one), None) => one,
            (None, Some(code)) => code.clone(),
            (None, None) => "it was failed without a reason".to_owned(),
        };
        let why = opt(error, "reason").filter(|_| known.is_none()).map_or(why.clone(), |said| format!("{why}: {said}"));
        // A command that names the approval says more than the advice to look for it.
        let next = next(&id, error, tool_calls);
        let known = known.filter(|_| !next.iter().any(|next| next.contains("approvals approve")));
        let remedy = known.map(|known| known.remedy().to_owned()).or_else(|| own_remedy(code.as_deref()));
        Some(Self { why, remedy, next })
    }

    /// The lines for a person.
    pub(in crate::commands) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{BAD}why{BAD:#}   {}", self.why)];
        if let Some(remedy) = &self.remedy {
            lines.push(format!("      what would change it: {}", clean(remedy)));
        }
        for (at, next) in self.next.iter().enumerate() {
            let label = if at == 0 { format!("{WAIT}next{WAIT:#}  ") } else { "      ".to_owned() };
            lines.push(format!("{label}{next}"));
        }
        lines
    }
}

/// What helps against the codes of runs, which are no decisions.
fn own_remedy(code: Option<&str>) -> Option<String> {
    let text = match code? {
        "approval_denied" | "approval_revoked" => "ask again, and say why it is needed",
        "approval_expired" => "ask again, and have it decided in time",
        "run_timed_out" => "give it more time (`input.runtime.timeout_s`), or less to do",
        "attempts_exhausted" => "look at why its attempts ended, and at the worker's log",
        "tool_unknown" => "name a tool that the worker has: `runtime.noop` or `egress.request`",
        "references_too_large" => "refer to less: what one step's references bring in is limited to 1 MiB",
        "reference_not_found" => "correct the `$ref`: it points into `/input` and `/steps/N`",
        "invalid_target_url" => "correct `target_url`: http or https, with a host and without a user name",
        other => runs::tool_code(other)?.remedy,
    };
    Some(text.to_owned())
}

fn next(run: &str, error: &Value, tool_calls: &[Value]) -> Vec<String> {
    let mut next = Vec::new();
    let decided = opt(error, "stage").as_deref() == Some("approval");
    if let Some(approval) = opt(error, "approval_id").filter(|_| !decided) {
        // Its own reach is this run, which has ended.
        next.push(format!("exeat approvals approve {approval} --scope host --for 10m && exeat runs retry {run}"));
    }
    let blocked_call = || {
        let failed = |call: &&Value| call.get("status").and_then(Value::as_str) == Some("failed");
        tool_calls.iter().find(failed).and_then(|call| opt(call, "tool_call_id"))
    };
    let decision = match opt(error, "stage").as_deref() {
        Some("tool_policy") => opt(error, "reason_code").and_then(|_| blocked_call()),
        _ => opt(error, "egress_request_id"),
    };
    next.extend(decision.map(|id| format!("exeat why {id}")));
    if next.is_empty() {
        next.push(format!("exeat runs retry {run}"));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(error: &Value, message: &str) -> String {
        let run = json!({ "run_id": "run_1", "status": "failed", "message": message, "error": error });
        let calls = [json!({ "tool_call_id": "tc_2", "status": "failed" })];
        let lines = Explained::of(&run, &calls).unwrap().lines().join("\n");
        anstream::adapter::strip_str(&lines).to_string()
    }

    #[test]
    fn an_egress_that_needed_an_approval() {
        let error = json!({ "stage": "egress", "reason_code": "external_write_requires_approval", "approval_id": "appr_1", "egress_request_id": "egr_1" });
        insta::assert_snapshot!(told(&error, "Policy blocked the request: x"));
    }

    #[test]
    fn a_tool_that_the_token_does_not_cover() {
        let error = json!({ "stage": "tool_policy", "reason_code": "capability_scope_tool_not_allowed" });
        insta::assert_snapshot!(told(&error, "Policy blocked the tool call: x"));
    }

    #[test]
    fn what_is_no_decision_is_told_in_the_runs_own_words() {
        let denied = json!({ "stage": "approval", "code": "approval_denied", "reason_code": "approval_denied", "approval_id": "appr_1", "reason": "not today" });
        let text = told(&denied, "The approval it waited for was denied");
        assert!(
            text.contains("was denied (approval_denied): not today") && !text.contains("approvals approve"),
            "{text}"
        );
        assert!(told(&json!({ "code": "attempts_exhausted" }), "m").contains("exeat runs retry run_1"));
        assert!(told(&json!("odd"), "boom").starts_with("why   boom"));
        assert!(Explained::of(&json!({ "run_id": "run_1", "status": "succeeded" }), &[]).is_none());
    }
}
