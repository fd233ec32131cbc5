//! Runs that agents made act as these agents, whatever their input says or leaves out.

use gate::agents::{QuarantineAgentInput, RegisterAgentInput};
use gate::{Caller, NewKey};
use model::Role;
use model::run::RunStatus;
use runs::{CreateRunInput, Runs};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::bed::{
    Bed, assert_at_rest, assert_sound, caller, code, cycle, error, events, on_both, queued, row, workspace,
};

/// A registered agent: its id, and itself as a caller.
async fn agent(runs: &Runs, owner: &Caller) -> (String, Caller) {
    let named = RegisterAgentInput { display_name: Some("Scout".to_owned()), zone_max: None };
    let agent = runs.gate().register_agent(owner, named, None).await.unwrap().value;
    let new = NewKey {
        workspace_id: Some(workspace()),
        role: Role::Agent,
        principal_id: Some(agent.principal_id),
        expires_at: None,
    };
    let key = gate::create_key(runs.gate().store(), new).await.unwrap();
    let caller = runs.gate().authenticate(key.key.expose_secret(), None, "req_1").await.unwrap();
    (agent.agent_id.to_string(), caller)
}

fn inputs() -> [Value; 3] {
    [
        json!({}),
        json!({"runtime": {"egress": {"target_url": "https://example.com/x"}}}),
        json!({"runtime": {"steps": [{"tool": "runtime.noop"}], "policy": {"principal_id": 7}}}),
    ]
}

async fn a_quarantined_agents_run_is_denied_though_it_names_nobody(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let (id, scout) = agent(&runs, &owner).await;
    let mut before = Vec::new();
    for input in inputs() {
        before.push(queued(&runs, &scout, input).await);
    }
    assert_eq!(cycle(&runs).await.completed, 3, "the control: in good standing its runs succeed");

    let mut after = Vec::new();
    for input in inputs() {
        after.push(queued(&runs, &scout, input).await);
    }
    // The owner's runs are not the agent's.
    let others = queued(&runs, &owner, json!({})).await;
    let because = QuarantineAgentInput { quarantine_reason: Some("odd".to_owned()) };
    runs.gate().quarantine_agent(&owner, &id, because).await.unwrap();
    let done = cycle(&runs).await;
    assert_eq!((done.completed, done.failed), (1, 3));
    for run in &after {
        let error = error(&runs, run).await;
        assert_eq!((&error["reason_code"], &error["stage"]), (&json!("agent_quarantined"), &json!("tool_policy")));
        let types: Vec<_> = events(&runs, run).await.into_iter().map(|event| event.event_type).collect();
        assert!(!types.iter().any(|name| name.starts_with("egress.")), "{types:?}");
    }
    assert_eq!(row(&runs, &others).await.status, RunStatus::Succeeded);

    runs.gate().unquarantine_agent(&owner, &id).await.unwrap();
    queued(&runs, &scout, json!({})).await;
    assert_eq!(cycle(&runs).await.completed, 1);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn an_agents_run_speaks_for_nobody_else(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let (_, scout) = agent(&runs, &owner).await;
    let make = |policy: Value| CreateRunInput {
        input: Some(json!({"runtime": {"policy": policy}})),
        ..CreateRunInput::default()
    };
    for policy in [
        json!({"principal_id": owner.principal_id}),
        json!({"principal_id": "nobody"}),
        json!({"zone": "high_stakes"}),
        json!({"zone": " high_stakes "}),
    ] {
        assert_eq!(code(runs.create(&scout, make(policy), None).await), "identity_not_permitted");
    }
    for policy in [json!({"principal_id": scout.principal_id}), json!({"zone": "supervised"}), json!({"zone": "moon"})]
    {
        runs.create(&scout, make(policy), None).await.unwrap();
    }
    assert_eq!(cycle(&runs).await.completed, 3);
    assert_at_rest(&runs).await;
}

mod both {
    use super::on_both;
    on_both!(a_quarantined_agents_run_is_denied_though_it_names_nobody, an_agents_run_speaks_for_nobody_else);
}
