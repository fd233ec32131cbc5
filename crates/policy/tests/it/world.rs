//! A snapshot as plain lists: what the reference reads, and what a [`Snapshot`] is put together from.
//! Of two records with one id the later holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::ask::{DataSubject, EgressSubject, Subject};
use model::scope::DataScopes;
use model::*;
use policy::*;

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) defaults: Defaults,
    pub(crate) principals: Vec<Principal>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) removed: Vec<(WorkspaceId, ApprovalId)>,
    pub(crate) registry: Vec<RegistryEntry>,
    pub(crate) settings: Vec<(WorkspaceId, Settings)>,
    pub(crate) rules: Vec<(WorkspaceId, RuleVerdict)>,
}

/// A pack that always says the same.
#[derive(Debug)]
pub(crate) struct Says(pub(crate) RuleVerdict);

impl RulePack for Says {
    fn eval(&self, _: &Facts<'_>, _: Time) -> Verdicts {
        self.0.clone().into()
    }
}

impl World {
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot_watched(|_| ())
    }

    /// The same, with somebody looking at each state in between: what a look leaves behind in the
    /// records must not outlive a change.
    pub(crate) fn snapshot_watched(&self, look: impl Fn(&Snapshot)) -> Snapshot {
        let mut snapshot = Snapshot::new(self.defaults.clone());
        self.settings.iter().for_each(|(ws, each)| snapshot.put_settings(ws, *each));
        for each in &self.tokens {
            snapshot.put_token(each.clone());
            look(&snapshot);
        }
        self.principals.iter().for_each(|each| snapshot.put_principal(each.clone()));
        self.agents.iter().for_each(|each| snapshot.put_agent(each.clone()));
        self.approvals.iter().for_each(|each| snapshot.put_approval(each.clone()));
        self.removed.iter().for_each(|(ws, id)| snapshot.remove_approval(ws, id));
        self.registry.iter().for_each(|each| snapshot.put_registry(each.clone()));
        self.rules.iter().for_each(|(ws, each)| {
            snapshot.put_rules(ws, Some(Rules { version: 1, pack: Arc::new(Says(each.clone())) }));
        });
        snapshot
    }

    pub(crate) fn settings(&mut self) -> &mut Settings {
        &mut self.settings[0].1
    }
}

pub(crate) fn id<T: TryFrom<String>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap_or_else(|_| panic!("not an id: {text}"))
}

pub(crate) fn action(text: &str) -> Action {
    Action::parse(text).unwrap()
}

pub(crate) fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

pub(crate) fn set(entries: &[&str]) -> BTreeSet<String> {
    entries.iter().map(|each| (*each).to_owned()).collect()
}

pub(crate) const NOW: i64 = 1_000;

fn everything() -> TokenScopes {
    let all = || set(&["*"]);
    TokenScopes {
        rooms: all(),
        tools: all(),
        egress_domains: all(),
        action_types: all(),
        data_access: DataScopes { read: all(), write: all() },
    }
}

pub(crate) fn token(name: &str, parent: Option<&str>) -> Token {
    Token {
        token_id: id(name),
        workspace_id: id("ws_a"),
        issued_to: id("p_agent"),
        parent: parent.map(id),
        scopes: everything(),
        valid_until: None,
        revoked_at: None,
    }
}

/// An agent `ag` (principal `p_agent`) with a delegated token, a user `anon` (`p_user`), and the
/// seeded actions.
pub(crate) fn base_world() -> World {
    let principal = |name: &str, kind, legacy: &str| Principal {
        principal_id: id(name),
        workspace_id: Some(id("ws_a")),
        kind,
        legacy: Some(Actor::new(kind, legacy)),
        revoked_at: None,
    };
    let entry = |name: &str, reversible, zone_required, requires_pre_approval| RegistryEntry {
        action: action(name),
        workspace_id: None,
        reversible,
        zone_required,
        requires_pre_approval,
        post_review_required: reversible,
    };
    World {
        defaults: Defaults {
            mode: Mode::Shadow,
            kill_switch: false,
            egress_max_requests_per_hour: 0,
            trusted_upstreams: vec![],
        },
        principals: vec![principal("p_user", ActorType::User, "anon"), principal("p_agent", ActorType::Agent, "ag")],
        agents: vec![Agent {
            agent_id: id("ag"),
            name: "coder".into(),
            workspace_id: Some(id("ws_a")),
            principal_id: id("p_agent"),
            zone_max: Zone::Supervised,
            revoked_at: None,
            quarantined_at: None,
        }],
        tokens: vec![token("t_child", Some("t_parent")), token("t_parent", Some("t_root")), token("t_root", None)],
        approvals: vec![],
        removed: vec![],
        registry: vec![
            entry("artifact.create", true, Zone::Supervised, false),
            entry("email.send", false, Zone::HighStakes, true),
            entry("ship.it", false, Zone::Supervised, false),
            entry("play", true, Zone::Sandbox, false),
            entry("report.file", true, Zone::Supervised, true),
        ],
        settings: vec![(id("ws_a"), Settings::default())],
        rules: vec![],
    }
}

/// An ask of the agent with its token in a room, which the base world allows.
pub(crate) fn base_ask(category: Category) -> Ask {
    let (name, subject) = match category {
        Category::ToolCall => ("tool.call.grep", Subject::ToolCall { tool_name: Some("grep".into()), input: None }),
        Category::DataAccess => ("data.read", Subject::DataAccess(document(Label::Public))),
        Category::Action => ("artifact.create", Subject::Action { target_domain: None }),
        Category::Egress => ("internal.read", to("https://example.com/")),
    };
    Ask {
        workspace_id: id("ws_a"),
        action: action(name),
        actor: Actor::new(ActorType::Agent, "ag"),
        principal_id: Some(id("p_agent")),
        capability_token_id: Some(id("t_child")),
        narrowing: None,
        token_required: false,
        zone: None,
        room_id: Some(id("room_a")),
        thread_id: None,
        run_id: None,
        step_id: None,
        subject,
        ask_digest: None,
    }
}

pub(crate) fn document(label: Label) -> DataSubject {
    DataSubject {
        resource_type: "document".into(),
        resource_id: "d1".into(),
        label,
        resource_room: Some(id("room_a")),
        resource_purposes: set(&["support"]),
        purposes: BTreeSet::new(),
        justification: None,
    }
}

pub(crate) fn to(url: &str) -> Subject {
    let target = TargetUrl::parse(url).unwrap();
    let target_domain = Some(target.domain().to_owned());
    Subject::Egress(EgressSubject {
        target: Some(target),
        target_domain,
        method: Some("GET".into()),
        tunnel: None,
        credentials: Vec::new(),
    })
}

pub(crate) fn approval(name: &str, of: &str) -> Approval {
    Approval {
        approval_id: id(name),
        workspace_id: id("ws_a"),
        action: action(of),
        scope: approval::ApprovalScope::of(approval::ScopeKind::Workspace),
        ask_digest: None,
        expires_at: None,
    }
}
