//! Approvals as rows.

use model::approval::{ApprovalScope, ApprovalStatus, ScopeKind};
use model::{ApprovalId, Canonical, PrincipalId, Time, WorkspaceId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Projections;
use crate::rows::{ApprovalRow, EventRow};

/// What makes two asks share one open approval: the digest of the ask when its scope is `once`,
/// else principal, domain, action and scope. Always within one workspace.
pub(crate) fn ask_key(
    workspace: &WorkspaceId,
    scope: &ApprovalScope,
    ask_digest: &str,
    principal: Option<&PrincipalId>,
    domain: Option<&str>,
    action: &str,
) -> String {
    let parts = match scope.kind {
        ScopeKind::Once => json!([workspace, "once", ask_digest]),
        ScopeKind::Run | ScopeKind::Room | ScopeKind::Workspace => {
            json!([workspace, principal, domain, action, scope])
        }
    };
    data_encoding::HEXLOWER.encode(&Sha256::digest(Canonical::from(&parts).as_str().as_bytes()))
}

fn text(data: &Value, key: &str) -> Option<String> {
    data.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn time(data: &Value, key: &str) -> Option<Time> {
    data.get(key).and_then(Value::as_str).and_then(|t| Time::parse(t).ok())
}

fn part(data: &Value, key: &str) -> Option<Canonical> {
    data.get(key).filter(|v| !v.is_null()).map(Canonical::from)
}

fn id(data: &Value) -> Option<ApprovalId> {
    data.get("approval_id").and_then(Value::as_str).and_then(|t| ApprovalId::parse(t).ok())
}

pub(super) fn requested<P: Projections>(rows: &mut P, event: &EventRow) {
    let data = event.data.to_value();
    let Some(approval_id) = id(&data) else { return };
    let scope: ApprovalScope = data
        .get("scope")
        .and_then(|v| serde_json::from_value(v.clone()).ok())
        .unwrap_or_else(|| ApprovalScope::default_for(event.room_id.as_ref(), event.run_id.as_ref()));
    let request = data.get("request").cloned().unwrap_or(Value::Null);
    let action = text(&data, "action").unwrap_or_default();
    let ask_digest = text(&request, "ask_digest");
    let ask_key = ask_digest.as_deref().map(|digest| {
        let domain = text(&request, "target_domain");
        ask_key(&event.workspace_id, &scope, digest, event.actor_principal_id.as_ref(), domain.as_deref(), &action)
    });
    if let Some(key) = &ask_key {
        rows.opened_ask(&event.workspace_id, key, &approval_id);
    }
    rows.put(ApprovalRow {
        approval_id,
        workspace_id: event.workspace_id.clone(),
        room_id: event.room_id.clone(),
        run_id: event.run_id.clone(),
        step_id: event.step_id.clone(),
        action,
        title: text(&data, "title"),
        request: part(&data, "request"),
        context: part(&data, "context"),
        scope: Canonical::of(&scope).unwrap_or_else(|_| Canonical::empty()),
        status: ApprovalStatus::Pending,
        requested_by_type: event.actor_type,
        requested_by_id: event.actor_id.clone(),
        requested_by_principal_id: event.actor_principal_id.clone(),
        ask_digest,
        ask_key,
        required_approvals: data.get("required_approvals").and_then(Value::as_i64).unwrap_or(1),
        decisions: Canonical::from_stored("[]".to_owned()),
        reason: None,
        expires_at: time(&data, "expires_at"),
        decided_at: None,
        consumed_at: None,
        correlation_id: event.correlation_id.clone(),
        created_at: event.occurred_at,
        updated_at: event.occurred_at,
        last_event_id: event.event_id.clone(),
    });
}

/// Loads the row that the event names, lets `change` change it, and puts it back.
fn change<P: Projections>(rows: &mut P, event: &EventRow, change: impl FnOnce(&mut ApprovalRow, &Value) -> bool) {
    let data = event.data.to_value();
    let Some(approval_id) = id(&data) else { return };
    let Some(mut row) = rows.get::<ApprovalRow>(&[approval_id.as_str()]) else { return };
    if change(&mut row, &data) {
        row.updated_at = event.occurred_at;
        row.last_event_id = event.event_id.clone();
        let closed = row.run_id.clone().filter(|_| !row.status.is_open());
        rows.put(row);
        if let Some(run) = closed {
            rows.closed_ask(&run, &approval_id);
        }
    }
}

pub(super) fn decided<P: Projections>(rows: &mut P, event: &EventRow) {
    change(rows, event, |row, data| {
        let decision = text(data, "decision").unwrap_or_default();
        let mut votes = match row.decisions.to_value() {
            Value::Array(votes) => votes,
            _ => Vec::new(),
        };
        votes.push(json!({
            "principal_id": event.actor_principal_id,
            "decision": decision,
            "reason": text(data, "reason"),
            "at": event.occurred_at,
        }));
        let yes = votes.iter().filter(|v| v.get("decision").and_then(Value::as_str) == Some("approve")).count();
        row.decisions = Canonical::from(&Value::Array(votes));
        row.reason = text(data, "reason");
        if let Some(scope) = part(data, "scope") {
            row.scope = scope;
        }
        if let Some(at) = time(data, "expires_at") {
            row.expires_at = Some(at);
        }
        row.status = match decision.as_str() {
            "approve" if i64::try_from(yes).unwrap_or(i64::MAX) >= row.required_approvals => ApprovalStatus::Approved,
            "deny" => ApprovalStatus::Denied,
            "hold" => ApprovalStatus::Held,
            _ => row.status,
        };
        if !row.status.is_open() {
            row.decided_at = Some(event.occurred_at);
        }
        true
    });
}

pub(super) fn revoked<P: Projections>(rows: &mut P, event: &EventRow) {
    change(rows, event, |row, data| {
        row.status = ApprovalStatus::Revoked;
        row.reason = text(data, "reason");
        true
    });
}

pub(super) fn expired<P: Projections>(rows: &mut P, event: &EventRow) {
    change(rows, event, |row, _| {
        row.status = ApprovalStatus::Expired;
        true
    });
}

/// A use of a `once` approval: an `approval.consumed`, or an `egress.allowed` that names it.
pub(super) fn consumed<P: Projections>(rows: &mut P, event: &EventRow) {
    // The hot path has no approval; do not even parse then.
    if !event.data.as_str().contains("\"approval_id\"") {
        return;
    }
    change(rows, event, |row, _| {
        let once = serde_json::from_str::<ApprovalScope>(row.scope.as_str()).is_ok_and(|s| s.kind == ScopeKind::Once);
        if once && row.consumed_at.is_none() {
            row.consumed_at = Some(event.occurred_at);
            return true;
        }
        false
    });
}
