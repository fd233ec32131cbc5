//! Capability tokens as credentials: who is let in, as whom, and with how much left.

use gate::capabilities::{GrantCapabilityInput, GrantCapabilityOutput, RevokeCapabilityInput};
use gate::{AuthError, AuthorizeInput, EvaluateInput, GateError, InstallSecret};
use model::capability::{Bearer, Caveat};
use model::{Mode, Outcome, PrincipalId, ReasonCode, Role, RunId, Time, TokenId};

use super::identity::agent;
use super::*;
use crate::bed::{Bed, assert_sound, caller, code, first, on_both, once};

/// A gate with an install secret that others can share, an operator, and an agent's principal.
struct Scene {
    gate: Gate,
    secret: tempfile::TempDir,
    operator: Caller,
    agent: PrincipalId,
}

impl Scene {
    async fn new(bed: &Bed) -> Self {
        let secret = tempfile::tempdir().unwrap();
        let gate = replica(bed, &secret, 50).await;
        let operator = caller(&gate, Role::Operator, None).await;
        let (_, agent) = agent(&gate, Zone::Supervised).await;
        Self { gate, secret, operator, agent }
    }

    fn input(&self, parent: Option<&TokenId>, valid_until: Option<&str>) -> GrantCapabilityInput {
        let grantor = if parent.is_some() { &self.agent } else { &self.operator.principal_id };
        GrantCapabilityInput {
            issued_to_principal_id: Some(self.agent.to_string()),
            granted_by_principal_id: Some(grantor.to_string()),
            parent_token_id: parent.map(ToString::to_string),
            scopes: Some(json!({"rooms": ["*"], "tools": ["*"], "egress_domains": ["*"], "action_types": ["*"],
                "data_access": {"read": ["*"], "write": ["*"]}})),
            valid_until: valid_until.map(str::to_owned),
        }
    }

    async fn grant(&self, parent: Option<&TokenId>) -> GrantCapabilityOutput {
        first(self.gate.grant_capability(&self.operator, self.input(parent, None), None).await)
    }

    async fn revoke(&self, token: &TokenId) {
        let input = RevokeCapabilityInput { token_id: Some(token.to_string()), reason: None };
        self.gate.revoke_capability(&self.operator, input).await.unwrap();
    }

    async fn enter(&self, token: &str) -> Caller {
        self.gate.authenticate(token, None, "r").await.unwrap()
    }
}

async fn replica(bed: &Bed, secret: &tempfile::TempDir, poll_ms: u64) -> Gate {
    let secret = InstallSecret::load_or_create(&secret.path().join("hmac.key")).unwrap();
    Gate::new(bed.store(Mode::Enforce, std::time::Duration::from_millis(poll_ms)).await, secret)
}

fn narrow(token: &str, caveat: &Caveat) -> String {
    Bearer::parse(token).unwrap().attenuate(caveat).unwrap()
}

fn uses(count: u64) -> Caveat {
    Caveat { uses: Some(count), ..Caveat::default() }
}

fn hosts(list: &[&str]) -> Caveat {
    let list = list.iter().map(|host| (*host).to_owned()).collect();
    Caveat { egress_domains: Some(list), ..Caveat::default() }
}

async fn a_holder_asks_as_whom_it_was_issued_to_with_its_token(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let (mine, other) = (scene.grant(None).await, scene.grant(None).await);
    let holder = scene.enter(&mine.token).await;
    assert_eq!((holder.role, &holder.principal_id), (Role::Agent, &scene.agent));
    assert_eq!((holder.capability_token_id(), holder.is_narrowed()), (Some(&mine.token_id), false));
    assert_eq!(holder.workspace_id, workspace());
    let skip = events(&scene.gate).await.len();
    let answer = first(scene.gate.request_egress(&holder, harmless("https://example.com/"), None).await);
    assert_eq!(answer.decision, Outcome::Allow);
    let recorded = events_after(&scene.gate, skip).await;
    assert_eq!(recorded[0].actor_principal_id.as_ref(), Some(&scene.agent));
    assert_eq!(recorded[0].data.to_value()["capability_token_id"], mine.token_id.as_str());
    // Its own token may be named, another one not; nor another principal.
    let with = |change: &dyn Fn(&mut gate::EgressInput)| {
        let mut input = harmless("https://example.com/");
        change(&mut input);
        input
    };
    let own = with(&|input| input.capability_token_id = Some(mine.token_id.to_string()));
    first(scene.gate.request_egress(&holder, own, None).await);
    let stranger = scene.operator.principal_id.to_string();
    for (field, input) in [
        ("/capability_token_id", with(&|input| input.capability_token_id = Some(other.token_id.to_string()))),
        ("/principal_id", with(&|input| input.principal_id = Some(stranger.clone()))),
        ("/zone", with(&|input| input.zone = Some("high_stakes".to_owned()))),
    ] {
        let refused = crate::bed::refusal(scene.gate.request_egress(&holder, input, None).await);
        assert_eq!((refused.code, refused.field.as_deref()), ("identity_not_permitted", Some(field)));
    }
    assert_sound(bed, &scene.gate).await;
}

async fn what_was_taken_away_is_gone(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let whole = scene.grant(None).await.token;
    let run = RunId::new();
    let only = |caveat: &Caveat| narrow(&narrow(&whole, &hosts(&["*.example.com"])), caveat);
    let cases = [
        (only(&hosts(&["api.example.com"])), "https://api.example.com/", None),
        (only(&hosts(&["api.example.com"])), "https://example.com/", Some(ReasonCode::CapabilityScopeDomainNotAllowed)),
        (only(&hosts(&["*"])), "https://example.org/", Some(ReasonCode::CapabilityScopeDomainNotAllowed)),
        (
            only(&Caveat { run: Some(run), ..Caveat::default() }),
            "https://example.com/",
            Some(ReasonCode::CapabilityCaveatRunMismatch),
        ),
    ];
    for (token, url, reason) in cases {
        let holder = scene.enter(&token).await;
        assert!(holder.is_narrowed());
        let answer = first(scene.gate.request_egress(&holder, harmless(url), None).await);
        assert_eq!(answer.reason_code, reason.unwrap_or(ReasonCode::DefaultAllow), "{url}");
    }
    // A lower zone is what the holder asks in, and a higher one it may not name.
    let token = only(&Caveat { zone: Some(Zone::Sandbox), ..Caveat::default() });
    let holder = scene.enter(&token).await;
    let skip = events(&scene.gate).await.len();
    first(scene.gate.request_egress(&holder, harmless("https://example.com/"), None).await);
    assert_eq!(events_after(&scene.gate, skip).await[0].zone, Zone::Sandbox);
    let mut higher = harmless("https://example.com/");
    higher.zone = Some("supervised".to_owned());
    assert_eq!(code(scene.gate.request_egress(&holder, higher, None).await), "identity_not_permitted");
    assert_sound(bed, &scene.gate).await;
}

async fn every_bad_token_is_refused_alike(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let (live, dead, parent) = (scene.grant(None).await, scene.grant(None).await, scene.grant(None).await);
    let child = scene.grant(Some(&parent.token_id)).await;
    let grandchild = narrow(&child.token, &hosts(&["*"]));
    let narrowed = narrow(&live.token, &hosts(&["*"]));
    let until = (Time::from_millis(1)).to_string();
    let expired = first(scene.gate.grant_capability(&scene.operator, scene.input(None, Some(&until)), None).await);
    // The control: each of them lets in before anything happens to it.
    for good in [&live.token, &narrowed, &dead.token, &child.token, &grandchild] {
        scene.enter(good).await;
    }
    scene.revoke(&dead.token_id).await;
    scene.revoke(&parent.token_id).await;
    scene.gate.store().fresh(&workspace()).await.unwrap();
    let secret = live.token.rsplit('.').next().unwrap();
    let mut wrong = live.token.clone();
    let last = if wrong.ends_with('A') { 'E' } else { 'A' };
    wrong.pop();
    wrong.push(last);
    let mut changed = narrowed.clone().into_bytes();
    let middle = changed.len() - 60;
    changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
    let at = Caveat { expires_at: Some(Time::from_millis(1)), ..Caveat::default() };
    for (name, bad) in [
        ("nothing", "cap1.".to_owned()),
        ("the id only", format!("cap1.{}", live.token_id)),
        ("another's secret", format!("cap1.{}.{secret}", child.token_id)),
        ("an unknown id", format!("cap1.{}.{secret}", TokenId::new())),
        ("a wrong secret", wrong),
        ("a changed caveat", String::from_utf8(changed).unwrap()),
        ("longer", format!("{}A", live.token)),
        ("revoked", dead.token.clone()),
        ("revoked and narrowed", narrow(&dead.token, &hosts(&["*"]))),
        ("of a revoked parent", child.token.clone()),
        ("of a revoked parent and narrowed", grandchild),
        ("expired", expired.token.clone()),
        ("expired by a caveat", narrow(&live.token, &at)),
    ] {
        let refused = scene.gate.authenticate(&bad, None, "r").await;
        assert!(matches!(refused, Err(AuthError::Unauthenticated)), "{name}");
    }
    for (named, let_in) in
        [(Some("ws_test"), true), (Some(" ws_test "), true), (Some("ws_other"), false), (Some("*"), false)]
    {
        let outcome = scene.gate.authenticate(&live.token, named, "r").await;
        assert!(if let_in { outcome.is_ok() } else { matches!(outcome, Err(AuthError::Forbidden)) }, "{named:?}");
    }
    // Another install has other secrets.
    let strange = Gate::new(
        bed.store(Mode::Enforce, std::time::Duration::from_millis(50)).await,
        InstallSecret::ephemeral().unwrap(),
    );
    assert!(matches!(strange.authenticate(&live.token, None, "r").await, Err(AuthError::Unauthenticated)));
}

async fn revoking_an_ancestor_ends_it_at_once(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let root = scene.grant(None).await;
    let child = scene.grant(Some(&root.token_id)).await;
    let leaf = scene.grant(Some(&child.token_id)).await;
    // A replica that hears of nothing by itself for an hour.
    let slow = replica(bed, &scene.secret, 3_600_000).await;
    let token = narrow(&leaf.token, &uses(100));
    let holder = slow.authenticate(&token, None, "r").await.unwrap();
    first(slow.request_egress(&holder, harmless("https://example.com/"), None).await);
    slow.fresh(holder.clone()).await.unwrap();
    scene.revoke(&root.token_id).await;
    let skip = events(&scene.gate).await.len();
    let late = slow.request_egress(&holder, harmless("https://example.com/"), None).await;
    assert!(matches!(late, Err(GateError::Unauthenticated)), "{late:?}");
    assert!(matches!(slow.fresh(holder).await, Err(AuthError::Unauthenticated)));
    assert!(matches!(slow.authenticate(&token, None, "r").await, Err(AuthError::Unauthenticated)));
    assert_eq!(events(&scene.gate).await.len(), skip);
}

async fn uses_are_exact_on_any_number_of_replicas(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let whole = scene.grant(None).await.token;
    let shared = narrow(&whole, &uses(50));
    // Two that were narrowed further share what is left, and one of them has fewer of its own.
    let few = narrow(&narrow(&shared, &hosts(&["example.com"])), &uses(5));
    let gates = [scene.gate.clone(), replica(bed, &scene.secret, 50).await];
    let mut asks = Vec::new();
    for n in 0..200 {
        let (gate, token) = (gates[n % 2].clone(), if n % 4 < 2 { shared.clone() } else { few.clone() });
        asks.push(tokio::spawn(async move {
            let holder = gate.authenticate(&token, None, "r").await.unwrap();
            let answer = gate.request_egress(&holder, harmless("https://example.com/"), None).await.unwrap().value;
            (n % 4 < 2, answer)
        }));
    }
    let (mut passed_shared, mut passed_few) = (0, 0);
    for ask in asks {
        let (by_shared, answer) = ask.await.unwrap();
        match answer.decision {
            Outcome::Allow if by_shared => passed_shared += 1,
            Outcome::Allow => passed_few += 1,
            _ => assert_eq!((answer.reason_code, answer.blocked), (ReasonCode::CapabilityUsesExhausted, true)),
        }
    }
    assert_eq!(passed_shared + passed_few, 50);
    assert!(passed_few <= 5, "{passed_few}");
    // What was not narrowed is not counted, and a sibling counts for itself.
    let sibling = narrow(&whole, &Caveat { id: Some("other".to_owned()), ..uses(1) });
    for (token, decision) in [(&whole, Outcome::Allow), (&sibling, Outcome::Allow), (&sibling, Outcome::Deny)] {
        let holder = scene.enter(token).await;
        let answer = first(scene.gate.request_egress(&holder, harmless("https://example.com/"), None).await);
        assert_eq!(answer.decision, decision);
    }
    assert_sound(bed, &scene.gate).await;
}

async fn only_an_allow_is_a_use_whatever_it_is_asked_by(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let whole = scene.grant(None).await.token;
    let token = narrow(&narrow(&whole, &hosts(&["example.com"])), &uses(4));
    let holder = scene.enter(&token).await;
    let gate = &scene.gate;
    // Denied, asked, and only looked at: none of them takes one.
    for _ in 0..3 {
        let denied = first(gate.request_egress(&holder, harmless("https://example.org/"), None).await);
        assert_eq!(denied.reason_code, ReasonCode::CapabilityScopeDomainNotAllowed);
        let asked = first(gate.request_egress(&holder, to("https://example.com/"), None).await);
        assert_eq!(asked.decision, Outcome::RequireApproval);
        let check = AuthorizeInput { check: true, ..authorize() };
        let looked = gate.authorize(&holder, check).await.unwrap();
        assert_eq!((looked.decision, looked.decision_id), (Outcome::Allow, None));
    }
    let holder = gate.fresh(holder).await.unwrap();
    let evaluate = || EvaluateInput { action: Some("note".to_owned()), ..EvaluateInput::default() };
    let read = || gate::DataAccessInput {
        action: Some("data.read".to_owned()),
        resource_type: Some("doc".to_owned()),
        resource_id: Some("d".to_owned()),
        ..gate::DataAccessInput::default()
    };
    assert_eq!(gate.evaluate(&holder, evaluate()).await.unwrap().decision, Outcome::Allow);
    assert_eq!(gate.authorize(&holder, authorize()).await.unwrap().decision, Outcome::Allow);
    assert_eq!(gate.request_data_access(&holder, read()).await.unwrap().decision, Outcome::Allow);
    // The same answer again is not another use.
    let key = once(&holder, "k", "b");
    let input = || harmless("https://example.com/");
    assert_eq!(first(gate.request_egress(&holder, input(), key.clone()).await).decision, Outcome::Allow);
    assert!(gate.request_egress(&holder, input(), key).await.unwrap().replayed);
    for (name, reason) in [
        ("evaluate", gate.evaluate(&holder, evaluate()).await.unwrap().reason_code),
        ("authorize", gate.authorize(&holder, authorize()).await.unwrap().reason_code),
        ("check", gate.authorize(&holder, AuthorizeInput { check: true, ..authorize() }).await.unwrap().reason_code),
        ("data", gate.request_data_access(&holder, read()).await.unwrap().reason_code),
        ("egress", first(gate.request_egress(&holder, input(), None).await).reason_code),
    ] {
        assert_eq!(reason, ReasonCode::CapabilityUsesExhausted, "{name}");
    }
    assert_sound(bed, &scene.gate).await;
}

fn authorize() -> AuthorizeInput {
    AuthorizeInput {
        category: Some("egress".to_owned()),
        action: Some("internal.read".to_owned()),
        context: Some(json!({"egress": {"target_url": "https://example.com/"}})),
        ..AuthorizeInput::default()
    }
}

async fn an_answer_given_again_does_not_reach_a_narrower_token(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let whole = scene.grant(None).await.token;
    let narrower = narrow(&whole, &hosts(&["example.org"]));
    let (wide, tight) = (scene.enter(&whole).await, scene.enter(&narrower).await);
    let ask = || harmless("https://example.com/");
    assert_eq!(first(scene.gate.request_egress(&wide, ask(), once(&wide, "k", "b")).await).decision, Outcome::Allow);
    assert!(scene.gate.request_egress(&wide, ask(), once(&wide, "k", "b")).await.unwrap().replayed, "the control");
    let answer = first(scene.gate.request_egress(&tight, ask(), once(&tight, "k", "b")).await);
    assert_eq!(answer.reason_code, ReasonCode::CapabilityScopeDomainNotAllowed);
}

async fn nothing_that_lets_anybody_in_is_kept(bed: &Bed) {
    let scene = Scene::new(bed).await;
    let grant =
        || scene.gate.grant_capability(&scene.operator, scene.input(None, None), once(&scene.operator, "g", "b"));
    let granted = first(grant().await);
    let again = grant().await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.value.token, granted.token, "the caller that lost the answer gets it again");
    let narrowed = narrow(&granted.token, &uses(3));
    let holder = scene.enter(&narrowed).await;
    // A token that is sent where it does not belong is taken out.
    let mut leaky = harmless("https://example.com/");
    leaky.context = Some(json!({"note": format!("use {}", granted.token), "other": narrowed}));
    first(scene.gate.request_egress(&holder, leaky, once(&holder, "e", "b")).await);
    scene.gate.store().drained().await;
    let secrets: Vec<&str> =
        [&granted.token, &narrowed].iter().map(|token| token.rsplit('.').next().unwrap()).collect();
    let kept = bed.everything();
    let has = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has(granted.token_id.as_str()), "the control");
    for secret in secrets {
        assert!(!has(secret));
    }
}

mod cases {
    super::on_both!(
        a_holder_asks_as_whom_it_was_issued_to_with_its_token,
        what_was_taken_away_is_gone,
        every_bad_token_is_refused_alike,
        revoking_an_ancestor_ends_it_at_once,
        uses_are_exact_on_any_number_of_replicas,
        only_an_allow_is_a_use_whatever_it_is_asked_by,
        an_answer_given_again_does_not_reach_a_narrower_token,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_the_file_lets_anybody_in() {
    nothing_that_lets_anybody_in_is_kept(&Bed::sqlite()).await;
}
