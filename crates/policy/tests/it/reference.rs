//! The decision again, naively: straight from the contract's table, by linear scans over lists.
//! Shares no code with the crate under test.

use std::collections::BTreeSet;

use model::approval::ScopeKind;
use model::ask::Subject;
use model::capability::Caveat;
use model::decision::{RuleId, Step};
use model::scope::DataScopes;
use model::*;
use policy::*;

use crate::world::World;

/// What the reference expects.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) outcome: Outcome,
    pub(crate) reason: ReasonCode,
    pub(crate) approval: Option<(ApprovalId, bool)>,
    pub(crate) quota_limit: Option<u64>,
    pub(crate) always_enforced: bool,
    pub(crate) rules: Vec<RuleId>,
    /// Each step that speaks, with the strictest it says.
    pub(crate) spoken: Vec<(Step, Outcome, ReasonCode)>,
}

struct Facts<'a> {
    world: &'a World,
    ask: &'a Ask,
    now: Time,
}

fn latest<T>(list: &[T], same: impl Fn(&T) -> bool) -> Option<&T> {
    list.iter().rev().find(|each| same(each))
}

impl<'a> Facts<'a> {
    fn mine(&self, ws: &Option<WorkspaceId>) -> bool {
        ws.is_none() || ws.as_ref() == Some(&self.ask.workspace_id)
    }

    fn settings(&self) -> Settings {
        latest(&self.world.settings, |(ws, _)| *ws == self.ask.workspace_id).map(|(_, s)| *s).unwrap_or_default()
    }

    fn principal(&self, id: &PrincipalId) -> Option<&'a Principal> {
        latest(&self.world.principals, |p| p.principal_id == *id).filter(|p| self.mine(&p.workspace_id))
    }

    fn asker(&self) -> Option<PrincipalId> {
        if let Some(given) = &self.ask.principal_id {
            return Some(given.clone());
        }
        let named = |p: &&Principal| {
            let current = latest(&self.world.principals, |other| other.principal_id == p.principal_id);
            current == Some(*p) && p.legacy.as_ref() == Some(&self.ask.actor)
        };
        let all = || self.world.principals.iter().filter(named);
        let own =
            all().filter(|p| p.workspace_id.as_ref() == Some(&self.ask.workspace_id)).map(|p| &p.principal_id).min();
        own.or_else(|| all().filter(|p| p.workspace_id.is_none()).map(|p| &p.principal_id).min()).cloned()
    }

    fn agent(&self) -> Option<&'a Agent> {
        let asker = self.asker()?;
        latest(&self.world.agents, |a| a.principal_id == asker).filter(|a| self.mine(&a.workspace_id))
    }

    fn token(&self, id: &TokenId) -> Option<&'a Token> {
        latest(&self.world.tokens, |t| t.token_id == *id).filter(|t| t.workspace_id == self.ask.workspace_id)
    }

    /// The token and up to three ancestors; false when one is missing or there are more.
    fn chain(&self) -> Option<(Vec<&'a Token>, bool)> {
        let mut chain = vec![self.token(self.ask.capability_token_id.as_ref()?)?];
        for _ in 0..3 {
            let Some(parent) = &chain[chain.len() - 1].parent else { return Some((chain, true)) };
            let Some(parent) = self.token(parent) else { return Some((chain, false)) };
            chain.push(parent);
        }
        let whole = chain[3].parent.is_none();
        Some((chain, whole))
    }

    fn rules(&self) -> RuleVerdict {
        latest(&self.world.rules, |(ws, _)| *ws == self.ask.workspace_id).map(|(_, r)| r.clone()).unwrap_or_default()
    }

    fn approval(&self, without: &[ApprovalId]) -> Option<&'a Approval> {
        let ask = self.ask;
        let port = match &ask.subject {
            Subject::Egress(e) => e.target.as_ref().map(|t| t.port()),
            _ => None,
        };
        let (method, domain, tool) = match &ask.subject {
            Subject::Egress(e) => (e.method.clone(), e.target_domain.clone(), None),
            Subject::Action { target_domain } => (None, target_domain.clone(), None),
            Subject::ToolCall { tool_name, .. } => (None, None, tool_name.clone()),
            Subject::DataAccess(_) => (None, None, None),
        };
        let asker = self.asker();
        let fits = |a: &&Approval| {
            let s = &a.scope;
            let reach = match s.kind {
                ScopeKind::Workspace => true,
                ScopeKind::Room => s.room_id.is_some() && s.room_id == ask.room_id,
                ScopeKind::Run => s.run_id.is_some() && s.run_id == ask.run_id,
                ScopeKind::Once if a.ask_digest.is_some() => a.ask_digest == ask.ask_digest,
                ScopeKind::Once => {
                    (s.room_id.is_none() || s.room_id == ask.room_id) && (s.run_id.is_none() || s.run_id == ask.run_id)
                }
            };
            reach
                && a.workspace_id == ask.workspace_id
                && a.action == ask.action
                && a.expires_at.is_none_or(|end| self.now < end)
                && (s.target_domain.is_none() || s.target_domain == domain)
                && (s.port.is_none() || s.port == port)
                && (s.method.is_none() || s.method == method)
                && (s.tool_name.is_none() || s.tool_name == tool)
                && (s.principal_id.is_none() || s.principal_id == asker)
                && !without.contains(&a.approval_id)
                && !self.world.removed.iter().any(|(ws, id)| *ws == a.workspace_id && *id == a.approval_id)
                && latest(&self.world.approvals, |other| other.approval_id == a.approval_id) == Some(*a)
        };
        self.world.approvals.iter().filter(fits).min_by_key(|a| {
            (a.scope.kind == ScopeKind::Once, a.expires_at.map_or(i64::MAX, Time::as_millis), a.approval_id.clone())
        })
    }
}

/// A caveat as scopes: a list that it does not have takes nothing away.
fn as_scopes(caveat: &Caveat) -> TokenScopes {
    let or_all = |list: Option<&BTreeSet<String>>| list.cloned().unwrap_or_else(|| crate::world::set(&["*"]));
    let data = caveat.data_access.clone().unwrap_or_default();
    TokenScopes {
        rooms: or_all(caveat.rooms.as_ref()),
        tools: or_all(caveat.tools.as_ref()),
        egress_domains: or_all(caveat.egress_domains.as_ref()),
        action_types: or_all(caveat.action_types.as_ref()),
        data_access: DataScopes { read: or_all(data.read.as_ref()), write: or_all(data.write.as_ref()) },
    }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    pattern == "*"
        || pattern == host
        || pattern.strip_prefix("*.").is_some_and(|s| host == s || host.ends_with(&format!(".{s}")))
}

pub(crate) fn reference(world: &World, ask: &Ask, now: Time, without: &[ApprovalId]) -> Expected {
    use Outcome::{Allow, Deny, RequireApproval as Human};
    use ReasonCode as R;
    let f = Facts { world, ask, now };
    let category = ask.category();
    let (egress, tool) = (category == Category::Egress, category == Category::ToolCall);
    let acts = egress || category == Category::Action;
    let is_agent = ask.actor.kind == ActorType::Agent;
    let asker = f.asker();
    let principal = asker.as_ref().and_then(|p| f.principal(p));
    let agent = f.agent();
    let mut said: Vec<(Step, Outcome, ReasonCode)> = vec![];
    let mut asks: Vec<(Step, ReasonCode)> = vec![];
    let mut when = |step, condition: bool, reason| {
        if condition {
            said.push((step, Deny, reason));
        }
    };

    // 1
    if is_agent {
        let s = Step::AgentBinding;
        let found = principal.is_some() && agent.is_some();
        when(s, ask.principal_id.is_none(), R::AgentPrincipalRequired);
        when(s, !found, R::AgentPrincipalNotFound);
        when(s, agent.is_some_and(|a| a.agent_id.as_str() != ask.actor.id), R::AgentActorIdMismatch);
        when(s, agent.is_some_and(|a| a.revoked_at.is_some()), R::AgentRevoked);
        when(s, principal.is_some_and(|p| p.revoked_at.is_some()), R::PrincipalRevoked);
    }
    // 2
    let s = Step::CapabilityToken;
    let chain = f.chain();
    let given = ask.capability_token_id.is_some();
    when(s, !given && (ask.token_required || f.settings().require_capability_token), R::CapabilityTokenRequired);
    when(s, !given && ask.narrowing.is_some(), R::CapabilityTokenRequired);
    when(s, given && chain.is_none(), R::CapabilityTokenNotFound);
    let caveats = ask.narrowing.as_ref().map(|n| n.caveats().to_vec()).unwrap_or_default();
    if let Some((chain, whole)) = &chain {
        let expired = |t: &&Token| t.valid_until.is_some_and(|end| end <= now);
        when(s, chain[0].revoked_at.is_some(), R::CapabilityTokenRevoked);
        when(s, expired(&chain[0]), R::CapabilityTokenExpired);
        when(s, Some(&chain[0].issued_to) != asker.as_ref(), R::CapabilityTokenPrincipalMismatch);
        when(s, !whole || chain[1..].iter().any(|t| t.revoked_at.is_some()), R::CapabilityTokenParentRevoked);
        when(s, chain[1..].iter().any(expired), R::CapabilityTokenParentExpired);
        when(s, caveats.iter().any(|c| c.expires_at.is_some_and(|end| end <= now)), R::CapabilityTokenExpired);
        let elsewhere = |c: &Caveat| c.run.is_some() && c.run != ask.run_id;
        when(s, caveats.iter().any(elsewhere), R::CapabilityCaveatRunMismatch);
        let zone = ask.zone.unwrap_or(Zone::Supervised);
        when(s, caveats.iter().any(|c| c.zone.is_some_and(|most| zone > most)), R::CapabilityCaveatZoneExceeded);
        // 2a to 2e: (step, applies, list of one token, named, entry covers, codes)
        let every = |list: &dyn Fn(&TokenScopes) -> Vec<String>, covers: &dyn Fn(&str) -> bool| {
            let mut lists: Vec<_> = chain.iter().map(|t| list(&t.scopes)).collect();
            lists.extend(caveats.iter().map(|c| list(&as_scopes(c))));
            (lists.iter().any(Vec::is_empty), lists.iter().all(|l| l.iter().any(|e| e == "*" || covers(e))))
        };
        let list = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        if let Some(room) = &ask.room_id {
            let (empty, ok) = every(&|s| list(&s.rooms), &|e| e == room.as_str());
            when(Step::RoomScope, empty, R::CapabilityScopeRoomRequired);
            when(Step::RoomScope, !ok, R::CapabilityScopeRoomNotAllowed);
        }
        if acts {
            let (empty, ok) = every(&|s| list(&s.action_types), &|e| e.eq_ignore_ascii_case(ask.action.as_str()));
            when(Step::ActionScope, empty, R::CapabilityScopeActionTypeRequired);
            when(Step::ActionScope, !ok, R::CapabilityScopeActionNotAllowed);
        }
        if let Subject::ToolCall { tool_name, .. } = &ask.subject {
            let (empty, ok) = every(&|s| list(&s.tools), &|e| Some(e) == tool_name.as_deref());
            when(Step::ToolScope, empty, R::CapabilityScopeToolRequired);
            when(Step::ToolScope, tool_name.is_none(), R::CapabilityScopeContextMissingToolName);
            when(Step::ToolScope, !ok, R::CapabilityScopeToolNotAllowed);
        }
        if let Subject::DataAccess(d) = &ask.subject {
            let mut candidates = vec![
                d.resource_type.clone(),
                format!("resource_type:{}", d.resource_type),
                format!("resource:{}:{}", d.resource_type, d.resource_id),
            ];
            candidates.extend(d.resource_room.as_ref().or(ask.room_id.as_ref()).map(|r| format!("room:{r}")));
            let read = ask.action.as_str() == "data.read";
            let (empty, ok) = every(&|s| list(if read { &s.data_access.read } else { &s.data_access.write }), &|e| {
                candidates.iter().any(|c| c == e)
            });
            when(Step::DataScope, empty, R::CapabilityScopeDataAccessRequired);
            when(Step::DataScope, !ok, R::CapabilityScopeDataAccessNotAllowed);
        }
        if let Subject::Egress(e) = &ask.subject {
            let host = e.target_domain.as_deref();
            let (empty, ok) = every(&|s| list(&s.egress_domains), &|p| host.is_some_and(|h| host_matches(p, h)));
            when(Step::DomainScope, empty, R::CapabilityScopeEgressDomainRequired);
            when(Step::DomainScope, host.is_none(), R::CapabilityScopeContextMissingEgressDomain);
            when(Step::DomainScope, !ok, R::CapabilityScopeDomainNotAllowed);
        }
    }
    // the principal named
    if !is_agent && asker.is_some() {
        when(Step::Principal, principal.is_none(), R::PrincipalNotFound);
        when(Step::Principal, agent.is_some_and(|a| a.revoked_at.is_some()), R::AgentRevoked);
        when(Step::Principal, principal.is_some_and(|p| p.revoked_at.is_some()), R::PrincipalRevoked);
    }
    // 3
    let entry =
        latest(&world.registry, |e| e.action == ask.action && e.workspace_id.as_ref() == Some(&ask.workspace_id))
            .or_else(|| latest(&world.registry, |e| e.action == ask.action && e.workspace_id.is_none()));
    let writes_out = ask.action.as_str() == "external.write";
    if let Some(entry) = entry.filter(|_| acts && !writes_out) {
        let zone = ask.zone.unwrap_or(Zone::Supervised);
        let s = Step::ActionRegistry;
        when(s, zone != entry.zone_required && entry.zone_required != Zone::HighStakes, R::ActionZoneMismatch);
        if zone != entry.zone_required && entry.zone_required == Zone::HighStakes {
            asks.push((s, R::ActionZoneRequiresHighStakes));
        }
        if !entry.reversible && zone != Zone::HighStakes {
            asks.push((s, R::ActionIrreversibleRequiresHighStakes));
        }
        if entry.requires_pre_approval {
            asks.push((s, R::ActionPreApprovalRequired));
        }
    }
    // 4, 5
    when(Step::Quarantine, (acts || tool) && agent.is_some_and(|a| a.quarantined_at.is_some()), R::AgentQuarantined);
    when(Step::KillSwitch, writes_out && (world.defaults.kill_switch || f.settings().kill_switch), R::KillSwitchActive);
    when(Step::Dlp, matches!(&ask.subject, Subject::Egress(e) if !e.credentials.is_empty()), R::DlpSecretDetected);
    // 6
    let rules = f.rules();
    let s = Step::PolicyRules;
    let rule_allows = matches!(rules, RuleVerdict::Allow(_));
    when(s, matches!(rules, RuleVerdict::Deny(_)), R::PolicyDenies);
    when(s, matches!(rules, RuleVerdict::Unevaluable(_)), R::PolicyUnevaluable);
    if matches!(rules, RuleVerdict::Ask(_)) {
        asks.push((s, R::PolicyRequiresApproval));
    }
    // 7
    let s = Step::Base;
    let reads_out = ask.action.as_str() == "external.read";
    let mut something = writes_out || reads_out;
    let forbidden = matches!(&ask.subject, Subject::Egress(e) if e.target_domain.as_deref().is_some_and(|h| ["10.0.0.1", "::1"].contains(&h)));
    when(s, forbidden, R::DestinationDenied);
    if let Subject::DataAccess(d) = &ask.subject {
        let strange_room = d.resource_room.is_none() || d.resource_room != ask.room_id;
        let strange_purpose = !d.purposes.iter().any(|p| d.resource_purposes.contains(p)) && d.justification.is_none();
        when(s, d.label == Label::Restricted && strange_room, R::DataAccessRestrictedRoomMismatch);
        let ask_purpose = matches!(d.label, Label::Confidential | Label::SensitivePii) && strange_purpose;
        something |= ask_purpose || d.label == Label::Restricted && strange_room;
        if writes_out && !rule_allows {
            asks.push((s, R::ExternalWriteRequiresApproval));
        }
        if reads_out && !rule_allows {
            asks.push((s, R::ExternalReadRequiresApproval));
        }
        if ask_purpose {
            asks.push((s, R::DataAccessPurposeHintMismatch));
        }
    } else if writes_out && !rule_allows {
        asks.push((s, R::ExternalWriteRequiresApproval));
    } else if reads_out && !rule_allows {
        asks.push((s, R::ExternalReadRequiresApproval));
    }
    let denies_by_default = f.settings().default_decision == Some(DefaultDecision::Deny);
    something |= forbidden;
    when(s, !something && denies_by_default && !rule_allows, R::NoPolicyPermits);

    if rule_allows {
        said.push((Step::PolicyRules, Allow, R::PolicyAllows));
    }
    if !something && !denies_by_default {
        said.push((Step::Base, Allow, R::DefaultAllow));
    }
    let approval = f.approval(without);
    for (step, reason) in &asks {
        said.push(if approval.is_some() { (*step, Allow, R::ApprovalAllowsAction) } else { (*step, Human, *reason) });
    }

    // Per step the strictest, first in the order of the table; then the same over all steps.
    let mut spoken: Vec<(Step, Outcome, ReasonCode)> = vec![];
    for &step in Step::ALL {
        let mut best: Option<(Step, Outcome, ReasonCode)> = None;
        for each in said.iter().filter(|each| each.0 == step) {
            if best.is_none_or(|b| each.1 > b.1) {
                best = Some(*each);
            }
        }
        spoken.extend(best);
    }
    let outcome = spoken.iter().map(|each| each.1).max().unwrap();
    let reason = spoken.iter().find(|each| each.1 == outcome).unwrap().2;
    let quota = f.settings().egress_max_requests_per_hour.unwrap_or(world.defaults.egress_max_requests_per_hour);
    let rules_step = spoken.iter().find(|each| each.0 == Step::PolicyRules).map(|each| each.1);
    Expected {
        outcome,
        reason,
        approval: approval
            .filter(|_| outcome == Allow && !asks.is_empty())
            .map(|a| (a.approval_id.clone(), a.scope.kind == ScopeKind::Once)),
        quota_limit: (egress && outcome != Deny && quota > 0).then_some(quota),
        always_enforced: forbidden,
        rules: if rules_step == Some(outcome) { rules.rules().to_vec() } else { vec![] },
        spoken,
    }
}
