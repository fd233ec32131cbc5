//! Credentials for the proxy: who makes them, whom they let in, and when they end.

use std::sync::Arc;

use gate::{AuthError, NewProxyCredential, Recheck};
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, ActorType, Canonical, Outcome, RunId, Zone};
use secrecy::ExposeSecret as _;
use store::rows::RunRow;

use super::*;
use crate::asks::context;
use crate::asks::identity::agent;
use crate::bed::{Bed, code, refusal};

/// Appends an event of a run.
pub(crate) async fn run_event(gate: &Gate, run: &RunId, kind: EventType) {
    let context = EventContext { run_id: Some(run.clone()), ..context(None) };
    let data = Canonical::from(&json!({"run_id": run}));
    let of = run.clone();
    let change = Change {
        reads: move |reads: &mut Reads| {
            reads.stream(Stream::of(&workspace(), None));
            reads.actor(&workspace(), &Actor::new(ActorType::User, "human"));
            reads.row::<RunRow>(&[of.as_str()]);
        },
        settle: move |tx: &mut store::Tx<'_>| {
            tx.append(&context, EventDraft::new(kind, data.clone()));
        },
    };
    gate.store().submit(change).await.unwrap();
}

async fn mint(gate: &Gate, caller: &Caller, new: NewProxyCredential) -> String {
    gate.mint_proxy_credential(caller, new).await.unwrap().credential.expose_secret().to_owned()
}

/// Whether it lets anybody in under the policy of now.
async fn enters(gate: &Gate, text: &str) -> bool {
    gate.store().fresh(&workspace()).await.unwrap();
    match gate.authenticate_proxy(text, "r").await {
        Ok(_) => true,
        Err(AuthError::Unauthenticated) => false,
        Err(error) => panic!("{error:?}"),
    }
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn for_whom(principal: &model::PrincipalId) -> NewProxyCredential {
    NewProxyCredential { principal_id: Some(principal.to_string()), ..NewProxyCredential::default() }
}

async fn it_asks_as_its_principal_and_only_at_the_proxy(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let operator = caller(&gate, Role::Operator, None).await;
    let (agent_id, principal) = agent(&gate, Zone::Supervised).await;
    let made = gate.mint_proxy_credential(&operator, for_whom(&principal)).await.unwrap();
    let hours = (made.expires_at.as_millis() - now_ms()) / 3_600_000;
    assert!((7..=8).contains(&hours), "{hours}");
    let text = made.credential.expose_secret().to_owned();
    assert!(text.starts_with("exp1."));
    let (holder, place) = gate.authenticate_proxy(&text, "r").await.unwrap();
    assert_eq!((holder.role, &holder.principal_id, &holder.workspace_id), (Role::Agent, &principal, &workspace()));
    assert!(place.run_id.is_none() && !text.contains(holder.key_id.as_str()));
    let permit = out(&gate, &holder, tunnel("https://a.test/")).await;
    let row = request_row(&gate, permit.egress_request_id()).await;
    assert_eq!((row.requested_by_id.as_str(), row.requested_by_principal_id), (agent_id.as_str(), Some(principal)));
    // Not the API, not another install, not with one letter changed.
    assert!(matches!(gate.authenticate(&text, None, "r").await, Err(AuthError::Unauthenticated)));
    assert!(!enters(&bed.gate().await, &text).await, "another install secret");
    for at in (5..text.len()).step_by(7) {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(!enters(&gate, std::str::from_utf8(&changed).unwrap()).await, "{at}");
    }
    for bad in ["exp1.", "exp1..", "exp1.e30.", "exp1.e30.e30", &text[..text.len() - 2], &format!("{text}.")] {
        assert!(!enters(&gate, bad).await, "{bad}");
    }
    assert!(!enters(&gate, &format!("exp1.{}", "A".repeat(5_000))).await);
    // Keys are let in as everywhere.
    let key = crate::leaving::minted::key(&gate, Role::Agent).await.1;
    assert!(enters(&gate, &key).await && !enters(&gate, "exk_nothing").await);
    // One makes none itself.
    assert_eq!(code(gate.mint_proxy_credential(&holder, NewProxyCredential::default()).await), "forbidden");
}

pub(crate) async fn key(gate: &Gate, role: Role) -> (model::KeyId, String) {
    let new = gate::NewKey { workspace_id: Some(workspace()), role, principal_id: None, expires_at: None };
    let made = gate::create_key(gate.store(), new).await.unwrap();
    (made.key_id, made.key.expose_secret().to_owned())
}

async fn who_may_make_which(bed: &Bed) {
    let gate = bed.gate().await;
    let (_, principal) = agent(&gate, Zone::Supervised).await;
    let run = RunId::new();
    run_event(&gate, &run, EventType::RunCreated).await;
    let within = NewProxyCredential { run_id: Some(run.to_string()), ..NewProxyCredential::default() };
    for (role, own, other, in_run) in [
        (Role::Owner, None, None, None),
        (Role::Operator, None, None, None),
        (Role::Gateway, None, None, None),
        (Role::Worker, None, None, None),
        (Role::Agent, None, Some("identity_not_permitted"), Some("identity_not_permitted")),
        (Role::Approver, Some("forbidden"), Some("forbidden"), Some("forbidden")),
        (Role::Auditor, Some("forbidden"), Some("forbidden"), Some("forbidden")),
    ] {
        let caller = caller(&gate, role, None).await;
        let refused = async |new: NewProxyCredential| match gate.mint_proxy_credential(&caller, new).await {
            Ok(_) => None,
            Err(GateError::Refused(refusal)) => Some(refusal.code),
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(refused(NewProxyCredential::default()).await, own, "{role:?}");
        assert_eq!(refused(for_whom(&caller.principal_id)).await, own, "{role:?}");
        assert_eq!(refused(for_whom(&principal)).await, other, "{role:?}");
        assert_eq!(refused(within.clone()).await, in_run, "{role:?}");
    }
    let gateway = caller(&gate, Role::Gateway, None).await;
    let lasting = |seconds| NewProxyCredential { expires_in_s: Some(seconds), ..NewProxyCredential::default() };
    for seconds in [0, 86_401, u64::MAX] {
        let refused = refusal(gate.mint_proxy_credential(&gateway, lasting(seconds)).await);
        assert_eq!((refused.code, refused.field.as_deref()), ("invalid_request", Some("/expires_in_s")));
    }
    for seconds in [1, 86_400] {
        gate.mint_proxy_credential(&gateway, lasting(seconds)).await.unwrap();
    }
    let stranger =
        crate::bed::caller_in(&gate, Some(model::WorkspaceId::parse("ws_other").unwrap()), Role::Gateway, None);
    let stranger = stranger.await;
    assert_eq!(code(gate.mint_proxy_credential(&stranger, for_whom(&principal)).await), "principal_not_found");
    assert_eq!(code(gate.mint_proxy_credential(&stranger, within).await), "run_not_found");
    run_event(&gate, &run, EventType::RunCompleted).await;
    let late = NewProxyCredential { run_id: Some(run.to_string()), ..NewProxyCredential::default() };
    assert_eq!(code(gate.mint_proxy_credential(&gateway, late).await), "run_already_ended");
}

async fn it_ends_with_what_it_was_made_with(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    // By the clock.
    let gateway = caller(&gate, Role::Gateway, None).await;
    let short = NewProxyCredential { expires_in_s: Some(1), ..NewProxyCredential::default() };
    let text = mint(&gate, &gateway, short).await;
    let (holder, _) = gate.authenticate_proxy(&text, "r").await.unwrap();
    let by_clock = out(&gate, &holder, tunnel("https://a.test/")).await;
    let recheck = async |permit: &Permit| {
        let now = gate.now(&workspace()).await.unwrap();
        gate.recheck(&now, &permit.admission()).await.unwrap()
    };
    assert_eq!(recheck(&by_clock).await, Recheck::Stays);
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert!(!enters(&gate, &text).await);
    assert_eq!(recheck(&by_clock).await, Recheck::Unauthenticated);
    // With the key that made it.
    let (key_id, key) = key(&gate, Role::Gateway).await;
    let maker = gate.authenticate(&key, None, "r").await.unwrap();
    let (_, principal) = agent(&gate, Zone::Supervised).await;
    let text = mint(&gate, &maker, for_whom(&principal)).await;
    let (holder, _) = gate.authenticate_proxy(&text, "r").await.unwrap();
    let by_key = out(&gate, &holder, tunnel("https://a.test/")).await;
    let intent = gate.intend(&holder, tunnel("https://a.test/")).await.unwrap();
    assert_eq!(recheck(&by_key).await, Recheck::Stays);
    gate::revoke_key(gate.store(), &key_id).await.unwrap();
    assert!(!enters(&gate, &text).await);
    assert_eq!(recheck(&by_key).await, Recheck::Unauthenticated);
    assert!(matches!(gate.commit(intent).await, Err(GateError::Unauthenticated)));
    assert!(matches!(gate.fresh(holder).await, Err(AuthError::Unauthenticated)));
    // With its principal.
    let text = mint(&gate, &gateway, for_whom(&principal)).await;
    assert!(enters(&gate, &text).await);
    let operator = caller(&gate, Role::Operator, None).await;
    gate.revoke_principal(&operator, principal.as_str()).await.unwrap();
    assert!(!enters(&gate, &text).await);
    assert_eq!(code(gate.mint_proxy_credential(&gateway, for_whom(&principal)).await), "principal_revoked");
}

async fn it_ends_with_its_run(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ASK).await;
    let gateway = caller(&gate, Role::Gateway, None).await;
    let run = RunId::new();
    run_event(&gate, &run, EventType::RunCreated).await;
    let within = NewProxyCredential { run_id: Some(run.to_string()), ..NewProxyCredential::default() };
    let text = mint(&gate, &gateway, within).await;
    let (holder, place) = gate.authenticate_proxy(&text, "r").await.unwrap();
    assert_eq!(place.run_id, Some(run.clone()));
    let leave = || Leave { place: place.clone(), ..tunnel("https://a.test/") };
    let asked = pass(&gate, &holder, leave()).await.unwrap();
    assert_eq!(asked.answer.decision, Outcome::RequireApproval);
    let id = asked.answer.approval_id.unwrap();
    assert_eq!(crate::asks::approval(&gate, &id).await.run_id, Some(run.clone()));
    decide(&gate, &id, "approve", None).await;
    let holder = gate.fresh(holder).await.unwrap();
    let permit = out(&gate, &holder, leave()).await;
    let now = gate.now(&workspace()).await.unwrap();
    assert_eq!(gate.recheck(&now, &permit.admission()).await.unwrap(), Recheck::Stays);
    run_event(&gate, &run, EventType::RunCompleted).await;
    assert!(!enters(&gate, &text).await);
    assert_eq!(gate.recheck(&now, &permit.admission()).await.unwrap(), Recheck::Unauthenticated);
    assert!(matches!(gate.fresh(holder).await, Err(AuthError::Unauthenticated)));
}

async fn nothing_of_it_is_kept(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let gateway = caller(&gate, Role::Gateway, None).await;
    let text = mint(&gate, &gateway, NewProxyCredential::default()).await;
    let (holder, _) = gate.authenticate_proxy(&text, "r").await.unwrap();
    let context = Some(Arc::new(json!({"note": format!("Bearer {text}")})));
    drop(out(&gate, &holder, Leave { context, ..tunnel("https://a.test/") }).await);
    gate.close_gateway().await;
    gate.flush_logs().await;
    gate.store().drained().await;
    let everything = bed.everything();
    let seal = text.rsplit('.').next().unwrap().as_bytes();
    assert!(!everything.windows(seal.len()).any(|window| window == seal));
    let known = holder.principal_id.as_str().as_bytes();
    assert!(everything.windows(known.len()).any(|window| window == known), "the control");
}

mod both {
    crate::bed::on_both!(
        it_asks_as_its_principal_and_only_at_the_proxy,
        who_may_make_which,
        it_ends_with_what_it_was_made_with,
        it_ends_with_its_run,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_credential_is_kept() {
    nothing_of_it_is_kept(&Bed::sqlite()).await;
}
