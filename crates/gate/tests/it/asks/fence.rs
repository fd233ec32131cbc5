//! While a worker has a run, requests to leave that are part of it need the worker's token.

use gate::{Caller, EgressInput, Gate};
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, ActorType, Canonical, ClaimToken, Role, RunId, Time};
use store::rows::LeaseRow;
use store::{Reads, Tx};

use super::{Change, context, events};
use crate::bed::{Bed, assert_sound, caller, code, first, once, refusal, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(who_has_the_run_may_and_nobody_else, a_token_is_for_its_own_run, text_that_is_no_token_never_matches);
}

/// A run in the store, made by nobody in particular.
async fn run(gate: &Gate) -> RunId {
    let run = RunId::new();
    let context = EventContext { run_id: Some(run.clone()), ..context(None) };
    let change = Change {
        reads: |reads: &mut Reads| {
            reads.stream(Stream::of(&workspace(), None));
            reads.actor(&workspace(), &Actor::new(ActorType::User, "human"));
        },
        settle: move |tx: &mut Tx<'_>| {
            tx.append(&context, EventDraft::new(EventType::RunCreated, Canonical::empty()));
        },
    };
    assert!(gate.store().submit(change).await.is_ok());
    run
}

/// Lets a worker have the run until then; none = nobody has it any more.
async fn lease(gate: &Gate, run: &RunId, until: Option<(ClaimToken, i64)>) {
    let run = run.clone();
    let of = run.clone();
    let change = Change {
        reads: move |reads: &mut Reads| reads.row::<LeaseRow>(&[of.as_str()]),
        settle: move |tx: &mut Tx<'_>| match &until {
            None => tx.remove::<LeaseRow>(&[run.as_str()]),
            Some((token, ms)) => tx.put(LeaseRow {
                run_id: run.clone(),
                workspace_id: workspace(),
                room_id: None,
                epoch: 1,
                claim_token: token.clone(),
                claimed_by_actor_id: "worker".to_owned(),
                lease_ms: 60_000,
                lease_expires_at: Time::from_millis(tx.now().as_millis() + ms),
                lease_heartbeat_at: tx.now(),
                times_out_at: None,
                expiries: 0,
                failures: 0,
            }),
        },
    };
    assert!(gate.store().submit(change).await.is_ok());
}

fn to(run: &RunId, token: Option<&str>) -> EgressInput {
    EgressInput {
        target_url: Some("https://example.com/".to_owned()),
        action: Some("internal.read".to_owned()),
        run_id: Some(run.to_string()),
        claim_token: token.map(str::to_owned),
        ..EgressInput::default()
    }
}

/// What is written about the workspace: events, requests, approvals.
async fn written(gate: &Gate) -> (usize, usize) {
    let requests = gate.store().egress_requests(&workspace(), &Default::default(), None, 100).await.unwrap();
    (events(gate).await.len(), requests.len())
}

async fn asked(gate: &Gate, worker: &Caller, run: &RunId, token: Option<&str>) -> &'static str {
    let before = written(gate).await;
    let outcome = gate.request_egress(worker, to(run, token), None).await;
    match outcome {
        Ok(answered) => {
            assert!(!answered.value.blocked);
            assert_eq!(written(gate).await, (before.0 + 2, before.1 + 1));
            "ok"
        }
        outcome => {
            let refusal = refusal(outcome);
            assert_eq!(written(gate).await, before, "nothing is written");
            refusal.code
        }
    }
}

async fn who_has_the_run_may_and_nobody_else(bed: &Bed) {
    let gate = bed.gate().await;
    let worker = caller(&gate, Role::Worker, None).await;
    let run = run(&gate).await;
    let (token, other) = (ClaimToken::new(), ClaimToken::new());
    assert_eq!(asked(&gate, &worker, &run, None).await, "ok", "nobody has it: anybody may");
    assert_eq!(asked(&gate, &worker, &run, Some(token.as_str())).await, "lease_token_mismatch");

    lease(&gate, &run, Some((token.clone(), 60_000))).await;
    assert_eq!(asked(&gate, &worker, &run, None).await, "lease_token_mismatch");
    assert_eq!(asked(&gate, &worker, &run, Some(other.as_str())).await, "lease_token_mismatch");
    assert_eq!(asked(&gate, &worker, &run, Some(token.as_str())).await, "ok");
    let told = refusal(gate.request_egress(&worker, to(&run, None), None).await);
    assert_eq!((told.kind, told.field.as_deref()), (gate::RefusalKind::Conflict, Some("/claim_token")));

    // Its time passes, and another gets it.
    lease(&gate, &run, Some((token.clone(), 0))).await;
    assert_eq!(asked(&gate, &worker, &run, Some(token.as_str())).await, "lease_expired");
    assert_eq!(asked(&gate, &worker, &run, None).await, "lease_token_mismatch");
    lease(&gate, &run, Some((other.clone(), 60_000))).await;
    assert_eq!(asked(&gate, &worker, &run, Some(token.as_str())).await, "lease_token_mismatch");
    assert_eq!(asked(&gate, &worker, &run, Some(other.as_str())).await, "ok");
    lease(&gate, &run, None).await;
    assert_eq!(asked(&gate, &worker, &run, Some(other.as_str())).await, "lease_token_mismatch");
    assert_eq!(asked(&gate, &worker, &run, None).await, "ok");
    assert_sound(bed, &gate).await;
}

async fn a_token_is_for_its_own_run(bed: &Bed) {
    let gate = bed.gate().await;
    let worker = caller(&gate, Role::Worker, None).await;
    let runs = [run(&gate).await, run(&gate).await];
    let tokens = [ClaimToken::new(), ClaimToken::new()];
    for (run, token) in runs.iter().zip(&tokens) {
        lease(&gate, run, Some((token.clone(), 60_000))).await;
    }
    assert_eq!(asked(&gate, &worker, &runs[0], Some(tokens[1].as_str())).await, "lease_token_mismatch");
    assert_eq!(asked(&gate, &worker, &runs[0], Some(tokens[0].as_str())).await, "ok");
    // A request that is part of no run needs none, and shows none that counts.
    let alone = EgressInput { run_id: None, ..to(&runs[0], Some(tokens[1].as_str())) };
    first(gate.request_egress(&worker, alone, None).await);
    // An answer that was given comes again, also after the lease.
    let key = || once(&worker, "k1", "b1");
    let one = first(gate.request_egress(&worker, to(&runs[0], Some(tokens[0].as_str())), key()).await);
    lease(&gate, &runs[0], None).await;
    let again = gate.request_egress(&worker, to(&runs[0], Some(tokens[0].as_str())), key()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.value, one);
    let fresh = gate.request_egress(&worker, to(&runs[0], Some(tokens[0].as_str())), None).await;
    assert_eq!(code(fresh), "lease_token_mismatch", "the control: a new one is refused");
}

async fn text_that_is_no_token_never_matches(bed: &Bed) {
    let gate = bed.gate().await;
    let worker = caller(&gate, Role::Worker, None).await;
    let run = run(&gate).await;
    let token = ClaimToken::new();
    lease(&gate, &run, Some((token.clone(), 60_000))).await;
    let long = "x".repeat(100_000);
    for text in ["", " ", "null", "%", "'", &token.as_str().to_uppercase()[..10], &long] {
        assert_eq!(asked(&gate, &worker, &run, Some(text)).await, "lease_token_mismatch", "{text:.20}");
    }
    assert_eq!(asked(&gate, &worker, &run, Some(token.as_str())).await, "ok");
}
