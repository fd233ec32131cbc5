//! `exeat why`: the stored trace of a decision in words, and what would change it.

use model::ReasonCode;
use serde_json::Value;

use super::App;
use super::wire::{list, object};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, WAIT, clean, field, opt};

/// Which decision.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat why ID\n  exeat why ID --json")]
pub struct Args {
    /// The decision's id
    id: String,
    /// Also show the steps that had nothing to do with it
    #[arg(long)]
    all: bool,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let answer = app.client()?.get(&["v1", "decisions", &args.id], &[]).await?;
    app.output.answer(&answer, |output, answer| {
        lines(object(answer, "decision"), args.all).iter().try_for_each(|line| output.line(line))
    })?;
    Ok(Exit::Ok)
}

/// The words.
pub(super) fn lines(decision: &Value, all: bool) -> Vec<String> {
    let mut lines = vec![headline(decision)];
    if let Some(what) = question(decision) {
        lines.push(what);
    }
    if let Some(shadow) = shadow(decision) {
        lines.push(shadow);
    }
    lines.push(String::new());
    let primary = field(decision, "reason_code");
    for step in decision.get("trace").and_then(Value::as_array).into_iter().flatten() {
        lines.extend(step_line(step, &primary, all));
    }
    lines.extend(rules(decision));
    lines.extend(others(decision));
    if let Some(nearest) = decision.get("nearest").and_then(|nearest| opt(nearest, "sentence")) {
        if list(decision, "determined_by").is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("almost: {nearest}"));
    }
    if let Some(code) = ReasonCode::parse(&primary)
        && outcome(decision) != "allow"
    {
        lines.push(String::new());
        lines.push(format!("what would change it: {}", code.remedy()));
    }
    if let Some(ended) = decision.get("execution").filter(|ended| ended.is_object()) {
        lines.push(String::new());
        lines.push(clean(&gate::execution::in_words(ended)));
    }
    if let Some(approval) = opt(decision, "approval_id") {
        lines.push(format!("its approval: exeat approvals get {approval}"));
    }
    lines
}

/// The rules that determined it, with their places.
fn rules(decision: &Value) -> Vec<String> {
    let version = opt(decision, "policy_version").map(|version| format!(" of version {version}")).unwrap_or_default();
    let shown = |rule: &Value| {
        let place = match (opt(rule, "file"), opt(rule, "line")) {
            (Some(file), Some(line)) => format!(" at {file}:{line}"),
            _ => String::new(),
        };
        let reason = opt(rule, "reason").map(|reason| format!(": {reason}")).unwrap_or_default();
        let effect = opt(rule, "effect").map(|effect| format!(" ({effect})")).unwrap_or_default();
        format!("rule: {BOLD}{}{BOLD:#}{effect}{place}{version}{reason}", field(rule, "id"))
    };
    let rules: Vec<String> = list(decision, "determined_by").iter().map(shown).collect();
    if rules.is_empty() { rules } else { std::iter::once(String::new()).chain(rules).collect() }
}

/// What it would have been under other rules.
fn others(decision: &Value) -> Vec<String> {
    let other = |name: &str, who: &str| {
        let other = decision.get(name).filter(|other| other.is_object())?;
        let rules: Vec<String> = list(other, "rules").iter().filter_map(Value::as_str).map(clean).collect();
        let by = if rules.is_empty() { String::new() } else { format!(" by {}", rules.join(", ")) };
        Some(format!("{who}: {}{by} ({})", field(other, "outcome"), field(other, "reason_code")))
    };
    [other("trial", "if the rules in shadow counted"), other("candidate", "under the candidate")]
        .into_iter()
        .flatten()
        .collect()
}

/// The outcome, under either of the two names it has on the wire.
fn outcome(decision: &Value) -> String {
    opt(decision, "outcome").unwrap_or_else(|| field(decision, "decision"))
}

fn headline(decision: &Value) -> String {
    let outcome = outcome(decision);
    let (style, word) = match outcome.as_str() {
        "allow" => (GOOD, "allowed"),
        "deny" => (BAD, "denied"),
        "require_approval" => (WAIT, "needs approval"),
        other => (BOLD, other),
    };
    let code = field(decision, "reason_code");
    let reason = opt(decision, "reason")
        .or_else(|| ReasonCode::parse(&code).map(|code| code.sentence().to_owned()))
        .unwrap_or_else(|| code.clone());
    format!("{style}{word}{style:#}: {reason}  {DIM}({code}, {}){DIM:#}", field(decision, "decision_id"))
}

/// Who asked for what, when; as much of it as the record has.
fn question(decision: &Value) -> Option<String> {
    let action = opt(decision, "action")?;
    let target = ["target_url", "target_domain", "tool_name"]
        .iter()
        .find_map(|name| opt(decision, name))
        .map(|target| format!(" {target}"))
        .unwrap_or_default();
    let who =
        opt(decision, "actor_id").map(|id| format!(" by {} {id}", field(decision, "actor_type"))).unwrap_or_default();
    let when = ["decided_at", "created_at"]
        .iter()
        .find_map(|name| opt(decision, name))
        .map(|at| format!(" at {at}"))
        .unwrap_or_default();
    Some(format!("{action}{target}{who}{when}"))
}

fn shadow(decision: &Value) -> Option<String> {
    let passed = outcome(decision) != "allow" && decision.get("blocked") == Some(&Value::Bool(false));
    passed.then(|| "it was not blocked: the workspace was in shadow mode".to_owned())
}

/// One step. Steps that passed or were skipped are told on request only.
fn step_line(step: &Value, primary: &str, all: bool) -> Option<String> {
    let result = field(step, "result");
    let code = field(step, "reason_code");
    let sentence = || ReasonCode::parse(&code).map_or_else(|| code.clone(), |code| code.sentence().to_owned());
    let (mark, said) = match result.as_str() {
        "decided" => {
            let outcome = field(step, "outcome");
            let mark = match outcome.as_str() {
                "allow" => format!("{GOOD}✓{GOOD:#}"),
                "deny" => format!("{BAD}✗{BAD:#}"),
                _ => format!("{WAIT}?{WAIT:#}"),
            };
            let decisive = if code == primary { "  ← decided" } else { "" };
            (mark, format!("{outcome}: {}{decisive}", sentence()))
        }
        "lifted" => (
            format!("{GOOD}✓{GOOD:#}"),
            format!("would ask ({}), lifted by {}", sentence(), field(step, "approval_id")),
        ),
        _ if !all => return None,
        "skipped" => (" ".to_owned(), "does not apply".to_owned()),
        _ => ("·".to_owned(), result),
    };
    let fact = opt(step, "fact").map(|fact| format!("  {DIM}[{fact}]{DIM:#}")).unwrap_or_default();
    Some(format!("  {mark} {:<17} {said}{fact}", field(step, "step").replace('_', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(decision: &Value, all: bool) -> String {
        anstream::adapter::strip_str(&lines(decision, all).join("\n")).to_string()
    }

    fn decision() -> Value {
        json!({
            "decision_id": "dec_1", "decision": "deny", "reason_code": "kill_switch_active", "reason": null, "blocked": false,
            "action": "external.write", "target_domain": "hello.test", "actor_type": "agent", "actor_id": "a1",
            "trace": [
                { "step": "agent_binding", "result": "passed" },
                { "step": "tool_scope", "result": "skipped" },
                { "step": "action_registry", "result": "lifted", "reason_code": "action_pre_approval_required", "approval_id": "appr_1" },
                { "step": "kill_switch", "result": "decided", "outcome": "deny", "reason_code": "kill_switch_active", "fact": "workspace" },
                { "step": "base", "result": "decided", "outcome": "require_approval", "reason_code": "external_write_requires_approval" },
            ],
        })
    }

    #[test]
    fn tells_outcome_steps_and_remedy() {
        insta::assert_snapshot!(told(&decision(), false));
    }

    #[test]
    fn names_the_rule_with_its_place_and_the_one_that_almost_matched() {
        let mut decision = decision();
        let members = decision.as_object_mut().unwrap();
        members.insert("policy_version".into(), json!(4));
        members.insert(
            "determined_by".into(),
            json!([{ "id": "no-trackers", "effect": "deny", "file": "coder.toml", "line": 14, "reason": "nobody sends data there" }]),
        );
        members.insert(
            "candidate".into(),
            json!({ "outcome": "allow", "reason_code": "policy_allows", "rules": ["new"] }),
        );
        members.insert(
            "nearest".into(),
            json!({ "id": "x", "sentence": "Rule `x` would allow it, but its method is GET and it was POST." }),
        );
        let text = told(&decision, false);
        for want in [
            "rule: no-trackers (deny) at coder.toml:14 of version 4: nobody sends data there",
            "under the candidate: allow by new (policy_allows)",
            "almost: Rule `x` would allow it, but its method is GET and it was POST.",
        ] {
            assert!(text.contains(want), "{want}: {text}");
        }
    }

    #[test]
    fn tells_every_step_on_request() {
        let text = told(&decision(), true);
        assert!(text.contains("agent binding") && text.contains("does not apply"), "{text}");
    }

    #[test]
    fn an_unknown_reason_is_shown_as_it_is() {
        let text = told(
            &json!({ "decision_id": "dec_2", "outcome": "deny", "reason_code": "from_the_future", "trace": [] }),
            false,
        );
        assert!(text.starts_with("denied: from_the_future"), "{text}");
    }
}
