//! Principals.

use gate::principals::{CreatePrincipalInput, EnsurePrincipalInput};
use model::{Role, WorkspaceId};

use crate::bed::{Bed, assert_sound, caller, caller_in, code, data_of, first, head, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(
        creates_and_revokes,
        refuses_bad_names,
        ensures_one_principal_for_a_name,
        parallel_ensures_make_one,
        keeps_workspaces_apart,
    );
}

fn create(kind: &str, legacy: Option<(&str, &str)>) -> CreatePrincipalInput {
    CreatePrincipalInput {
        principal_type: Some(kind.to_owned()),
        legacy_actor_type: legacy.map(|l| l.0.to_owned()),
        legacy_actor_id: legacy.map(|l| l.1.to_owned()),
    }
}

fn ensure(kind: &str, id: &str) -> EnsurePrincipalInput {
    EnsurePrincipalInput { actor_type: Some(kind.to_owned()), actor_id: Some(id.to_owned()) }
}

async fn creates_and_revokes(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let before = head(&gate).await;
    let made = first(gate.create_principal(&caller, create("service", Some(("user", "ann"))), None).await);
    let row = gate.store().principal(&workspace(), &made.principal_id).await.unwrap().unwrap();
    assert_eq!(row.principal_type.as_str(), "service");
    assert_eq!(row.legacy_actor_id.as_deref(), Some("ann"));
    assert_eq!(head(&gate).await, before + 1);
    let again = gate.create_principal(&caller, create("user", Some(("user", "ann"))), None).await;
    assert_eq!(code(again), "principal_already_exists");

    assert!(!gate.revoke_principal(&caller, made.principal_id.as_str()).await.unwrap().already_revoked);
    assert!(gate.revoke_principal(&caller, made.principal_id.as_str()).await.unwrap().already_revoked);
    assert_eq!(head(&gate).await, before + 2);
    assert_eq!(data_of(&gate, "principal.revoked").await.len(), 1);
    assert_eq!(code(gate.ensure_principal(&caller, ensure("user", "ann")).await), "principal_revoked");
    assert_eq!(code(gate.revoke_principal(&caller, "nobody").await), "principal_not_found");
    assert_eq!(code(gate.revoke_principal(&caller, "no body").await), "principal_not_found");
    assert_sound(bed, &gate).await;
}

async fn refuses_bad_names(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    for (input, want) in [
        (CreatePrincipalInput::default(), "invalid_principal_type"),
        (create("robot", None), "invalid_principal_type"),
        (create("user", Some(("robot", "a"))), "invalid_actor_type"),
        (create("user", Some(("user", " "))), "invalid_actor_id"),
        (CreatePrincipalInput { legacy_actor_id: Some("a".to_owned()), ..create("user", None) }, "invalid_actor_type"),
    ] {
        assert_eq!(code(gate.create_principal(&caller, input, None).await), want);
    }
    for (input, want) in [
        (EnsurePrincipalInput::default(), "invalid_actor_type"),
        (ensure("robot", "a"), "invalid_actor_type"),
        (ensure("user", ""), "invalid_actor_id"),
        (ensure("user", &"x".repeat(201)), "invalid_actor_id"),
    ] {
        assert_eq!(code(gate.ensure_principal(&caller, input).await), want);
    }
}

async fn ensures_one_principal_for_a_name(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Gateway, None).await;
    let created = data_of(&gate, "principal.created").await.len();
    let before = head(&gate).await;
    let one = gate.ensure_principal(&caller, ensure("user", "ann")).await.unwrap();
    assert_eq!(gate.ensure_principal(&caller, ensure("user", " ann ")).await.unwrap(), one);
    let other = gate.ensure_principal(&caller, ensure("service", "ann")).await.unwrap();
    assert_ne!(other.principal.principal_id, one.principal.principal_id);
    assert_eq!(data_of(&gate, "principal.created").await.len(), created + 2);
    assert_eq!(head(&gate).await, before, "a first use moves no head");
}

async fn parallel_ensures_make_one(bed: &Bed) {
    let (here, there) = (bed.gate().await, bed.gate().await);
    let caller = caller(&here, Role::Gateway, None).await;
    let mut tasks = Vec::new();
    for n in 0..40 {
        let (gate, caller) = (if n % 2 == 0 { here.clone() } else { there.clone() }, caller.clone());
        tasks.push(tokio::spawn(async move {
            gate.ensure_principal(&caller, ensure("user", "bob")).await.unwrap().principal.principal_id
        }));
    }
    let mut ids = std::collections::BTreeSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
    let bobs = data_of(&here, "principal.created").await;
    assert_eq!(bobs.iter().filter(|d| d["legacy_actor_id"] == "bob").count(), 1);
    assert_sound(bed, &here).await;
}

async fn keeps_workspaces_apart(bed: &Bed) {
    let gate = bed.gate().await;
    let ours = caller(&gate, Role::Owner, None).await;
    let theirs = caller_in(&gate, Some(WorkspaceId::parse("ws_other").unwrap()), Role::Owner, None).await;
    let foreign = gate.revoke_principal(&ours, theirs.principal_id.as_str()).await;
    assert_eq!(code(foreign), "principal_not_found");
    // The control: in its own workspace it is there.
    assert!(!gate.revoke_principal(&theirs, theirs.principal_id.as_str()).await.unwrap().already_revoked);
    // A principal of all workspaces can be seen here, but only a key of all can end it.
    let everywhere = caller_in(&gate, None, Role::Owner, None).await;
    assert_eq!(code(gate.revoke_principal(&ours, everywhere.principal_id.as_str()).await), "forbidden");
    let before = gate.store().fresh(&workspace()).await.unwrap().head("*");
    let other = caller_in(&gate, None, Role::Owner, None).await;
    assert!(!gate.revoke_principal(&other, everywhere.principal_id.as_str()).await.unwrap().already_revoked);
    assert!(gate.store().fresh(&workspace()).await.unwrap().head("*") > before);
}
