//! One table that brings up every reason code, in each enforcement mode.
//!
//! Each row starts from an ask that the base world allows, which is checked first, and changes
//! just what makes the code come up.

use std::sync::Arc;

use model::ask::Subject;
use model::capability::{Caveat, DataCaveat, Narrowing};
use model::decision::RuleId;
use model::*;
use policy::*;

use crate::world::*;

struct Case {
    code: ReasonCode,
    outcome: Outcome,
    category: Category,
    change: fn(&mut World, &mut Ask),
    /// What the recorder does with it: only the quota and the uses of a token are settled there.
    settle: fn(Decision) -> Decision,
}

fn case(code: ReasonCode, outcome: Outcome, category: Category, change: fn(&mut World, &mut Ask)) -> Case {
    Case { code, outcome, category, change, settle: |decision| decision }
}

fn rules(world: &mut World, verdict: RuleVerdict) {
    world.rules.push((id("ws_a"), verdict));
}

fn as_user(ask: &mut Ask) {
    ask.actor = Actor::new(ActorType::User, "anon");
    ask.principal_id = None;
    ask.capability_token_id = None;
}

/// One link more.
fn narrow(ask: &mut Ask, caveat: Caveat) {
    let mut caveats = ask.narrowing.as_ref().map(|so_far| so_far.caveats().to_vec()).unwrap_or_default();
    caveats.push(caveat);
    ask.narrowing = Some(Arc::new(Narrowing::from(caveats)));
}

fn in_run(run: &str) -> Caveat {
    Caveat { run: Some(id(run)), ..Caveat::default() }
}

fn hosts(list: &[&str]) -> Caveat {
    Caveat { egress_domains: Some(set(list)), ..Caveat::default() }
}

fn reads(list: &[&str]) -> Caveat {
    Caveat { data_access: Some(DataCaveat { read: Some(set(list)), write: None }), ..Caveat::default() }
}

fn scopes(world: &mut World, change: fn(&mut TokenScopes)) {
    change(&mut world.tokens[0].scopes);
}

#[rustfmt::skip]
fn table() -> Vec<Case> {
    use Category::{DataAccess, Egress, ToolCall};
    use Outcome::{Allow, Deny, RequireApproval as Human};
    use ReasonCode as R;
    const ACT: Category = Category::Action;
    vec![
        case(R::DefaultAllow, Allow, ACT, |_, ask| ask.action = action("anything")),
        case(R::PolicyAllows, Allow, ACT, |w, ask| { ask.action = Action::external_write(); rules(w, RuleVerdict::Allow(vec!["r".into()])); }),
        case(R::PolicyAllows, Allow, ACT, |w, _| { w.settings().default_decision = Some(DefaultDecision::Deny); rules(w, RuleVerdict::Allow(vec!["r".into()])); }),
        case(R::ApprovalAllowsAction, Allow, Egress, |w, ask| { ask.action = Action::external_write(); w.approvals.push(approval("ap", "external.write")); }),
        case(R::ApprovalAllowsAction, Allow, ACT, |w, ask| { ask.action = action("email.send"); w.approvals.push(approval("ap", "email.send")); }),
        case(R::ApprovalAllowsAction, Allow, ACT, |w, _| { rules(w, RuleVerdict::Ask(vec![])); w.approvals.push(approval("ap", "artifact.create")); }),
        case(R::AgentPrincipalRequired, Deny, ACT, |_, ask| ask.principal_id = None),
        case(R::AgentPrincipalNotFound, Deny, ACT, |_, ask| ask.principal_id = Some(id("nobody"))),
        case(R::AgentPrincipalNotFound, Deny, ACT, |_, ask| ask.principal_id = Some(id("p_user"))),
        case(R::AgentPrincipalNotFound, Deny, ACT, |w, _| w.agents[0].workspace_id = Some(id("ws_b"))),
        case(R::AgentPrincipalNotFound, Deny, ACT, |w, _| w.principals[1].workspace_id = Some(id("ws_b"))),
        case(R::AgentActorIdMismatch, Deny, ACT, |_, ask| ask.actor.id = "other".into()),
        case(R::AgentRevoked, Deny, ACT, |w, _| w.agents[0].revoked_at = Some(at(1))),
        case(R::AgentRevoked, Deny, ACT, |w, ask| { ask.actor.kind = ActorType::Service; w.agents[0].revoked_at = Some(at(1)); }),
        case(R::PrincipalRevoked, Deny, ACT, |w, _| w.principals[1].revoked_at = Some(at(1))),
        case(R::PrincipalRevoked, Deny, ACT, |w, ask| { as_user(ask); w.principals[0].revoked_at = Some(at(1)); }),
        case(R::PrincipalNotFound, Deny, ACT, |_, ask| { as_user(ask); ask.principal_id = Some(id("nobody")); }),
        case(R::PrincipalNotFound, Deny, ACT, |w, ask| { as_user(ask); ask.principal_id = Some(id("p_user")); w.principals[0].workspace_id = Some(id("ws_b")); }),
        case(R::CapabilityTokenRequired, Deny, ACT, |_, ask| { ask.capability_token_id = None; ask.token_required = true; }),
        case(R::CapabilityTokenRequired, Deny, ACT, |w, ask| { ask.capability_token_id = None; w.settings().require_capability_token = true; }),
        case(R::CapabilityTokenNotFound, Deny, ACT, |_, ask| ask.capability_token_id = Some(id("none"))),
        case(R::CapabilityTokenNotFound, Deny, ACT, |w, _| w.tokens[0].workspace_id = id("ws_b")),
        // An unknown token is named before an unknown principal.
        case(R::CapabilityTokenNotFound, Deny, ACT, |_, ask| { as_user(ask); ask.principal_id = Some(id("nobody")); ask.capability_token_id = Some(id("none")); }),
        case(R::CapabilityTokenRevoked, Deny, ACT, |w, _| w.tokens[0].revoked_at = Some(at(1))),
        case(R::CapabilityTokenExpired, Deny, ACT, |w, _| w.tokens[0].valid_until = Some(at(NOW))),
        case(R::CapabilityTokenPrincipalMismatch, Deny, ACT, |w, _| w.tokens[0].issued_to = id("p_user")),
        case(R::CapabilityTokenParentRevoked, Deny, ACT, |w, _| w.tokens[2].revoked_at = Some(at(1))),
        case(R::CapabilityTokenParentRevoked, Deny, ACT, |w, _| { w.tokens[1].valid_until = Some(at(1)); w.tokens[2].revoked_at = Some(at(1)); }),
        case(R::CapabilityTokenParentRevoked, Deny, ACT, |w, _| { w.tokens.pop(); }),
        case(R::CapabilityTokenParentRevoked, Deny, ACT, |w, _| w.tokens[2].parent = Some(id("t_child"))),
        case(R::CapabilityTokenParentRevoked, Deny, ACT, |w, _| w.tokens[1].workspace_id = id("ws_b")),
        case(R::CapabilityTokenParentExpired, Deny, ACT, |w, _| w.tokens[1].valid_until = Some(at(NOW))),
        // What the holder took away itself.
        case(R::CapabilityTokenRequired, Deny, ACT, |_, ask| { ask.capability_token_id = None; narrow(ask, Caveat::default()); }),
        case(R::CapabilityTokenExpired, Deny, ACT, |_, ask| narrow(ask, Caveat { expires_at: Some(at(NOW)), ..Caveat::default() })),
        case(R::CapabilityCaveatRunMismatch, Deny, ACT, |_, ask| narrow(ask, in_run("run_a"))),
        case(R::CapabilityCaveatRunMismatch, Deny, ACT, |_, ask| { ask.run_id = Some(id("run_b")); narrow(ask, in_run("run_a")); }),
        case(R::CapabilityCaveatRunMismatch, Deny, ACT, |_, ask| { ask.run_id = Some(id("run_a")); narrow(ask, in_run("run_a")); narrow(ask, in_run("run_b")); }),
        case(R::CapabilityCaveatZoneExceeded, Deny, ACT, |_, ask| narrow(ask, Caveat { zone: Some(Zone::Sandbox), ..Caveat::default() })),
        case(R::CapabilityScopeRoomRequired, Deny, ACT, |_, ask| narrow(ask, Caveat { rooms: Some(set(&[])), ..Caveat::default() })),
        case(R::CapabilityScopeRoomNotAllowed, Deny, ACT, |_, ask| narrow(ask, Caveat { rooms: Some(set(&["room_b"])), ..Caveat::default() })),
        case(R::CapabilityScopeActionNotAllowed, Deny, ACT, |_, ask| narrow(ask, Caveat { action_types: Some(set(&["email.send"])), ..Caveat::default() })),
        case(R::CapabilityScopeToolNotAllowed, Deny, ToolCall, |_, ask| narrow(ask, Caveat { tools: Some(set(&["sed"])), ..Caveat::default() })),
        case(R::CapabilityScopeDataAccessRequired, Deny, DataAccess, |_, ask| narrow(ask, reads(&[]))),
        case(R::CapabilityScopeDataAccessNotAllowed, Deny, DataAccess, |_, ask| narrow(ask, reads(&["image"]))),
        case(R::CapabilityScopeDomainNotAllowed, Deny, Egress, |_, ask| { narrow(ask, hosts(&["*.com"])); narrow(ask, hosts(&["example.org"])); }),
        // A caveat gives nothing back that the token lacks, and what it leaves still passes.
        case(R::CapabilityScopeDomainNotAllowed, Deny, Egress, |w, ask| { scopes(w, |s| s.egress_domains = set(&["example.org"])); narrow(ask, hosts(&["*"])); }),
        case(R::DefaultAllow, Allow, Egress, |_, ask| { narrow(ask, hosts(&["*.com"])); narrow(ask, hosts(&["example.com"])); }),
        case(R::DefaultAllow, Allow, ACT, |_, ask| { ask.run_id = Some(id("run_a")); narrow(ask, in_run("run_a")); narrow(ask, Caveat { zone: Some(Zone::Supervised), expires_at: Some(at(NOW + 1)), uses: Some(0), ..Caveat::default() }); }),
        Case { settle: |decision| decision.deny_by_uses(3), ..case(R::CapabilityUsesExhausted, Deny, ACT, |_, ask| narrow(ask, Caveat { uses: Some(3), ..Caveat::default() })) },
        case(R::CapabilityScopeRoomRequired, Deny, ACT, |w, _| scopes(w, |s| s.rooms.clear())),
        case(R::CapabilityScopeRoomNotAllowed, Deny, ACT, |w, _| scopes(w, |s| s.rooms = set(&["room_b"]))),
        case(R::CapabilityScopeRoomNotAllowed, Deny, ACT, |w, _| w.tokens[1].scopes.rooms = set(&["room_b"])),
        case(R::CapabilityScopeActionTypeRequired, Deny, ACT, |w, _| scopes(w, |s| s.action_types.clear())),
        case(R::CapabilityScopeActionNotAllowed, Deny, Egress, |w, _| scopes(w, |s| s.action_types = set(&["email.send"]))),
        case(R::CapabilityScopeToolRequired, Deny, ToolCall, |w, _| scopes(w, |s| s.tools.clear())),
        case(R::CapabilityScopeContextMissingToolName, Deny, ToolCall, |_, ask| ask.subject = Subject::ToolCall { tool_name: None, input: None }),
        case(R::CapabilityScopeToolNotAllowed, Deny, ToolCall, |w, _| scopes(w, |s| s.tools = set(&["sed"]))),
        case(R::CapabilityScopeDataAccessRequired, Deny, DataAccess, |w, _| scopes(w, |s| s.data_access.read.clear())),
        case(R::CapabilityScopeDataAccessRequired, Deny, DataAccess, |w, ask| { ask.action = action("data.write"); scopes(w, |s| s.data_access.write.clear()); }),
        case(R::CapabilityScopeDataAccessNotAllowed, Deny, DataAccess, |w, _| scopes(w, |s| s.data_access.read = set(&["resource:document:d2", "room:room_b", "image", "resource_type:image"]))),
        case(R::CapabilityScopeEgressDomainRequired, Deny, Egress, |w, _| scopes(w, |s| s.egress_domains.clear())),
        case(R::CapabilityScopeContextMissingEgressDomain, Deny, Egress, |_, ask| ask.subject = Subject::Egress(model::ask::EgressSubject { target: None, target_domain: None, method: None, tunnel: None, credentials: Vec::new() })),
        case(R::CapabilityScopeDomainNotAllowed, Deny, Egress, |w, _| scopes(w, |s| s.egress_domains = set(&["*.example.org", "notexample.com"]))),
        case(R::DlpSecretDetected, Deny, Egress, |_, ask| leaks(ask)),
        case(R::DlpSecretDetected, Deny, Egress, |w, ask| { leaks(ask); rules(w, RuleVerdict::Allow(vec!["r".into()])); }),
        case(R::DlpSecretDetected, Deny, Egress, |w, ask| { leaks(ask); ask.action = action("external.write"); w.approvals.push(approval("ap", "external.write")); }),
        case(R::ActionZoneRequiresHighStakes, Human, ACT, |_, ask| ask.action = action("email.send")),
        case(R::ActionZoneMismatch, Deny, ACT, |_, ask| ask.zone = Some(Zone::Sandbox)),
        case(R::ActionZoneMismatch, Deny, ACT, |w, ask| { ask.action = action("play"); w.approvals.push(approval("ap", "play")); }),
        case(R::ActionIrreversibleRequiresHighStakes, Human, ACT, |_, ask| ask.action = action("ship.it")),
        case(R::ActionPreApprovalRequired, Human, ACT, |_, ask| { ask.action = action("email.send"); ask.zone = Some(Zone::HighStakes); }),
        case(R::ActionPreApprovalRequired, Human, Egress, |_, ask| ask.action = action("report.file")),
        // A rule that allows does not lift what the registry asks.
        case(R::ActionPreApprovalRequired, Human, ACT, |w, ask| { ask.action = action("report.file"); rules(w, RuleVerdict::Allow(vec![])); }),
        case(R::AgentQuarantined, Deny, ToolCall, |w, _| w.agents[0].quarantined_at = Some(at(1))),
        case(R::AgentQuarantined, Deny, ACT, |w, ask| { ask.actor.kind = ActorType::Service; w.agents[0].quarantined_at = Some(at(1)); }),
        case(R::KillSwitchActive, Deny, ACT, |w, ask| { ask.action = Action::external_write(); w.settings().kill_switch = true; w.approvals.push(approval("ap", "external.write")); }),
        case(R::KillSwitchActive, Deny, Egress, |w, ask| { ask.action = Action::external_write(); w.defaults.kill_switch = true; rules(w, RuleVerdict::Allow(vec![])); }),
        case(R::PolicyDenies, Deny, ACT, |w, ask| { ask.action = Action::external_write(); rules(w, RuleVerdict::Deny(vec!["r".into()])); w.approvals.push(approval("ap", "external.write")); }),
        case(R::PolicyUnevaluable, Deny, Egress, |w, _| rules(w, RuleVerdict::Unevaluable(vec!["r".into()]))),
        case(R::PolicyRequiresApproval, Human, ToolCall, |w, _| rules(w, RuleVerdict::Ask(vec!["r".into()]))),
        case(R::ExternalWriteRequiresApproval, Human, Egress, |_, ask| ask.action = Action::external_write()),
        case(R::ExternalWriteRequiresApproval, Human, ACT, |w, ask| { ask.action = Action::external_write(); let mut old = approval("ap", "external.write"); old.expires_at = Some(at(NOW)); w.approvals.push(old); }),
        case(R::ExternalReadRequiresApproval, Human, Egress, |w, ask| { ask.action = action("external.read"); w.approvals.push(approval("ap", "external.write")); }),
        case(R::DataAccessRestrictedRoomMismatch, Deny, DataAccess, |w, ask| { let mut d = document(Label::Restricted); d.resource_room = Some(id("room_b")); ask.subject = Subject::DataAccess(d); w.approvals.push(approval("ap", "data.read")); }),
        case(R::DataAccessRestrictedRoomMismatch, Deny, DataAccess, |_, ask| { ask.room_id = None; let mut d = document(Label::Restricted); d.resource_room = None; ask.subject = Subject::DataAccess(d); }),
        case(R::DataAccessPurposeHintMismatch, Human, DataAccess, |_, ask| ask.subject = Subject::DataAccess(document(Label::Confidential))),
        case(R::DataAccessPurposeHintMismatch, Human, DataAccess, |w, ask| { ask.subject = Subject::DataAccess(document(Label::SensitivePii)); rules(w, RuleVerdict::Allow(vec![])); }),
        case(R::NoPolicyPermits, Deny, ACT, |w, _| { w.settings().default_decision = Some(DefaultDecision::Deny); w.approvals.push(approval("ap", "artifact.create")); }),
        Case { settle: Decision::deny_by_quota, ..case(R::QuotaExceeded, Deny, Egress, |w, _| w.settings().egress_max_requests_per_hour = Some(1)) },
        case(R::DestinationDenied, Deny, Egress, |_, ask| ask.subject = to("http://169.254.169.254/latest")),
        case(R::DestinationDenied, Deny, Egress, |w, ask| { ask.subject = to("http://10.0.0.5/"); rules(w, RuleVerdict::Allow(vec![])); }),
    ]
}

#[test]
fn every_case_gives_its_code_in_each_mode() {
    for Case { code, outcome, category, change, settle } in table() {
        let control = decide(&base_world().snapshot(), &base_ask(category), at(NOW), &[]);
        assert_eq!(
            (control.outcome, control.reason_code),
            (Outcome::Allow, ReasonCode::DefaultAllow),
            "control of {code}"
        );

        let decisions = Mode::ALL.iter().map(|&mode| {
            let (mut world, mut ask) = (base_world(), base_ask(category));
            change(&mut world, &mut ask);
            world.settings().mode = Some(mode);
            let snapshot = world.snapshot();
            let decision = settle(decide(&snapshot, &ask, at(NOW), &[]));
            assert_eq!((decision.reason_code, decision.outcome), (code, outcome), "{ask:?}\n{decision:?}");

            let enforced = mode == Mode::Enforce || code == ReasonCode::DestinationDenied;
            let blocked = decision.blocks(snapshot.mode(&ask.workspace_id));
            assert_eq!(blocked, enforced && outcome != Outcome::Allow, "{code} in {mode}");
            decision
        });
        let decisions: Vec<_> = decisions.collect();
        assert!(decisions.windows(2).all(|pair| pair[0] == pair[1]), "{code} depends on the mode");
    }
}

#[test]
fn every_reason_code_has_a_case() {
    let table = table();
    let missing: Vec<_> = ReasonCode::ALL.iter().filter(|code| table.iter().all(|case| case.code != **code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn data_candidates_cover() {
    for entry in ["room:room_a", "document", "resource_type:document", "resource:document:d1", "*"] {
        let mut world = base_world();
        world.tokens[0].scopes.data_access.read = set(&["image"]);
        let ask = base_ask(Category::DataAccess);
        let refused = decide(&world.snapshot(), &ask, at(NOW), &[]);
        assert_eq!(refused.reason_code, ReasonCode::CapabilityScopeDataAccessNotAllowed);
        world.tokens[0].scopes.data_access.read.insert(entry.to_owned());
        assert_eq!(decide(&world.snapshot(), &ask, at(NOW), &[]).outcome, Outcome::Allow, "{entry}");
    }
}

#[test]
fn quota_is_taken_by_asks_too_but_not_by_denies() {
    let mut world = base_world();
    world.defaults.egress_max_requests_per_hour = 7;
    let limit = |world: &World, ask: &Ask| decide(&world.snapshot(), ask, at(NOW), &[]).quota_limit;
    let mut ask = base_ask(Category::Egress);
    assert_eq!(limit(&world, &ask), Some(7));
    assert_eq!(limit(&world, &base_ask(Category::Action)), None);
    ask.action = Action::external_write();
    assert_eq!(limit(&world, &ask), Some(7));
    world.settings().kill_switch = true;
    assert_eq!(limit(&world, &ask), None);
    world.settings().kill_switch = false;
    world.settings().egress_max_requests_per_hour = Some(0);
    assert_eq!(limit(&world, &ask), None, "the workspace's own value wins");
}

#[test]
fn a_lasting_approval_is_used_before_a_once() {
    let mut world = base_world();
    let mut once = approval("ap_1", "external.write");
    once.scope.kind = model::approval::ScopeKind::Once;
    world.approvals.push(once);
    let mut ask = base_ask(Category::Egress);
    ask.action = Action::external_write();
    let used = |world: &World, without: &[ApprovalId]| decide(&world.snapshot(), &ask, at(NOW), without).approval;
    let first = used(&world, &[]).unwrap();
    assert!(first.once && first.approval_id.as_str() == "ap_1");
    assert_eq!(used(&world, &[id("ap_1")]), None, "used up");
    world.approvals.push(approval("ap_2", "external.write"));
    let then = used(&world, &[]).unwrap();
    assert!(!then.once && then.approval_id.as_str() == "ap_2");
}

#[test]
fn trusted_upstreams_are_not_forbidden() {
    let mut world = base_world();
    let mut ask = base_ask(Category::Egress);
    ask.subject = to("http://10.0.0.5:8080/");
    assert!(decide(&world.snapshot(), &ask, at(NOW), &[]).always_enforced);
    world.defaults.trusted_upstreams = vec![TrustedUpstream { host: "10.0.0.5".into(), net: None, port: Some(8080) }];
    assert_eq!(decide(&world.snapshot(), &ask, at(NOW), &[]).outcome, Outcome::Allow);
}

#[test]
fn rules_that_did_not_determine_the_outcome_are_not_named() {
    let mut world = base_world();
    rules(&mut world, RuleVerdict::Allow(vec!["r".into()]));
    let ask = base_ask(Category::ToolCall);
    assert_eq!(decide(&world.snapshot(), &ask, at(NOW), &[]).rules, [RuleId::from("r")]);
    world.tokens[0].revoked_at = Some(at(1));
    assert!(decide(&world.snapshot(), &ask, at(NOW), &[]).rules.is_empty());
}

fn leaks(ask: &mut Ask) {
    if let Subject::Egress(egress) = &mut ask.subject {
        egress.credentials = vec!["github_token".to_owned()];
    }
}
