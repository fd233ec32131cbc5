//! The immutable value a decision reads: everything a workspace's answers depend on.
//!
//! Cloning is a handful of pointers; a change copies a few nodes. So a reader keeps its snapshot for
//! as long as it likes while the next one is made beside it.
//!
//! Ids are looked up by id and *then* compared with the workspace: a record of another workspace is
//! found and discarded, and answers as one that does not exist.

pub(crate) mod approval;
mod home;
pub(crate) mod lineage;
pub(crate) mod principal;
pub(crate) mod registry;
pub(crate) mod settings;
mod shelf;
pub(crate) mod token;

use std::sync::Arc;

use model::{Action, Actor, AgentId, ApprovalId, Ask, Mode, PrincipalId, Time, TokenId, WorkspaceId};

use crate::facts::Facts;
use crate::rules::Rules;
use approval::{Approval, Approvals};
use home::Home;
use lineage::{Delegations, Lineage};
use principal::{Agent, Names, Person, Principal};
use registry::{Registry, RegistryEntry};
use settings::{Defaults, Settings};
use shelf::{Map, Seed, Shelf};
use token::{HeldToken, Token};

/// What is set for one workspace.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    pub(crate) home: Home,
    pub(crate) settings: Settings,
    pub(crate) rules: Option<Rules>,
    pub(crate) candidate: Option<Rules>,
    names: Names,
    registry: Registry,
    approvals: Approvals,
}

impl Workspace {
    fn new(home: Home) -> Self {
        Self {
            home,
            settings: Settings::default(),
            rules: None,
            candidate: None,
            names: Names::new(),
            registry: Registry::new(),
            approvals: Approvals::new(),
        }
    }

    pub(crate) fn approval_for(
        &self,
        ask: &Ask,
        asker: Option<&PrincipalId>,
        now: Time,
        without: &[ApprovalId],
    ) -> Option<&Approval> {
        self.approvals.find(ask, asker, now, without)
    }
}

/// Everything that decisions depend on besides the ask and the time.
#[derive(Debug, Clone)]
pub struct Snapshot {
    defaults: Arc<Defaults>,
    people: Shelf<Arc<Person>>,
    agents: Shelf<Arc<Agent>>,
    tokens: Shelf<Arc<HeldToken>>,
    delegations: Delegations,
    workspaces: Map<WorkspaceId, Arc<Workspace>>,
    /// Names and actions that hold in every workspace.
    install: Arc<Workspace>,
}

impl Snapshot {
    /// A snapshot that knows nobody and nothing but the defaults.
    #[must_use]
    pub fn new(defaults: Defaults) -> Self {
        Self {
            defaults: Arc::new(defaults),
            people: Shelf::new(),
            agents: Shelf::new(),
            tokens: Shelf::new(),
            delegations: Delegations::new(),
            workspaces: Map::with_hasher(Seed::default()),
            install: Arc::new(Workspace::new(Home::EVERYWHERE)),
        }
    }

    fn set(&mut self, workspace: Option<&WorkspaceId>) -> &mut Workspace {
        // Workspaces are never forgotten, so their count is a number that none has yet.
        let home = Home(self.workspaces.len());
        Arc::make_mut(match workspace {
            Some(id) => self.workspaces.entry(id.clone()).or_insert_with(|| Arc::new(Workspace::new(home))),
            None => &mut self.install,
        })
    }

    fn home(&mut self, workspace: Option<&WorkspaceId>) -> Home {
        match workspace.and_then(|id| self.workspaces.get(id)) {
            Some(known) => known.home,
            None => self.set(workspace).home,
        }
    }

    fn person(&self, id: &PrincipalId) -> Person {
        self.people.get(id.as_str()).map_or_else(|| Person::new(id.clone()), |known| Person::clone(known))
    }

    /// Adds or replaces a principal.
    pub fn put_principal(&mut self, principal: Principal) {
        let home = self.home(principal.workspace_id.as_ref());
        let mut person = self.person(&principal.principal_id);
        let names = principal.legacy.clone().map(|actor| (principal.workspace_id.clone(), actor));
        if let Some((_, before)) = person.principal.replace((home, principal))
            && let Some(actor) = &before.legacy
        {
            self.set(before.workspace_id.as_ref()).names.remove(actor, &before.principal_id);
        }
        if let Some((workspace, actor)) = names {
            self.set(workspace.as_ref()).names.put(actor, person.id.clone());
        }
        self.people.put(Arc::new(person));
    }

    /// Adds or replaces an agent.
    pub fn put_agent(&mut self, agent: Agent) {
        let home = self.home(agent.workspace_id.as_ref());
        if let Some(before) = self.agents.replace(Arc::new(agent.clone()))
            && before.principal_id != agent.principal_id
        {
            let mut person = self.person(&before.principal_id);
            person.agent = person.agent.filter(|(_, each)| each.agent_id != before.agent_id);
            self.people.put(Arc::new(person));
        }
        let mut person = self.person(&agent.principal_id);
        person.agent = Some((home, agent));
        self.people.put(Arc::new(person));
    }

    /// Adds or replaces a token. Parents and children may come in any order.
    pub fn put_token(&mut self, token: Token) {
        let home = self.home(Some(&token.workspace_id));
        let before = self.tokens.get(token.token_id.as_str());
        self.delegations.note(&token, before.map(|held| &held.token));
        for id in self.delegations.below(&token.token_id) {
            // Even if nobody has looked at it yet: a reader of an older snapshot may be about to.
            if let Some(fresh) = self.tokens.get(id.as_str()).map(|held| held.anew()) {
                self.tokens.put(Arc::new(fresh));
            }
        }
        self.tokens.put(Arc::new(HeldToken::new(token, home)));
    }

    /// Adds or replaces an approval that was given.
    pub fn put_approval(&mut self, approval: Approval) {
        let workspace = approval.workspace_id.clone();
        self.set(Some(&workspace)).approvals.put(approval);
    }

    /// Forgets an approval: used up, revoked or expired.
    pub fn remove_approval(&mut self, workspace: &WorkspaceId, id: &ApprovalId) {
        if self.workspaces.contains_key(workspace) {
            self.set(Some(workspace)).approvals.remove(id);
        }
    }

    /// Adds or replaces a known action, for a workspace or for all.
    pub fn put_registry(&mut self, entry: RegistryEntry) {
        let workspace = entry.workspace_id.clone();
        self.set(workspace.as_ref()).registry.put(entry);
    }

    /// Sets a workspace's own settings.
    pub fn put_settings(&mut self, workspace: &WorkspaceId, settings: Settings) {
        self.set(Some(workspace)).settings = settings;
    }

    /// Sets a workspace's policy rules; `None` = it has none.
    pub fn put_rules(&mut self, workspace: &WorkspaceId, rules: Option<Rules>) {
        self.set(Some(workspace)).rules = rules;
    }

    /// Sets the rules that are tried beside a workspace's own; `None` = none are.
    pub fn put_candidate(&mut self, workspace: &WorkspaceId, rules: Option<Rules>) {
        self.set(Some(workspace)).candidate = rules;
    }

    /// The rules of a workspace.
    #[must_use]
    pub fn rules(&self, workspace: &WorkspaceId) -> Option<&Rules> {
        self.workspace(workspace)?.rules.as_ref()
    }

    /// The rules that are tried beside them.
    #[must_use]
    pub fn candidate(&self, workspace: &WorkspaceId) -> Option<&Rules> {
        self.workspace(workspace)?.candidate.as_ref()
    }

    /// The facts that rules see of an ask.
    #[must_use]
    pub fn facts<'a>(&'a self, ask: &'a Ask) -> Facts<'a> {
        let home = self.home_of(&ask.workspace_id);
        let person = self.asker_ref(ask).and_then(|id| self.person_with(id));
        Facts::of(ask, person.and_then(|p| p.principal_in(home)), person.and_then(|p| p.agent_in(home)))
    }

    pub(crate) fn workspace(&self, id: &WorkspaceId) -> Option<&Workspace> {
        self.workspaces.get(id).map(|workspace| &**workspace)
    }

    fn home_of(&self, workspace: &WorkspaceId) -> Option<Home> {
        self.workspace(workspace).map(|known| known.home)
    }

    pub(crate) fn person_with(&self, id: &PrincipalId) -> Option<&Person> {
        self.people.get(id.as_str()).map(|person| &**person)
    }

    /// The principal with this id, when the workspace knows it.
    #[must_use]
    pub fn principal(&self, workspace: &WorkspaceId, id: &PrincipalId) -> Option<&Principal> {
        self.person_with(id)?.principal_in(self.home_of(workspace))
    }

    /// The principal an actor's name stands for: the workspace's own first, then one known in all.
    #[must_use]
    pub fn principal_of(&self, workspace: &WorkspaceId, actor: &Actor) -> Option<&PrincipalId> {
        let own = self.workspace(workspace).and_then(|own| own.names.get(actor));
        own.or_else(|| self.install.names.get(actor))
    }

    /// The agent with this id, when the workspace knows it.
    #[must_use]
    pub fn agent(&self, workspace: &WorkspaceId, id: &AgentId) -> Option<&Agent> {
        let agent = &**self.agents.get(id.as_str())?;
        agent.workspace_id.as_ref().is_none_or(|own| own == workspace).then_some(agent)
    }

    /// The agent that this principal is, when the workspace knows it.
    #[must_use]
    pub fn agent_of_principal(&self, workspace: &WorkspaceId, id: &PrincipalId) -> Option<&Agent> {
        self.person_with(id)?.agent_in(self.home_of(workspace))
    }

    /// The token with this id, live or not, when it is the workspace's.
    #[must_use]
    pub fn token(&self, workspace: &WorkspaceId, id: &TokenId) -> Option<&Token> {
        self.held_token(self.home_of(workspace)?, id).map(|held| &held.token)
    }

    /// The token with this id, live or not, of whichever workspace.
    #[must_use]
    pub fn token_anywhere(&self, id: &str) -> Option<&Token> {
        self.tokens.get(id).map(|held| &held.token)
    }

    /// Whether a token of the workspace, and all it was delegated from, is good at `now`.
    #[must_use]
    pub fn token_lives(&self, workspace: &WorkspaceId, id: &TokenId, now: Time) -> bool {
        let held = self.home_of(workspace).and_then(|home| self.held_token(home, id));
        held.is_some_and(|held| {
            let lineage = self.lineage(held);
            let ended = held.token.revoked_at.is_some() || held.token.expired(now);
            !ended && lineage.revoked.is_none() && !lineage.broken && lineage.expired(now).is_none()
        })
    }

    pub(crate) fn held_token(&self, home: Home, id: &TokenId) -> Option<&HeldToken> {
        self.tokens.get(id.as_str()).map(|held| &**held).filter(|held| held.home == home)
    }

    pub(crate) fn lineage<'a>(&'a self, held: &'a HeldToken) -> &'a Lineage {
        held.lineage(|id| self.held_token(held.home, id))
    }

    /// What is known of an action: the workspace's own entry, else the install's.
    #[must_use]
    pub fn registry(&self, workspace: &WorkspaceId, action: &Action) -> Option<&RegistryEntry> {
        self.registry_in(self.workspace(workspace), action)
    }

    pub(crate) fn registry_in<'a>(
        &'a self,
        workspace: Option<&'a Workspace>,
        action: &Action,
    ) -> Option<&'a RegistryEntry> {
        let own = workspace.and_then(|own| own.registry.get(action));
        own.or_else(|| self.install.registry.get(action))
    }

    /// The enforcement mode that holds in the workspace.
    #[must_use]
    pub fn mode(&self, workspace: &WorkspaceId) -> Mode {
        self.settings(workspace).mode.unwrap_or(self.defaults.mode)
    }

    /// Whether `external.write` is denied in the workspace whatever else holds.
    #[must_use]
    pub fn kill_switch(&self, workspace: &WorkspaceId) -> bool {
        self.defaults.kill_switch || self.settings(workspace).kill_switch
    }

    /// The workspace's own settings.
    #[must_use]
    pub fn settings(&self, workspace: &WorkspaceId) -> Settings {
        self.workspace(workspace).map(|own| own.settings).unwrap_or_default()
    }

    /// Requests per rolling hour and principal; 0 = no quota.
    #[must_use]
    pub fn quota(&self, workspace: &WorkspaceId) -> u64 {
        self.settings(workspace).egress_max_requests_per_hour.unwrap_or(self.defaults.egress_max_requests_per_hour)
    }

    /// What holds where a workspace has set nothing.
    #[must_use]
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// The principal an ask is made by: the one it gives, known or not, else the one its actor's name
    /// stands for.
    #[must_use]
    pub fn asker(&self, ask: &Ask) -> Option<PrincipalId> {
        self.asker_ref(ask).cloned()
    }

    pub(crate) fn asker_ref<'a>(&'a self, ask: &'a Ask) -> Option<&'a PrincipalId> {
        ask.principal_id.as_ref().or_else(|| self.principal_of(&ask.workspace_id, &ask.actor))
    }
}
