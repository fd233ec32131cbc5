//! Changes to a snapshot show at once in the next one, and never in the one a reader holds.

use model::*;
use policy::*;

use crate::world::*;

fn reason(snapshot: &Snapshot, ask: &Ask) -> ReasonCode {
    decide(snapshot, ask, at(NOW), &[]).reason_code
}

#[test]
fn revoking_an_ancestor_ends_every_descendant_at_once() {
    let before = base_world().snapshot();
    let ask = base_ask(Category::Egress);
    assert_eq!(reason(&before, &ask), ReasonCode::DefaultAllow);

    let mut after = before.clone();
    let mut root = token("t_root", None);
    root.revoked_at = Some(at(NOW));
    after.put_token(root);
    assert_eq!(reason(&after, &ask), ReasonCode::CapabilityTokenParentRevoked);
    assert_eq!(reason(&before, &ask), ReasonCode::DefaultAllow, "the reader's snapshot stays as it was");
}

#[test]
fn narrowing_an_ancestor_narrows_every_descendant_at_once() {
    let mut snapshot = base_world().snapshot();
    let ask = base_ask(Category::Egress);
    let mut root = token("t_root", None);
    root.scopes.egress_domains = set(&["example.com"]);
    snapshot.put_token(root.clone());
    assert_eq!(reason(&snapshot, &ask), ReasonCode::DefaultAllow);
    root.scopes.egress_domains = set(&["example.org"]);
    snapshot.put_token(root);
    assert_eq!(reason(&snapshot, &ask), ReasonCode::CapabilityScopeDomainNotAllowed);
}

#[test]
fn a_token_deeper_than_three_counts_for_nothing() {
    let mut world = base_world();
    let ask = base_ask(Category::Action);
    world.tokens[2].parent = Some(id("t_above"));
    world.tokens.push(token("t_above", None));
    assert_eq!(reason(&world.snapshot(), &ask), ReasonCode::DefaultAllow, "depth 3");
    world.tokens[3].parent = Some(id("t_top"));
    world.tokens.push(token("t_top", None));
    assert_eq!(reason(&world.snapshot(), &ask), ReasonCode::CapabilityTokenParentRevoked, "depth 4");
}

#[test]
fn an_approval_that_is_removed_or_replaced_no_longer_counts() {
    let mut snapshot = base_world().snapshot();
    let mut ask = base_ask(Category::Egress);
    ask.action = Action::external_write();
    snapshot.put_approval(approval("ap", "external.write"));
    assert_eq!(reason(&snapshot, &ask), ReasonCode::ApprovalAllowsAction);
    snapshot.put_approval(approval("ap", "email.send"));
    assert_eq!(reason(&snapshot, &ask), ReasonCode::ExternalWriteRequiresApproval);
    snapshot.put_approval(approval("ap", "external.write"));
    snapshot.remove_approval(&id("ws_b"), &id("ap"));
    assert_eq!(reason(&snapshot, &ask), ReasonCode::ApprovalAllowsAction, "not another workspace's to remove");
    snapshot.remove_approval(&id("ws_a"), &id("ap"));
    assert_eq!(reason(&snapshot, &ask), ReasonCode::ExternalWriteRequiresApproval);
}

#[test]
fn a_principal_that_is_renamed_loses_its_old_name() {
    let mut world = base_world();
    let anon = Actor::new(ActorType::User, "anon");
    let mut snapshot = world.snapshot();
    assert_eq!(snapshot.principal_of(&id("ws_a"), &anon), Some(&id("p_user")));
    assert_eq!(snapshot.principal_of(&id("ws_b"), &anon), None);
    world.principals[0].workspace_id = None;
    snapshot.put_principal(world.principals[0].clone());
    assert_eq!(snapshot.principal_of(&id("ws_b"), &anon), Some(&id("p_user")));
    world.principals[0].legacy = None;
    snapshot.put_principal(world.principals[0].clone());
    assert_eq!(snapshot.principal_of(&id("ws_a"), &anon), None);
}

#[test]
fn another_workspace_sees_nothing() {
    let snapshot = base_world().snapshot();
    let (own, other) = (id("ws_a"), id("ws_b"));
    for (ws, known) in [(&own, true), (&other, false)] {
        assert_eq!(snapshot.principal(ws, &id("p_user")).is_some(), known);
        assert_eq!(snapshot.agent(ws, &id("ag")).is_some(), known);
        assert_eq!(snapshot.agent_of_principal(ws, &id("p_agent")).is_some(), known);
        assert_eq!(snapshot.token(ws, &id("t_root")).is_some(), known);
        assert!(snapshot.registry(ws, &action("email.send")).is_some(), "the install's defaults are everyone's");
    }
}
