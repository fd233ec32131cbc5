//! Who may use which route, written down by hand from the contract, and what is sent to it.

use std::collections::BTreeSet;

use api::routes::Route;
use model::Role;
use serde_json::{Value, json};

use crate::tenancy::Things;

/// What anybody may read.
pub(crate) const PUBLIC: [&str; 5] = ["/docs", "/livez", "/openapi.json", "/readyz", "/version"];

/// The roles beside the owner: `o`perator, a`p`prover, `g`ateway, `a`gent, `w`orker, a`u`ditor.
const LETTERS: [(char, Role); 6] = [
    ('o', Role::Operator),
    ('p', Role::Approver),
    ('g', Role::Gateway),
    ('a', Role::Agent),
    ('w', Role::Worker),
    ('u', Role::Auditor),
];

/// Each route that needs a key, with the roles that may use it. The owner may everything.
pub(crate) const TABLE: &[(&str, &str)] = &[
    // The auditor reads how the service does; everybody may know who they are and what codes mean.
    ("GET /metrics", "u"),
    ("GET /v1/whoami", "opgawu"),
    ("GET /v1/reason-codes", "opgawu"),
    // Whoever acts asks. An approver and an auditor do not act.
    ("POST /v1/egress/requests", "ogaw"),
    ("POST /v1/proxy/credentials", "ogaw"),
    ("POST /v1/policy/evaluate", "ogaw"),
    ("POST /v1/authorize", "ogaw"),
    ("POST /v1/data/access/requests", "ogaw"),
    ("POST /v1/approvals", "ogaw"),
    ("POST /v1/runs", "ogaw"),
    ("POST /v1/security/violations", "ogaw"),
    // What was asked: lists for all but agents, who see their own one by one.
    ("GET /v1/egress/requests", "opgwu"),
    ("GET /v1/egress/requests/{id}", "opgawu"),
    ("GET /v1/decisions/{id}", "opgawu"),
    ("GET /v1/approvals", "opgwu"),
    ("GET /v1/approvals/{id}", "opgawu"),
    ("GET /v1/runs", "opgwu"),
    ("GET /v1/runs/{id}", "opgawu"),
    ("GET /v1/runs/{id}/attempts", "opgawu"),
    ("GET /v1/runs/{id}/steps", "opgawu"),
    ("GET /v1/toolcalls", "opgawu"),
    ("GET /v1/toolcalls/{id}", "opgawu"),
    // People decide.
    ("POST /v1/approvals/{id}/decide", "op"),
    ("POST /v1/approvals/{id}/revoke", "op"),
    // Workers and back ends drive runs.
    ("POST /v1/runs/claim", "ogw"),
    ("POST /v1/runs/{id}/start", "ogw"),
    ("POST /v1/runs/{id}/complete", "ogw"),
    ("POST /v1/runs/{id}/fail", "ogw"),
    ("POST /v1/runs/{id}/cancel", "ogw"),
    ("POST /v1/runs/{id}/lease/heartbeat", "ogw"),
    ("POST /v1/runs/{id}/lease/release", "ogw"),
    ("POST /v1/runs/{id}/steps", "ogw"),
    ("POST /v1/steps/{id}/toolcalls", "ogw"),
    ("POST /v1/toolcalls/{id}/succeed", "ogw"),
    ("POST /v1/toolcalls/{id}/fail", "ogw"),
    ("POST /v1/toolcalls/{id}/execute", "ogw"),
    ("POST /v1/rooms", "ogw"),
    ("POST /v1/principals/legacy/ensure", "ogw"),
    ("GET /v1/rooms", "owu"),
    ("GET /v1/rooms/{id}", "owu"),
    // Operators set things up; auditors may read all of it.
    ("POST /v1/resources/labels", "o"),
    ("GET /v1/resources/labels", "ou"),
    ("POST /v1/principals", "o"),
    ("GET /v1/principals/{id}", "ou"),
    ("POST /v1/principals/{id}/revoke", "o"),
    ("POST /v1/agents", "o"),
    ("GET /v1/agents", "ou"),
    ("GET /v1/agents/{id}", "ou"),
    ("POST /v1/agents/{id}/quarantine", "o"),
    ("POST /v1/agents/{id}/unquarantine", "o"),
    ("POST /v1/agents/{id}/revoke", "o"),
    ("POST /v1/capabilities/grant", "o"),
    ("POST /v1/capabilities/revoke", "o"),
    ("GET /v1/capabilities", "ou"),
    ("GET /v1/capabilities/delegations", "ou"),
    ("GET /v1/action-registry", "ou"),
    ("PUT /v1/action-registry/{action_type}", "o"),
    ("GET /v1/policy/mode", "ou"),
    ("PUT /v1/policy/mode", "o"),
    ("GET /v1/policy/kill-switch", "ou"),
    ("PUT /v1/policy/kill-switch", "o"),
    ("GET /v1/policy/settings", "ou"),
    ("PUT /v1/policy/settings", "o"),
    // Rules: auditors may try drafts, which changes nothing.
    ("GET /v1/policies", "ou"),
    ("PUT /v1/policies", "o"),
    ("GET /v1/policies/versions", "ou"),
    ("GET /v1/policies/versions/{version}", "ou"),
    ("POST /v1/policies/validate", "ou"),
    ("POST /v1/policies/test", "ou"),
    ("POST /v1/policies/diff", "ou"),
    ("POST /v1/policies/replay", "ou"),
    ("POST /v1/policies/rollback", "o"),
    ("PUT /v1/policies/candidate", "o"),
    ("DELETE /v1/policies/candidate", "o"),
    ("GET /v1/shadow/report", "ou"),
    ("POST /v1/shadow/review", "o"),
    ("POST /v1/shadow/propose", "ou"),
    // The log, for those who judge by it.
    ("GET /v1/guard", "ou"),
    ("GET /v1/events", "opwu"),
    ("GET /v1/events/{id}", "opwu"),
    ("GET /v1/streams/events", "opwu"),
    ("GET /v1/streams/rooms/{room_id}", "opwu"),
    ("GET /v1/audit/hash-chain/verify", "ou"),
];

/// Who may use a route that needs a key; none of a public one or one that the table does not know.
pub(crate) fn roles_of(name: &str) -> Option<BTreeSet<Role>> {
    let (_, letters) = TABLE.iter().find(|(each, _)| *each == name)?;
    let role = |letter| LETTERS.iter().find(|(each, _)| *each == letter).unwrap().1;
    Some(letters.chars().map(role).chain([Role::Owner]).collect())
}

/// A body that does something when whoever sends it may.
pub(crate) fn body(route: &Route, things: &Things) -> Value {
    let rules = json!([{"name": "r.toml", "text": "[[allow]]\nid = \"a\"\nhost = \"example.com\"\n"}]);
    match route.operation_id {
        "request_egress" => json!({"target_url": "https://example.com/", "action": "internal.read"}),
        "evaluate" | "request_approval" => json!({"action": "external.write"}),
        "authorize" => json!({"category": "action", "action": "external.write"}),
        "request_data_access" => json!({"action": "data.read", "resource_type": "doc", "resource_id": "1"}),
        "set_label" => json!({"resource_type": "doc", "resource_id": "1", "label": "restricted"}),
        "decide_approval" => json!({"decision": "deny"}),
        "create_step" => json!({"kind": "k"}),
        "request_tool_call" => json!({"tool_name": "t"}),
        "create_room" => json!({"title": "t"}),
        "create_principal" => json!({"principal_type": "user"}),
        "ensure_principal" => json!({"actor_type": "user", "actor_id": "somebody"}),
        "register_agent" => json!({"display_name": "a"}),
        "grant_capability" => json!({
            "issued_to_principal_id": things.principal, "granted_by_principal_id": things.principal,
        }),
        "set_action" => json!({"reversible": true, "zone_required": "sandbox", "requires_pre_approval": false,
            "post_review_required": false}),
        "set_mode" => json!({"mode": "enforce", "reason": "r"}),
        "set_kill_switch" => json!({"active": false, "reason": "r"}),
        "set_settings" => json!({"egress_max_requests_per_hour": 100_000}),
        "publish_policies" | "set_candidate" | "validate_policies" | "test_policies" | "diff_policies"
        | "replay_policies" => json!({"files": rules}),
        _ => json!({}),
    }
}
