//! The decision and its naive reference say the same for random snapshots and asks: 1,280 worlds of
//! 16 asks each. Few ids, so that records really meet.

use std::sync::Arc;

use model::approval::{ApprovalScope, ScopeKind};
use model::ask::{CONNECT, DataSubject, EgressSubject, Subject, Tunnel};
use model::capability::{Caveat, DataCaveat, Narrowing};
use model::decision::RuleId;
use model::decision::{Step, Verdict};
use model::scope::DataScopes;
use model::*;
use policy::*;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::reference::{Expected, reference};
use crate::world::{World, action, at, id};

fn name<T: TryFrom<String> + std::fmt::Debug + Clone + 'static>(
    names: &'static [&'static str],
) -> impl Strategy<Value = T> {
    select(names).prop_map(id)
}

const ROOMS: &[&str] = &["room_a", "room_b"];
const RUNS: &[&str] = &["run_a", "run_b"];
const PRINCIPALS: &[&str] = &["p_0", "p_1", "p_2"];
const TOKENS: &[&str] = &["t_0", "t_1", "t_2", "t_3", "t_4", "t_5"];
const APPROVALS: &[&str] = &["ap_0", "ap_1", "ap_2", "ap_3", "ap_4", "ap_5", "ap_6", "ap_7", "ap_8"];
const HOSTS: &[&str] = &["example.com", "api.example.com", "8.8.8.8", "10.0.0.1", "::1"];
const PORTS: &[u16] = &[80, 443, 8443];
const TOOLS: &[&str] = &["grep", "sed"];
const ACTIONS: &[&str] = &["external.write", "external.read", "email.send", "note", "data.read", "data.write"];
const PURPOSES: &[&str] = &["support", "billing"];
const DIGESTS: &[&str] = &["d_0", "d_1"];

fn text(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(names).prop_map(str::to_owned)
}

/// Mostly one workspace, or there would be little to decide.
fn workspace() -> impl Strategy<Value = WorkspaceId> {
    prop_oneof![9 => Just("ws_a"), 1 => Just("ws_b")].prop_map(id)
}

fn home() -> impl Strategy<Value = Option<WorkspaceId>> {
    prop_oneof![2 => Just(None), 5 => Just(Some("ws_a")), 1 => Just(Some("ws_b"))].prop_map(|ws| ws.map(id))
}

fn seldom<T: std::fmt::Debug + Clone>(inner: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    option::weighted(0.12, inner)
}

fn time() -> impl Strategy<Value = Time> {
    (0_i64..8).prop_map(at)
}

fn actor() -> impl Strategy<Value = Actor> {
    (select(ActorType::ALL), text(&["ag_0", "ag_1", "ag_2"])).prop_map(|(kind, id)| Actor { kind, id })
}

fn scope_list(names: &'static [&'static str]) -> impl Strategy<Value = std::collections::BTreeSet<String>> {
    prop_oneof![4 => Just(std::iter::once("*".to_owned()).collect()), 4 => btree_set(text(names), 0..4)]
}

prop_compose! {
    fn scopes()(
        rooms in scope_list(ROOMS),
        tools in scope_list(TOOLS),
        egress_domains in scope_list(&["example.com", "*.example.com", "8.8.8.8", "*.com", "ample.com"]),
        action_types in scope_list(&["external.write", "External.Read", "email.send", "note"]),
        read in scope_list(&["room:room_a", "document", "resource_type:image", "resource:document:x", "resource:image:x"]),
        write in scope_list(&["room:room_b", "image", "resource_type:document", "resource:document:x"]),
    ) -> TokenScopes {
        TokenScopes { rooms, tools, egress_domains, action_types, data_access: DataScopes { read, write } }
    }
}

prop_compose! {
    fn token()(
        token_id in name(TOKENS),
        workspace_id in workspace(),
        issued_to in name(PRINCIPALS),
        parent in option::weighted(0.6, name(TOKENS)),
        scopes in scopes(),
        valid_until in seldom(time()),
        revoked_at in seldom(time()),
    ) -> Token {
        Token { token_id, workspace_id, issued_to, parent, scopes, valid_until, revoked_at }
    }
}

prop_compose! {
    fn principal()(
        principal_id in name(PRINCIPALS),
        workspace_id in home(),
        kind in select(ActorType::ALL),
        legacy in option::of(actor()),
        revoked_at in seldom(time()),
    ) -> Principal {
        Principal { principal_id, workspace_id, kind, legacy, revoked_at }
    }
}

prop_compose! {
    // An agent keeps its principal: the store has at most one agent for each.
    fn agent()(
        n in 0_usize..3,
        workspace_id in home(),
        revoked_at in seldom(time()),
        quarantined_at in seldom(time()),
    ) -> Agent {
        Agent {
            agent_id: id(&format!("ag_{n}")),
            name: format!("agent {n}").into(),
            principal_id: id(&format!("p_{n}")),
            workspace_id,
            zone_max: Zone::Supervised,
            revoked_at,
            quarantined_at,
        }
    }
}

prop_compose! {
    fn approval()(
        n in 0_usize..APPROVALS.len(),
        of in select(ACTIONS),
        kind in select(ScopeKind::ALL),
        room_id in option::of(name(ROOMS)),
        run_id in option::of(name(RUNS)),
        target_domain in seldom(text(HOSTS)),
        port in seldom(select(PORTS)),
        method in seldom(text(&["GET", "POST", "CONNECT"])),
        principal_id in seldom(name(PRINCIPALS)),
        tool_name in seldom(text(TOOLS)),
        ask_digest in option::of(text(DIGESTS)),
        expires_at in option::of(time()),
    ) -> Approval {
        Approval {
            approval_id: id(APPROVALS[n]),
            // An approval keeps its workspace.
            workspace_id: id(if n % 5 == 4 { "ws_b" } else { "ws_a" }),
            action: action(of),
            scope: ApprovalScope { kind, room_id, run_id, target_domain, port, method, principal_id, tool_name },
            ask_digest,
            expires_at,
        }
    }
}

prop_compose! {
    fn entry()(
        of in select(ACTIONS),
        workspace_id in home(),
        reversible in any::<bool>(),
        zone_required in select(Zone::ALL),
        requires_pre_approval in any::<bool>(),
    ) -> RegistryEntry {
        RegistryEntry { action: action(of), workspace_id, reversible, zone_required, requires_pre_approval, post_review_required: false }
    }
}

prop_compose! {
    fn settings()(
        mode in option::of(select(Mode::ALL)),
        kill_switch in prop::bool::weighted(0.2),
        default_decision in option::of(select(&[DefaultDecision::Allow, DefaultDecision::Deny][..])),
        egress_max_requests_per_hour in option::of(0_u64..3),
        require_capability_token in prop::bool::weighted(0.1),
    ) -> Settings {
        Settings { mode, kill_switch, default_decision, egress_max_requests_per_hour, require_capability_token }
    }
}

fn sound_principal(n: usize) -> Principal {
    Principal {
        principal_id: id(&format!("p_{n}")),
        workspace_id: (n > 0).then(|| id("ws_a")),
        kind: ActorType::Agent,
        legacy: Some(Actor::new(ActorType::User, format!("ag_{n}"))),
        revoked_at: None,
    }
}

fn sound_agent(n: usize) -> Agent {
    Agent {
        agent_id: id(&format!("ag_{n}")),
        name: format!("agent {n}").into(),
        workspace_id: (n > 0).then(|| id("ws_a")),
        principal_id: id(&format!("p_{n}")),
        zone_max: Zone::Supervised,
        revoked_at: None,
        quarantined_at: None,
    }
}

/// Tokens 3 to 5 are delegated from 0 to 2, of the same principal.
fn sound_token(n: usize) -> Token {
    let parent = n.checked_sub(3).map(|parent| format!("t_{parent}"));
    Token {
        token_id: id(TOKENS[n]),
        issued_to: id(&format!("p_{}", n % 3)),
        ..crate::world::token("t", parent.as_deref())
    }
}

fn rule_verdict() -> impl Strategy<Value = RuleVerdict> {
    let ids = || vec(text(&["r_0", "r_1"]).prop_map(RuleId::from), 0..2);
    prop_oneof![
        2 => Just(RuleVerdict::Silent),
        2 => ids().prop_map(RuleVerdict::Allow),
        1 => ids().prop_map(RuleVerdict::Ask),
        1 => ids().prop_map(RuleVerdict::Deny),
        1 => ids().prop_map(RuleVerdict::Unevaluable),
    ]
}

prop_compose! {
    fn defaults()(kill_switch in prop::bool::weighted(0.1), egress_max_requests_per_hour in 0_u64..3) -> Defaults {
        Defaults { mode: Mode::Shadow, kill_switch, egress_max_requests_per_hour, trusted_upstreams: Vec::new() }
    }
}

prop_compose! {
    fn world()(
        defaults in defaults(),
        more_principals in vec(principal(), 0..3),
        more_agents in vec(agent(), 0..3),
        more_tokens in vec(token(), 0..6),
        approvals in vec(approval(), 0..20),
        removed in vec(0_usize..APPROVALS.len(), 0..2),
        registry in vec(entry(), 0..6),
        settings in vec((workspace(), settings()), 0..3),
        rules in vec((workspace(), rule_verdict()), 0..2),
    ) -> World {
        let of = |n: usize| id(if n % 5 == 4 { "ws_b" } else { "ws_a" });
        // First everything as it should be, then what replaces parts of it.
        let principals = (0..3).map(sound_principal).chain(more_principals).collect();
        let agents = (0..3).map(sound_agent).chain(more_agents).collect();
        let tokens = (0..6).map(sound_token).chain(more_tokens).collect();
        let removed = removed.into_iter().map(|n| (of(n), id(APPROVALS[n]))).collect();
        World { defaults, principals, agents, tokens, approvals, removed, registry, settings, rules }
    }
}

prop_compose! {
    fn document()(
        resource_type in text(&["document", "image"]),
        resource_id in text(&["x", "y"]),
        label in select(Label::ALL),
        resource_room in option::of(name(ROOMS)),
        resource_purposes in btree_set(text(PURPOSES), 0..2),
        purposes in btree_set(text(PURPOSES), 0..2),
        justification in option::of(Just("because".to_owned())),
    ) -> DataSubject {
        DataSubject { resource_type, resource_id, label, resource_room, resource_purposes, purposes, justification }
    }
}

fn egress() -> impl Strategy<Value = Subject> {
    let host = option::weighted(0.9, text(HOSTS));
    let method = option::of(text(&["GET", "POST"]));
    let credentials = prop_oneof![9 => Just(vec![]), 1 => Just(vec!["a key".to_owned()])];
    (host, option::of(select(PORTS)), method, option::weighted(0.3, select(Tunnel::ALL)), credentials).prop_map(
        |(host, port, method, tunnel, credentials)| {
            let url = host.as_ref().zip(port).map(|(h, port)| {
                if h.contains(':') { format!("http://[{h}]:{port}/") } else { format!("http://{h}:{port}/") }
            });
            let target = url.map(|url| TargetUrl::parse(&url).unwrap());
            let method = if tunnel.is_some() { Some(CONNECT.to_owned()) } else { method };
            Subject::Egress(EgressSubject { target, target_domain: host, method, tunnel, credentials })
        },
    )
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        option::weighted(0.9, text(TOOLS)).prop_map(|tool_name| Subject::ToolCall { tool_name, input: None }),
        document().prop_map(Subject::DataAccess),
        option::of(text(HOSTS)).prop_map(|target_domain| Subject::Action { target_domain }),
        egress(),
        egress(),
    ]
}

fn some_list(names: &'static [&'static str]) -> impl Strategy<Value = Option<std::collections::BTreeSet<String>>> {
    option::weighted(0.3, scope_list(names))
}

prop_compose! {
    fn caveat()(
        rooms in some_list(ROOMS),
        tools in some_list(TOOLS),
        egress_domains in some_list(&["example.com", "*.example.com", "8.8.8.8", "*.com"]),
        action_types in some_list(&["external.write", "External.Read", "email.send", "note"]),
        read in some_list(&["room:room_a", "document", "resource_type:image", "resource:document:x"]),
        write in some_list(&["room:room_b", "image", "resource_type:document"]),
        run in seldom(name(RUNS)),
        zone in seldom(select(Zone::ALL)),
        expires_at in seldom(time()),
        uses in seldom(0_u64..3),
    ) -> Caveat {
        let data_access = (read.is_some() || write.is_some()).then_some(DataCaveat { read, write });
        Caveat { action_types, data_access, egress_domains, expires_at, id: None, rooms, run, tools, uses, zone }
    }
}

fn narrowing() -> impl Strategy<Value = Narrowing> {
    vec(caveat(), 1..4).prop_map(Narrowing::from)
}

prop_compose! {
    fn ask()(
        workspace_id in workspace(),
        of in select(ACTIONS),
        actor in actor(),
        principal in option::weighted(0.85, select(PRINCIPALS)),
        stranger in prop::bool::weighted(0.15),
        foreign_token in prop::bool::weighted(0.15),
        token in option::weighted(0.7, select(TOKENS)),
        narrowing in option::weighted(0.35, narrowing()),
        token_required in prop::bool::weighted(0.1),
        zone in option::of(select(Zone::ALL)),
        room_id in option::of(name(ROOMS)),
        run_id in option::of(name(RUNS)),
        subject in subject(),
        ask_digest in option::of(text(DIGESTS)),
    ) -> Ask {
        // Most agents name the principal that they are.
        let own = format!("p_{}", &actor.id[3..]);
        let principal_id = principal.map(|p| id(if stranger { p } else { &own }));
        let own = format!("t_{}", &actor.id[3..]);
        let capability_token_id = token.map(|t| id(if foreign_token || t > "t_3" { t } else { &own }));
        Ask {
            workspace_id, action: action(of), actor, principal_id, capability_token_id, token_required, zone,
            room_id, thread_id: None, run_id, step_id: None, subject, ask_digest,
            narrowing: narrowing.map(Arc::new),
        }
    }
}

fn seen(decision: &Decision) -> Expected {
    let spoken = |step: &model::decision::TraceStep| match &step.verdict {
        Verdict::Decided { outcome, reason_code } => Some((step.step, *outcome, *reason_code)),
        Verdict::Lifted { .. } => Some((step.step, Outcome::Allow, ReasonCode::ApprovalAllowsAction)),
        Verdict::Passed | Verdict::Skipped => None,
    };
    Expected {
        outcome: decision.outcome,
        reason: decision.reason_code,
        approval: decision.approval.clone().map(|used| (used.approval_id, used.once)),
        quota_limit: decision.quota_limit,
        always_enforced: decision.always_enforced,
        rules: decision.rules.clone(),
        spoken: decision.trace.iter().filter_map(spoken).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_280, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decides_as_the_reference_does(
        world in world(),
        asks in vec((ask(), time(), vec(name(APPROVALS), 0..2)), 16),
    ) {
        let snapshot = world.snapshot_watched(|so_far| {
            for (ask, now, _) in &asks {
                let _ = decide(so_far, ask, *now, &[]);
            }
        });
        for (ask, now, without) in &asks {
            let decision = decide(&snapshot, ask, *now, without);
            prop_assert_eq!(seen(&decision), reference(&world, ask, *now, without), "{:?}", ask);
            prop_assert!(decision.trace.iter().map(|each| each.step).eq(Step::ALL.iter().copied()));
            let said = world.rules.iter().rfind(|(ws, _)| *ws == ask.workspace_id).map(|(_, said)| said.clone());
            let settled = settle(&decision.ground, &said.unwrap_or_default());
            prop_assert_eq!(settled, (decision.outcome, decision.reason_code), "{:?}", decision.ground);
        }
    }

    #[test]
    fn attenuating_never_widens(
        world in world(),
        asks in vec((ask(), time(), caveat()), 16),
    ) {
        let snapshot = world.snapshot();
        for (ask, now, one_more) in asks {
            let before = decide(&snapshot, &ask, now, &[]);
            let mut caveats = ask.narrowing.as_ref().map(|each| each.caveats().to_vec()).unwrap_or_default();
            caveats.push(one_more);
            let narrower = Ask { narrowing: Some(Arc::new(Narrowing::from(caveats))), ..ask };
            let after = decide(&snapshot, &narrower, now, &[]);
            prop_assert!(after.outcome >= before.outcome, "{:?}: {:?} became {:?}", narrower, before, after);
        }
    }
}
