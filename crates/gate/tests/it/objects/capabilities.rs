//! Capability tokens.

use gate::capabilities::{GrantCapabilityInput, RevokeCapabilityInput};
use gate::{Caller, Gate, GateError, RefusalKind};
use model::{PrincipalId, Role, TokenId, WorkspaceId};
use serde_json::{Value, json};

use crate::bed::{Bed, assert_sound, caller, caller_in, code, data_of, first, head, once, refusal, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(
        checks_in_the_order_of_the_contract,
        cuts_a_delegation_down_to_its_parent,
        ends_what_is_below_a_revoked_token,
        records_refused_delegations,
        lets_an_agent_key_only_delegate_its_own,
    );
}

/// A caller and two principals besides its own.
struct Scene {
    gate: Gate,
    caller: Caller,
    ann: PrincipalId,
    bob: PrincipalId,
}

impl Scene {
    async fn new(bed: &Bed) -> Self {
        let gate = bed.gate().await;
        let operator = caller(&gate, Role::Operator, None).await;
        let ann = caller(&gate, Role::Agent, None).await.principal_id;
        let bob = caller(&gate, Role::Agent, None).await.principal_id;
        Self { gate, caller: operator, ann, bob }
    }

    fn grant(
        &self,
        to: &PrincipalId,
        by: &PrincipalId,
        parent: Option<&TokenId>,
        scopes: Value,
    ) -> GrantCapabilityInput {
        GrantCapabilityInput {
            issued_to_principal_id: Some(to.to_string()),
            granted_by_principal_id: Some(by.to_string()),
            parent_token_id: parent.map(ToString::to_string),
            scopes: Some(scopes),
            valid_until: None,
        }
    }

    async fn token(&self, input: GrantCapabilityInput) -> TokenId {
        first(self.gate.grant_capability(&self.caller, input, None).await).token_id
    }

    async fn revoke(&self, token: &TokenId) -> bool {
        let input = RevokeCapabilityInput { token_id: Some(token.to_string()), reason: Some("done".to_owned()) };
        self.gate.revoke_capability(&self.caller, input).await.unwrap().already_revoked
    }
}

async fn checks_in_the_order_of_the_contract(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let (gate, me) = (&scene.gate, scene.caller.principal_id.clone());
    let other = caller_in(gate, Some(WorkspaceId::parse("ws_other").unwrap()), Role::Agent, None).await.principal_id;
    let revoked = scene.token(scene.grant(&scene.ann, &me, None, json!({}))).await;
    scene.revoke(&revoked).await;

    // Everything is wrong; one after the other is mended.
    let mut input = GrantCapabilityInput {
        issued_to_principal_id: Some(" ".to_owned()),
        granted_by_principal_id: None,
        parent_token_id: Some("nothing".to_owned()),
        scopes: Some(json!({"rooms": [], "color": []})),
        valid_until: Some("tomorrow".to_owned()),
    };
    let mut seen = Vec::new();
    let mut step = async |input: &GrantCapabilityInput| {
        let refusal = refusal(gate.grant_capability(&scene.caller, input.clone(), None).await);
        seen.push((refusal.kind, refusal.code));
    };
    step(&input).await;
    input.issued_to_principal_id = Some(other.to_string());
    step(&input).await;
    input.granted_by_principal_id = Some("nobody".to_owned());
    step(&input).await;
    input.issued_to_principal_id = Some(scene.bob.to_string());
    step(&input).await;
    input.granted_by_principal_id = Some(me.to_string());
    step(&input).await;
    input.valid_until = Some("2020-01-01T00:00:00Z".to_owned());
    step(&input).await;
    input.scopes = Some(json!({"rooms": ["*"]}));
    step(&input).await;
    input.parent_token_id = Some(revoked.to_string());
    step(&input).await;
    let invalid = RefusalKind::Invalid;
    assert_eq!(
        seen,
        [
            (invalid, "issued_to_principal_id_required"),
            (invalid, "granted_by_principal_id_required"),
            (invalid, "issued_to_principal_not_found"),
            (invalid, "granted_by_principal_not_found"),
            (invalid, "invalid_valid_until"),
            (invalid, "invalid_scopes"),
            (RefusalKind::NotFound, "parent_token_not_found"),
            (invalid, "parent_token_revoked"),
        ]
    );
    // A past end is accepted: the token is born expired.
    input.parent_token_id = None;
    let token = scene.token(input.clone()).await;
    let row = gate.store().token(&workspace(), &token).await.unwrap().unwrap();
    assert_eq!(row.valid_until.unwrap().to_string(), "2020-01-01T00:00:00.000Z");
    let below = scene.grant(&scene.ann, &scene.bob, Some(&token), json!({}));
    assert_eq!(code(gate.grant_capability(&scene.caller, below, None).await), "parent_token_expired");

    for (token, want) in
        [(None, "token_id_required"), (Some("nothing"), "token_not_found"), (Some("a b"), "token_not_found")]
    {
        let input = RevokeCapabilityInput { token_id: token.map(str::to_owned), reason: None };
        assert_eq!(code(gate.revoke_capability(&scene.caller, input).await), want);
    }
}

async fn cuts_a_delegation_down_to_its_parent(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let me = scene.caller.principal_id.clone();
    let wide = json!({"rooms": ["*"], "egress_domains": ["*.a.test"], "tools": ["x", " y "]});
    let mut root = scene.grant(&scene.ann, &me, None, wide);
    root.valid_until = Some("2100-01-01T00:00:00Z".to_owned());
    let root = scene.token(root).await;
    let want = json!({"rooms": ["r1"], "egress_domains": ["*", "b.test"], "tools": ["y", "z"], "action_types": ["*"]});
    let mut child = scene.grant(&scene.bob, &scene.ann, Some(&root), want);
    child.valid_until = Some("2200-01-01T00:00:00Z".to_owned());
    let before = head(&scene.gate).await;
    let child = scene.token(child).await;
    assert_eq!(head(&scene.gate).await, before + 1);
    let row = scene.gate.store().token(&workspace(), &child).await.unwrap().unwrap();
    let kept = json!({"rooms": ["r1"], "egress_domains": ["*.a.test"], "tools": ["y"]});
    assert_eq!(row.scopes.to_value(), kept);
    assert_eq!(row.valid_until.unwrap().to_string(), "2100-01-01T00:00:00.000Z");
    let granted = data_of(&scene.gate, "agent.capability.granted").await;
    assert_eq!(granted[1]["requested_scopes"]["tools"], json!(["y", "z"]));
    assert_eq!(granted[1]["scopes"]["tools"], json!(["y"]));
    assert_eq!((&granted[0]["parent_token_id"], granted[0].get("requested_scopes")), (&json!(null), None));

    // Depth 0, 1, 2, 3, and no further.
    let grandchild = scene.token(scene.grant(&scene.ann, &scene.bob, Some(&child), json!({"rooms": ["*"]}))).await;
    let last = scene.token(scene.grant(&scene.bob, &scene.ann, Some(&grandchild), json!({"rooms": ["*"]}))).await;
    let beyond = scene.grant(&scene.ann, &scene.bob, Some(&last), json!({}));
    assert_eq!(code(scene.gate.grant_capability(&scene.caller, beyond, None).await), "delegation_depth_exceeded");
    let edges = scene.gate.store().delegations(&workspace(), None, None, 10).await.unwrap();
    assert_eq!(edges.iter().map(|e| e.depth).collect::<Vec<_>>(), [3, 2, 1]);
    assert_sound(bed, &scene.gate).await;
}

async fn ends_what_is_below_a_revoked_token(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let me = scene.caller.principal_id.clone();
    let root = scene.token(scene.grant(&scene.ann, &me, None, json!({"rooms": ["*"]}))).await;
    let child = scene.token(scene.grant(&scene.bob, &scene.ann, Some(&root), json!({"rooms": ["*"]}))).await;
    let below = || scene.grant(&scene.ann, &scene.bob, Some(&child), json!({"rooms": ["*"]}));
    scene.token(below()).await;
    assert!(!scene.revoke(&root).await);
    assert!(scene.revoke(&root).await, "again");
    assert_eq!(code(scene.gate.grant_capability(&scene.caller, below(), None).await), "parent_token_revoked");
    let revoked = data_of(&scene.gate, "agent.capability.revoked").await;
    assert_eq!(revoked.len(), 1);
    assert_eq!((&revoked[0]["token_id"], &revoked[0]["reason"]), (&json!(root), &json!("done")));
}

async fn records_refused_delegations(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let me = scene.caller.principal_id.clone();
    let root = scene.token(scene.grant(&scene.ann, &me, None, json!({"rooms": ["*"]}))).await;
    let before = head(&scene.gate).await;
    let stolen = scene.grant(&scene.ann, &scene.bob, Some(&root), json!({"rooms": ["r1"]}));
    let said = refusal(scene.gate.grant_capability(&scene.caller, stolen.clone(), once(&scene.caller, "k", "1")).await);
    assert_eq!((said.kind, said.code), (RefusalKind::Forbidden, "parent_token_grantor_mismatch"));
    // The same request again is answered the same and recorded once.
    assert_eq!(
        refusal(scene.gate.grant_capability(&scene.caller, stolen.clone(), once(&scene.caller, "k", "1")).await),
        said
    );
    let reused = scene.gate.grant_capability(&scene.caller, stolen, once(&scene.caller, "k", "2")).await;
    assert!(matches!(reused, Err(GateError::KeyReused)));
    let attempted = data_of(&scene.gate, "agent.delegation.attempted").await;
    assert_eq!(attempted.len(), 1);
    assert_eq!(attempted[0]["denied_reason"], "parent_token_grantor_mismatch");
    assert_eq!(attempted[0]["scopes"]["rooms"], json!(["r1"]));
    assert_eq!(head(&scene.gate).await, before, "nothing changed");
    assert_eq!(scene.gate.store().tokens(&workspace(), None, None, 10).await.unwrap().len(), 1);
}

async fn lets_an_agent_key_only_delegate_its_own(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let ann = caller(&scene.gate, Role::Agent, Some(scene.ann.clone())).await;
    let me = scene.caller.principal_id.clone();
    let root = scene.token(scene.grant(&scene.ann, &me, None, json!({"rooms": ["*"]}))).await;
    let as_other = scene.grant(&scene.bob, &me, Some(&root), json!({}));
    assert_eq!(code(scene.gate.grant_capability(&ann, as_other, None).await), "identity_not_permitted");
    let a_root = scene.grant(&scene.bob, &scene.ann, None, json!({"rooms": ["*"]}));
    assert_eq!(code(scene.gate.grant_capability(&ann, a_root, None).await), "forbidden");
    let own = scene.grant(&scene.bob, &scene.ann, Some(&root), json!({"rooms": ["*"]}));
    first(scene.gate.grant_capability(&ann, own, None).await);
}
