//! Keys let in, or they do not; nobody is told why.

use gate::{AuthError, NewKey, create_key, revoke_key};
use model::{Role, Time, WorkspaceId};
use secrecy::ExposeSecret as _;

use super::*;
use crate::bed::{Bed, on_both};

fn new(workspace_id: Option<WorkspaceId>) -> NewKey {
    NewKey { workspace_id, role: Role::Owner, principal_id: None, expires_at: None }
}

async fn refuses_every_bad_credential_alike(bed: &Bed) {
    let gate = bed.gate().await;
    let made = create_key(gate.store(), new(Some(workspace()))).await.unwrap();
    let text = made.key.expose_secret().to_owned();
    let let_in = gate.authenticate(&text, None, "r").await.unwrap();
    assert_eq!((let_in.workspace_id, let_in.principal_id), (workspace(), made.principal_id));
    let expired =
        create_key(gate.store(), NewKey { expires_at: Some(Time::from_millis(1)), ..new(None) }).await.unwrap();
    let revoked = create_key(gate.store(), new(None)).await.unwrap();
    gate.authenticate(revoked.key.expose_secret(), None, "r").await.unwrap();
    assert!(!revoke_key(gate.store(), &revoked.key_id).await.unwrap());
    assert!(revoke_key(gate.store(), &revoked.key_id).await.unwrap(), "it was revoked already");
    gate.store().fresh(&workspace()).await.unwrap();
    let mut wrong = text.clone();
    let last = if wrong.ends_with('a') { 'b' } else { 'a' };
    wrong.pop();
    wrong.push(last);
    let unknown = format!("exk_{}_{}", "0".repeat(24), "a".repeat(52));
    for bad in ["", "exk_", "nonsense", &wrong, &unknown, expired.key.expose_secret(), revoked.key.expose_secret()] {
        let refused = gate.authenticate(bad, None, "r").await;
        assert!(matches!(refused, Err(AuthError::Unauthenticated)), "{bad}");
    }
    let missing = revoke_key(gate.store(), &model::KeyId::new()).await;
    assert_eq!(crate::bed::code(missing), "key_not_found");
}

async fn a_key_opens_its_own_workspace_only(bed: &Bed) {
    let gate = bed.gate().await;
    let bound = create_key(gate.store(), new(Some(workspace()))).await.unwrap();
    let bound = bound.key.expose_secret();
    for named in [None, Some("ws_test"), Some(" ws_test "), Some("")] {
        assert_eq!(gate.authenticate(bound, named, "r").await.unwrap().workspace_id, workspace());
    }
    for named in ["ws_other", "*", "ws test"] {
        assert!(matches!(gate.authenticate(bound, Some(named), "r").await, Err(AuthError::Forbidden)), "{named}");
    }
    let all = create_key(gate.store(), new(None)).await.unwrap();
    let all = all.key.expose_secret();
    assert_eq!(gate.authenticate(all, None, "r").await.unwrap().workspace_id.as_str(), "ws_dev");
    assert_eq!(gate.authenticate(all, Some("ws_new"), "r").await.unwrap().workspace_id.as_str(), "ws_new");
    for named in ["*", "ws new", "ws\u{e9}"] {
        assert!(matches!(gate.authenticate(all, Some(named), "r").await, Err(AuthError::InvalidWorkspace)), "{named}");
    }
    let star = new(Some(WorkspaceId::parse("*").unwrap()));
    assert_eq!(crate::bed::code(create_key(gate.store(), star).await), "invalid_request");
}

async fn a_revoked_key_changes_nothing_more(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    let made = create_key(gate.store(), new(Some(workspace()))).await.unwrap();
    let caller = gate.authenticate(made.key.expose_secret(), None, "r").await.unwrap();
    gate.request_egress(&caller, harmless("https://example.com/"), None).await.unwrap();
    revoke_key(other.store(), &made.key_id).await.unwrap();
    // Let in before the revocation, which another replica made.
    let skip = events(&gate).await.len();
    let late = gate.request_egress(&caller, harmless("https://example.com/"), None).await;
    assert!(matches!(late, Err(gate::GateError::Unauthenticated)), "{late:?}");
    assert!(matches!(gate.fresh(caller).await, Err(AuthError::Unauthenticated)));
    assert_eq!(events(&gate).await.len(), skip);
}

async fn a_key_of_another_process_works_at_once(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    let made = create_key(other.store(), new(Some(workspace()))).await.unwrap();
    let caller = gate.authenticate(made.key.expose_secret(), None, "r").await.unwrap();
    gate.request_egress(&caller, harmless("https://example.com/"), None).await.unwrap();
    let stored = gate.store().keys(Some(&workspace())).await.unwrap();
    let secret = made.key.expose_secret().rsplit('_').next().unwrap();
    assert!(stored.iter().all(|row| !row.key_hash.contains(secret)));
    let kept = events(&gate).await;
    assert!(kept.iter().all(|e| !e.data.as_str().contains(secret)));
    assert_eq!(types(&kept)[..2], ["principal.created", "key.created"]);
}

mod cases {
    super::on_both!(
        refuses_every_bad_credential_alike,
        a_key_opens_its_own_workspace_only,
        a_revoked_key_changes_nothing_more,
        a_key_of_another_process_works_at_once,
    );
}
