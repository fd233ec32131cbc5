//! The ask that raised an approval, put together again from what the approval tells of it.
//!
//! The target is the stored one, its query values digested, so a rule about them is not seen here;
//! everything else is as it was asked. An approval that lacks one of the facts is left alone.

use model::ask::{EgressSubject, Subject};
use model::{Action, Actor, Ask, Outcome, PrincipalId, TargetUrl, Time, TokenId, Zone};
use policy::Snapshot;
use serde::Deserialize;
use store::rows::ApprovalRow;

/// What the gate writes into the request of an approval that an ask raised.
#[derive(Deserialize)]
struct Facts {
    target_url: Option<String>,
    target_domain: Option<String>,
    tool_name: Option<String>,
    ask_digest: String,
    method: Option<String>,
    principal_id: Option<PrincipalId>,
    capability_token_id: Option<TokenId>,
    zone: Option<Zone>,
}

pub(super) fn ask(row: &ApprovalRow) -> Option<Ask> {
    let facts: Facts = serde_json::from_str(row.request.as_ref()?.as_str()).ok()?;
    let subject = match (facts.target_url, facts.target_domain, facts.tool_name) {
        (Some(url), Some(domain), _) => Subject::Egress(EgressSubject {
            target: Some(TargetUrl::parse(&url).ok()?),
            target_domain: Some(domain),
            method: facts.method,
        }),
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
pub(super) fn is_moot(snapshot: &Snapshot, row: &ApprovalRow, now: Time) -> bool {
    ask(row).is_some_and(|ask| policy::decide(snapshot, &ask, now, &[]).outcome != Outcome::RequireApproval)
}
