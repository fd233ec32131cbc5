//! A decision in plain sentences: what was decided, how it came about, what would change it.
//!
//! Reads the trace that was kept with the decision and evaluates nothing again, so it says why it
//! *was*, even when the policy has moved on since.

use std::fmt;

use model::decision::{Step, TraceStep, Verdict};
use model::{Decision, Outcome, ReasonCode};

/// The sentences. `Display` puts them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence: the outcome and the primary reason.
    pub summary: String,
    /// One sentence per step that applied, in order.
    pub steps: Vec<String>,
    /// What would change the outcome, most telling first; for an allow what it rests on.
    pub changes: Vec<String>,
}

/// Explains a decision.
#[must_use]
pub fn explain(decision: &Decision) -> Explanation {
    Explanation {
        summary: summary(decision),
        steps: decision.trace.iter().filter_map(sentence).collect(),
        changes: match decision.outcome {
            Outcome::Allow => rests_on(decision),
            Outcome::RequireApproval | Outcome::Deny => obstacles(decision),
        },
    }
}

fn summary(decision: &Decision) -> String {
    let outcome = match decision.outcome {
        Outcome::Allow => "Allowed",
        Outcome::RequireApproval => "Needs an approval",
        Outcome::Deny => "Denied",
    };
    let code = decision.reason_code;
    let shadow = if decision.always_enforced { " This holds in shadow mode too." } else { "" };
    format!("{outcome}: {} ({code}).{shadow}", code.sentence())
}

/// What a step looks at.
const fn subject(step: Step) -> &'static str {
    match step {
        Step::AgentBinding => "agent",
        Step::CapabilityToken => "capability token",
        Step::RoomScope => "token's rooms",
        Step::ActionScope => "token's actions",
        Step::ToolScope => "token's tools",
        Step::DataScope => "token's data",
        Step::DomainScope => "token's domains",
        Step::Principal => "principal",
        Step::ActionRegistry => "action registry",
        Step::Quarantine => "quarantine",
        Step::KillSwitch => "kill switch",
        Step::Dlp => "credentials on their way out",
        Step::PolicyRules => "policy rules",
        Step::Base => "built-in rules",
        Step::Quota => "hourly quota",
    }
}

fn sentence(step: &TraceStep) -> Option<String> {
    let said = match &step.verdict {
        Verdict::Skipped => return None,
        Verdict::Passed => "nothing against it".to_owned(),
        Verdict::Decided { outcome, reason_code } => {
            let says = match outcome {
                Outcome::Allow => "allow",
                Outcome::RequireApproval => "ask",
                Outcome::Deny => "deny",
            };
            format!("{says}, {} ({reason_code})", reason_code.sentence())
        }
        Verdict::Lifted { reason_code, approval_id } => {
            format!("would ask, {} ({reason_code}); approval {approval_id} covers it", reason_code.sentence())
        }
    };
    let fact = step.fact.as_deref().map(|fact| format!(" [{fact}]")).unwrap_or_default();
    Some(format!("{}: {said}{fact}.", subject(step.step)))
}

/// What has to go before the outcome improves: for a deny every deny, then what would still ask.
fn obstacles(decision: &Decision) -> Vec<String> {
    let of = |wanted: Outcome| {
        decision.trace.iter().filter_map(move |step| match step.verdict {
            Verdict::Decided { outcome, reason_code } if outcome == wanted => Some(reason_code),
            _ => None,
        })
    };
    let mut changes: Vec<String> = Vec::new();
    for code in of(Outcome::Deny) {
        push(&mut changes, remedy(code));
    }
    if changes.is_empty() {
        for code in of(Outcome::RequireApproval) {
            push(&mut changes, remedy(code));
        }
        changes.push("One approval that covers this ask is enough for every step that asks.".to_owned());
    } else {
        changes.push("An approval alone does not help: nothing lifts a deny.".to_owned());
        if of(Outcome::RequireApproval).next().is_some() {
            changes.push("Then it would still need an approval.".to_owned());
        }
    }
    changes
}

fn rests_on(decision: &Decision) -> Vec<String> {
    let mut changes = Vec::new();
    if let Some(used) = &decision.approval {
        let once = if used.once { ", which this use consumes" } else { "" };
        changes.push(format!("It rests on approval {}{once}; without it a human would be asked.", used.approval_id));
    }
    if !decision.rules.is_empty() && decision.reason_code == ReasonCode::PolicyAllows {
        changes.push(format!(
            "It rests on the rules {}.",
            decision.rules.iter().map(|rule| &**rule).collect::<Vec<_>>().join(", ")
        ));
    }
    if decision.reason_code == ReasonCode::DefaultAllow {
        changes.push("A rule that denies or asks, or a workspace that denies by default, would change it.".to_owned());
    }
    if let Some(limit) = decision.quota_limit {
        changes.push(format!("It takes one of {limit} requests per hour; when they are used up it is denied."));
    }
    changes
}

fn remedy(code: ReasonCode) -> String {
    format!("{code}: {}.", code.remedy())
}

fn push(changes: &mut Vec<String>, change: String) {
    if !changes.contains(&change) {
        changes.push(change);
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary)?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        for (i, change) in self.changes.iter().enumerate() {
            writeln!(f, "{} {change}", if i == 0 { "\nWhat would change it:\n -" } else { " -" })?;
        }
        Ok(())
    }
}
