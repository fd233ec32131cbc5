//! Leases as an external worker sees them: what it may take, how long it has it, and what it can no
//! longer do once another has it.

use std::time::Duration;

use gate::{Caller, EgressInput, GateError};
use model::run::{ReleaseReason, RunStatus, ToolCallStatus};
use model::{Role, RunId};
use runs::{
    ClaimRunsInput, CompleteRunInput, CreateRunInput, CreateStepInput, FailRunInput, FailToolCallInput, HeartbeatInput,
    ReleaseInput, Runs, SucceedToolCallInput, ToolCallInput,
};
use serde_json::json;

use crate::bed::{
    Bed, assert_at_rest, assert_sound, caller, claim, claim_one, code, events, on_both, queued, row, types, workspace,
};
use crate::past::{Over, pass};

fn heartbeat(token: Option<&str>) -> HeartbeatInput {
    HeartbeatInput { claim_token: token.map(str::to_owned) }
}

async fn takes_what_it_asks_for(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let with = |limit, lease_seconds, room_id: Option<&str>| ClaimRunsInput {
        room_id: room_id.map(str::to_owned),
        limit,
        lease_seconds,
    };
    let nothing = runs.claim(&owner, with(Some(100), Some(3_600), None)).await.unwrap();
    assert_eq!((nothing.claimed, nothing.run, nothing.runs.len()), (false, None, 0));
    for bad in [
        with(Some(0), None, None),
        with(Some(101), None, None),
        with(Some(u64::MAX), None, None),
        with(None, Some(0), None),
        with(None, Some(3_601), None),
        with(None, Some(u64::MAX), None),
        with(None, None, Some(" ")),
        with(None, None, Some("a\nb")),
    ] {
        assert_eq!(code(runs.claim(&owner, bad).await), "invalid_request");
    }
    assert_eq!(code(runs.claim(&owner, with(None, None, Some("room_none"))).await), "room_not_found");

    let mut made = Vec::new();
    for n in 0..5 {
        made.push(queued(&runs, &owner, json!({"n": n})).await);
    }
    // One for 30 seconds when nothing is said; the oldest first.
    let first = runs.claim(&owner, ClaimRunsInput::default()).await.unwrap();
    assert_eq!(first.runs.len(), 1);
    let got = first.run.unwrap();
    assert_eq!(
        (&got.run["run_id"], &got.run["status"], &got.run["attempt_no"]),
        (&json!(made[0]), &json!("running"), &json!(1))
    );
    let lease = runs.gate().store().lease(&workspace(), &made[0]).await.unwrap().unwrap();
    assert_eq!((lease.lease_ms, lease.lease_expires_at, lease.epoch), (30_000, got.lease_expires_at, 1));
    assert_eq!((lease.claim_token.as_str(), lease.expiries, lease.failures), (got.claim_token.as_str(), 0, 0));

    let others = claim(&runs, &owner, 3, 3_600).await;
    let ids: Vec<_> = others.iter().map(|run| run.run["run_id"].clone()).collect();
    assert_eq!(ids, [json!(made[1]), json!(made[2]), json!(made[3])]);
    assert_eq!(claim(&runs, &owner, 100, 1).await.len(), 1);
    assert!(claim(&runs, &owner, 100, 1).await.is_empty());
    for run in &made {
        assert_eq!(types(&runs, run).await, ["run.created", "run.started"]);
    }
    assert_sound(bed, &runs).await;
}

async fn takes_of_its_room_and_workspace_only(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let mut rooms = Vec::new();
    for title in ["a", "b"] {
        let room = gate::rooms::CreateRoomInput { title: Some(title.to_owned()), ..Default::default() };
        rooms.push(runs.gate().create_room(&owner, room, None).await.unwrap().value.room_id);
    }
    let mut made: Vec<RunId> = Vec::new();
    for room in [None, Some(&rooms[0]), Some(&rooms[1]), Some(&rooms[0])] {
        let input = CreateRunInput { room_id: room.map(ToString::to_string), ..CreateRunInput::default() };
        made.push(runs.create(&owner, input, None).await.unwrap().value.run_id);
    }
    let foreign = crate::bed::caller_in(&runs, "ws_other", Role::Owner).await;
    assert!(claim(&runs, &foreign, 100, 60).await.is_empty(), "another workspace's runs are not seen");
    let of = |room: &model::RoomId| ClaimRunsInput {
        room_id: Some(room.to_string()),
        limit: Some(100),
        lease_seconds: Some(60),
    };
    assert_eq!(code(runs.claim(&foreign, of(&rooms[0])).await), "room_not_found");
    let got = runs.claim(&owner, of(&rooms[0])).await.unwrap().runs;
    let ids: Vec<_> = got.iter().map(|run| run.run["run_id"].clone()).collect();
    assert_eq!(ids, [json!(made[1]), json!(made[3])]);
    // What is over in one room is not another's to take.
    pass(&runs, &[&made[1].clone()], Over::Lease).await;
    let other = runs.claim(&owner, of(&rooms[1])).await.unwrap().runs;
    assert_eq!(other.iter().map(|run| run.run["run_id"].clone()).collect::<Vec<_>>(), [json!(made[2])]);
    let again = runs.claim(&owner, of(&rooms[0])).await.unwrap().runs;
    assert_eq!((again.len(), &again[0].run["attempt_no"]), (1, &json!(2)));
    assert_eq!(claim(&runs, &owner, 100, 60).await.len(), 1, "the one in no room");
    assert_sound(bed, &runs).await;
}

async fn a_heartbeat_prolongs(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({})).await;
    let beat = |token: Option<&str>| runs.heartbeat(&owner, run.as_str(), heartbeat(token));
    assert_eq!(code(beat(None).await), "run_not_running", "nobody has it yet");
    let taken = claim(&runs, &owner, 1, 5).await.remove(0);
    let token = taken.claim_token.as_str();
    assert_eq!(code(beat(None).await), "lease_token_mismatch");
    for wrong in ["", "nonsense", "ct_00000000000000000000000000"] {
        assert_eq!(code(beat(Some(wrong)).await), "lease_token_mismatch");
    }
    // Longer than one lease.
    let mut before = taken.lease_expires_at;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2_000)).await;
        let kept = beat(Some(token)).await.unwrap();
        assert!(kept.ok && kept.lease_expires_at > before);
        before = kept.lease_expires_at;
    }
    assert!(claim(&runs, &owner, 10, 1).await.is_empty(), "nobody else gets it meanwhile");
    let done = CompleteRunInput { claim_token: Some(token.to_owned()), ..CompleteRunInput::default() };
    runs.complete(&owner, run.as_str(), done).await.unwrap();
    assert_eq!(code(beat(Some(token)).await), "run_not_running");
    assert_eq!(code(runs.heartbeat(&owner, "run_none", heartbeat(None)).await), "run_not_found");
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

/// Every write that a worker can make into a run, with what it is told.
async fn writes(runs: &Runs, who: &Caller, at: &At, token: &str) -> Vec<(&'static str, &'static str)> {
    fn told<T>(outcome: Result<T, GateError>) -> &'static str {
        match outcome {
            Ok(_) => "ok",
            Err(GateError::Refused(refusal)) => refusal.code,
            Err(other) => panic!("{other:?} is no answer"),
        }
    }
    let (run, token) = (at.run.as_str(), Some(token.to_owned()));
    let step = CreateStepInput { kind: Some("late".to_owned()), claim_token: token.clone(), ..Default::default() };
    let call = ToolCallInput {
        tool_name: Some("runtime.noop".to_owned()),
        claim_token: token.clone(),
        ..ToolCallInput::default()
    };
    let left = EgressInput {
        target_url: Some("https://example.com/".to_owned()),
        action: Some("internal.read".to_owned()),
        run_id: Some(run.to_owned()),
        claim_token: token.clone(),
        ..EgressInput::default()
    };
    let well = SucceedToolCallInput { claim_token: token.clone(), ..SucceedToolCallInput::default() };
    let badly = FailToolCallInput { claim_token: token.clone(), ..FailToolCallInput::default() };
    let back = ReleaseInput { claim_token: token.clone(), ..ReleaseInput::default() };
    let failed = FailRunInput { claim_token: token.clone(), ..FailRunInput::default() };
    let done = CompleteRunInput { claim_token: token.clone(), ..CompleteRunInput::default() };
    vec![
        ("heartbeat", told(runs.heartbeat(who, run, heartbeat(token.as_deref())).await)),
        ("step", told(runs.create_step(who, run, step, None).await)),
        ("call", told(runs.call_tool(who, &at.step, call, None).await)),
        ("egress", told(runs.gate().request_egress(who, left, None).await)),
        ("succeed", told(runs.succeed_tool_call(who, &at.calls[0], well).await)),
        ("fail a call", told(runs.fail_tool_call(who, &at.calls[1], badly).await)),
        ("release", told(runs.release(who, run, back).await)),
        ("fail", told(runs.fail(who, run, failed).await)),
        ("complete", told(runs.complete(who, run, done).await)),
    ]
}

/// A run, a step in it, and two tool calls that run.
struct At {
    run: RunId,
    step: String,
    calls: [String; 2],
}

async fn busy(runs: &Runs, who: &Caller, token: &str, run: RunId) -> At {
    let step =
        CreateStepInput { kind: Some("work".to_owned()), claim_token: Some(token.to_owned()), ..Default::default() };
    let step = runs.create_step(who, run.as_str(), step, None).await.unwrap().value.step_id.to_string();
    let call = || async {
        let input = ToolCallInput {
            tool_name: Some("runtime.noop".to_owned()),
            claim_token: Some(token.to_owned()),
            ..ToolCallInput::default()
        };
        runs.call_tool(who, &step, input, None).await.unwrap().value.tool_call_id.unwrap().to_string()
    };
    let calls = [call().await, call().await];
    At { run, step, calls }
}

async fn a_lease_that_is_over_is_over(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({})).await;
    let taken = claim(&runs, &owner, 1, 3).await.remove(0);
    let at = busy(&runs, &owner, taken.claim_token.as_str(), run.clone()).await;
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    let before = events(&runs, &run).await.len();
    for (write, told) in writes(&runs, &owner, &at, taken.claim_token.as_str()).await {
        assert_eq!(told, "lease_expired", "{write}");
    }
    for (write, told) in writes(&runs, &owner, &at, "nonsense").await {
        assert_eq!(told, "lease_token_mismatch", "{write}");
    }
    assert_eq!(events(&runs, &run).await.len(), before, "nothing was written");
    assert_eq!(row(&runs, &run).await.status, RunStatus::Running);
    assert_sound(bed, &runs).await;
}

async fn what_a_worker_left_another_takes_and_the_first_is_shut_out(bed: &Bed) {
    let runs = bed.runs().await;
    let (first, second) = (caller(&runs, Role::Worker).await, caller(&runs, Role::Worker).await);
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({})).await;
    let old = claim_one(&runs, &first).await;
    let at = busy(&runs, &first, &old, run.clone()).await;
    assert!(claim(&runs, &second, 10, 60).await.is_empty(), "the control: it is the first one's");
    pass(&runs, &[&run], Over::Lease).await;
    let got = claim(&runs, &second, 10, 60).await.remove(0);
    assert_eq!(got.run["attempt_no"], json!(2));
    assert_ne!(got.claim_token.as_str(), old);
    let list = events(&runs, &run).await;
    let after: Vec<_> = list[5..].iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(after, ["tool.failed", "tool.failed", "run.lease_expired", "run.started"]);
    assert_eq!(list[5].data.to_value()["error"], json!({"source": "runs", "code": "lease_expired"}));
    assert_eq!(list[7].data.to_value()["attempt_no"], json!(1));
    for (call, event) in at.calls.iter().zip(&list[3..5]) {
        let failed = list[5..7].iter().find(|e| e.data.to_value()["tool_call_id"] == json!(call)).unwrap();
        assert_eq!(failed.causation_id.as_ref(), Some(&event.event_id), "each follows its call's last event");
    }
    assert_eq!(list[8].causation_id.as_ref(), Some(&list[7].event_id));

    let count = list.len();
    for (write, told) in writes(&runs, &first, &at, &old).await {
        let want =
            if matches!(write, "succeed" | "fail a call") { "tool_call_not_running" } else { "lease_token_mismatch" };
        assert_eq!(told, want, "{write}");
    }
    assert_eq!(events(&runs, &run).await.len(), count, "nothing was written");

    // The control: the same writes by who has it now.
    let token = got.claim_token.as_str();
    let mine = busy(&runs, &second, token, run.clone()).await;
    for (write, told) in writes(&runs, &first, &mine, &old).await {
        assert_eq!(told, "lease_token_mismatch", "{write}");
    }
    let told: Vec<_> = writes(&runs, &second, &mine, token).await;
    assert!(told[..7].iter().all(|(_, told)| *told == "ok"), "{told:?}");
    // Given back, it is nobody's: the token is no good any more.
    assert_eq!((told[7].1, told[8].1), ("lease_token_mismatch", "lease_token_mismatch"));

    let store = runs.gate().store();
    let attempts = store.attempts(&workspace(), &run, 2).await.unwrap();
    let ends: Vec<_> = attempts.iter().map(|attempt| (attempt.attempt_no, attempt.release_reason)).collect();
    assert_eq!(ends, [(1, Some(ReleaseReason::Expired)), (2, Some(ReleaseReason::Released))]);
    assert_eq!(attempts[0].claimed_by_actor_id, first.actor().id);
    let call = model::ToolCallId::parse(&at.calls[0]).unwrap();
    assert_eq!(store.tool_call(&workspace(), &call).await.unwrap().unwrap().status, ToolCallStatus::Failed);
    assert_sound(bed, &runs).await;
}

/// Of two that end one tool call at the same time, one does.
async fn a_tool_call_ends_once(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({})).await;
    let token = claim_one(&runs, &owner).await;
    for round in 0..25 {
        let at = busy(&runs, &owner, &token, run.clone()).await;
        let well = SucceedToolCallInput { output: Some(json!({"round": round})), claim_token: Some(token.clone()) };
        let badly = FailToolCallInput { claim_token: Some(token.clone()), ..FailToolCallInput::default() };
        let (well, badly) = tokio::join!(
            runs.succeed_tool_call(&owner, &at.calls[0], well),
            runs.fail_tool_call(&owner, &at.calls[0], badly)
        );
        assert_eq!(usize::from(well.is_ok()) + usize::from(badly.is_ok()), 1);
        let won = if well.is_ok() { "succeeded" } else { "failed" };
        let lost = if well.is_ok() { badly } else { well };
        assert_eq!(code(lost), "tool_call_not_running");
        let id = model::ToolCallId::parse(&at.calls[0]).unwrap();
        let stored = runs.gate().store().tool_call(&workspace(), &id).await.unwrap().unwrap();
        assert_eq!(stored.status.as_str(), won);
        // The other call of the step still runs, and so does the step.
        let step = runs.gate().store().step(&workspace(), &model::StepId::parse(&at.step).unwrap()).await.unwrap();
        assert_eq!(step.unwrap().status.as_str(), "running");
    }
    let ended = types(&runs, &run).await.into_iter().filter(|t| t == "tool.succeeded" || t == "tool.failed").count();
    assert_eq!(ended, 25);
    let done = CompleteRunInput { claim_token: Some(token), ..CompleteRunInput::default() };
    runs.complete(&owner, run.as_str(), done).await.unwrap();
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(
        takes_what_it_asks_for,
        takes_of_its_room_and_workspace_only,
        a_heartbeat_prolongs,
        a_lease_that_is_over_is_over,
        what_a_worker_left_another_takes_and_the_first_is_shut_out,
        a_tool_call_ends_once,
    );
}
