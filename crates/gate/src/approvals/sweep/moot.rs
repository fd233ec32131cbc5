//! The ask that raised an approval, put together again from what the approval tells of it.
//!
//! The target is the stored one, its query values digested, so a rule about them is not seen here;
//! everything else is as it was asked. An approval that lacks one of the facts is left alone: also one
//! of a tool call, when a rule looks at what that tool is called with, which is not kept; and one of a
//! request whose target was kept without a secret that it held.

use model::ask::{EgressSubject, Subject, Tunnel};
use model::{Action, Actor, Ask, Outcome, PrincipalId, TargetUrl, Time, TokenId, Zone};
use serde::Deserialize;
use store::View;
use store::rows::ApprovalRow;

/// What the gate writes into the request of an approval that an ask raised.
#[derive(Deserialize)]
struct Facts {
    target_url: Option<String>,
    target_domain: Option<String>,
    tool_name: Option<String>,
    ask_digest: String,
    method: Option<String>,
    tunnel: Option<Tunnel>,
    principal_id: Option<PrincipalId>,
    capability_token_id: Option<TokenId>,
    zone: Option<Zone>,
}

pub(super) fn ask(row: &ApprovalRow) -> Option<Ask> {
    let facts: Facts = serde_json::from_str(row.request.as_ref()?.as_str()).ok()?;
    if facts.target_url.as_ref().is_some_and(|url| url.contains(redact::MARKER)) {
        return None;
    }
    let subject = match (facts.target_url, facts.target_domain, facts.tool_name) {
        (Some(url), Some(domain), _) => {
            let subject = EgressSubject::of(Some(TargetUrl::parse(&url).ok()?), Some(domain), facts.method);
            Subject::Egress(EgressSubject { tunnel: facts.tunnel.or(subject.tunnel), ..subject })
        }
        (_, _, Some(tool)) => Subject::ToolCall { tool_name: Some(tool), input: None },
        _ => return None,
    };
    Some(Ask {
        workspace_id: row.workspace_id.clone(),
        action: Action::parse(&row.action).ok()?,
        actor: Actor::new(row.requested_by_type, row.requested_by_id.clone()),
        principal_id: facts.principal_id.or_else(|| row.requested_by_principal_id.clone()),
        capability_token_id: facts.capability_token_id,
        narrowing: None,
        token_required: false,
        zone: facts.zone,
        room_id: row.room_id.clone(),
        thread_id: None,
        run_id: row.run_id.clone(),
        step_id: row.step_id.clone(),
        subject,
        ask_digest: Some(facts.ask_digest),
    })
}

/// Whether the ask would not have to ask now.
pub(super) fn is_moot(view: &View, row: &ApprovalRow, now: Time) -> bool {
    let Some(ask) = ask(row) else { return false };
    !looks_at_input(view, &ask) && policy::decide(&view.snapshot, &ask, now, &[]).outcome != Outcome::RequireApproval
}

/// Whether a rule looks at what the tool of this ask is called with.
fn looks_at_input(view: &View, ask: &Ask) -> bool {
    let Subject::ToolCall { tool_name: Some(tool), input: None } = &ask.subject else { return false };
    let Some(active) = view.policy_sets(&ask.workspace_id).and_then(|sets| sets.active.as_ref()) else { return false };
    active.compiled.set.rules.iter().any(|rule| {
        rule.when.is_some()
            && !rule.shadow
            && rule.tools.as_ref().is_none_or(|tools| tools.iter().any(|pattern| pattern.matches(tool)))
    })
}
