//! What this process knows of policy: the snapshot decisions are made on, the keys, and the policy
//! heads they are as new as.

use std::sync::Arc;

use imbl::HashMap;
use model::approval::{ApprovalScope, ApprovalStatus};
use model::{Action, Actor, KeyId, WorkspaceId};
use policy::{Agent, Approval, DefaultDecision, Defaults, Principal, RegistryEntry, Rules, Settings, Snapshot, Token};

use crate::command::{INSTALL, Reads};
use crate::rows::{AgentRow, ApprovalRow, KeyRow, PolicySetRow, PrincipalRow, RegistryRow, SettingsRow, TokenRow};
use crate::sets::{CompiledSet, HeldSet, PolicySets};

/// An immutable view of policy. Cloning is cheap.
#[derive(Clone)]
pub struct View {
    /// What decisions are made on.
    pub snapshot: Snapshot,
    keys: HashMap<KeyId, Arc<KeyRow>>,
    sets: HashMap<WorkspaceId, Arc<PolicySets>>,
    heads: HashMap<String, u64>,
}

impl View {
    pub(crate) fn new(defaults: Defaults) -> Self {
        Self { snapshot: Snapshot::new(defaults), keys: HashMap::new(), sets: HashMap::new(), heads: HashMap::new() }
    }

    /// How far this view has followed the policy of `scope`.
    #[must_use]
    pub fn head(&self, scope: &str) -> u64 {
        self.heads.get(scope).copied().unwrap_or(0)
    }

    /// Declares that a command was decided on this view.
    pub fn expect(&self, reads: &mut Reads, workspace: &WorkspaceId) {
        reads.expect_head(INSTALL, self.head(INSTALL));
        reads.expect_head(workspace.as_str(), self.head(workspace.as_str()));
    }

    /// A key by its id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Arc<KeyRow>> {
        self.keys.get(id)
    }

    /// The policy sets of a workspace, when it has or had one.
    #[must_use]
    pub fn policy_sets(&self, workspace: &WorkspaceId) -> Option<&Arc<PolicySets>> {
        self.sets.get(workspace)
    }

    /// How many workspaces have an active set that cannot be read, and are therefore denied everything.
    #[must_use]
    pub fn unreadable_sets(&self) -> usize {
        let bad = |sets: &PolicySets| sets.active.as_ref().is_some_and(|held| !held.compiled.is_sound());
        self.sets.values().filter(|sets| bad(sets)).count()
    }

    pub(crate) fn set_head(&mut self, scope: String, head: u64) {
        self.heads.insert(scope, head);
    }

    pub(crate) fn put_key(&mut self, row: KeyRow) {
        self.keys.insert(row.key_id.clone(), Arc::new(row));
    }

    pub(crate) fn put_principal(&mut self, row: PrincipalRow) {
        let legacy = match (row.legacy_actor_type, row.legacy_actor_id) {
            (Some(kind), Some(id)) => Some(Actor { kind, id }),
            _ => None,
        };
        self.snapshot.put_principal(Principal {
            principal_id: row.principal_id,
            workspace_id: row.workspace_id,
            kind: row.principal_type,
            legacy,
            revoked_at: row.revoked_at,
        });
    }

    pub(crate) fn put_agent(&mut self, row: AgentRow) {
        self.snapshot.put_agent(Agent {
            agent_id: row.agent_id,
            name: row.display_name.into(),
            workspace_id: row.workspace_id,
            principal_id: row.principal_id,
            zone_max: row.zone_max,
            revoked_at: row.revoked_at,
            quarantined_at: row.quarantined_at,
        });
    }

    pub(crate) fn put_token(&mut self, row: TokenRow) {
        // Scopes that cannot be read cover nothing.
        let scopes = serde_json::from_str(row.scopes.as_str()).unwrap_or_default();
        self.snapshot.put_token(Token {
            token_id: row.token_id,
            workspace_id: row.workspace_id,
            issued_to: row.issued_to_principal_id,
            parent: row.parent_token_id,
            scopes,
            valid_until: row.valid_until,
            revoked_at: row.revoked_at,
        });
    }

    pub(crate) fn put_approval(&mut self, row: ApprovalRow) {
        let scope = serde_json::from_str::<ApprovalScope>(row.scope.as_str());
        let live = row.status == ApprovalStatus::Approved && row.consumed_at.is_none();
        match (live, scope, Action::parse(&row.action)) {
            (true, Ok(scope), Ok(action)) => self.snapshot.put_approval(Approval {
                approval_id: row.approval_id,
                workspace_id: row.workspace_id,
                action,
                scope,
                ask_digest: row.ask_digest,
                expires_at: row.expires_at,
            }),
            _ => self.snapshot.remove_approval(&row.workspace_id, &row.approval_id),
        }
    }

    pub(crate) fn put_registry(&mut self, row: RegistryRow) {
        let Ok(action) = Action::parse(&row.action_type) else { return };
        self.snapshot.put_registry(RegistryEntry {
            action,
            workspace_id: (row.workspace_id != INSTALL).then(|| WorkspaceId::from_stored(row.workspace_id)),
            reversible: row.reversible,
            zone_required: row.zone_required,
            requires_pre_approval: row.requires_pre_approval,
            post_review_required: row.post_review_required,
        });
    }

    /// Puts the sets of a workspace. `compiled` knows every digest that the row names.
    ///
    /// # Errors
    /// The digests it does not know; then nothing has changed.
    pub(crate) fn put_policy_set(
        &mut self,
        row: &PolicySetRow,
        compiled: impl Fn(&str) -> Option<Arc<CompiledSet>>,
    ) -> Result<(), Vec<String>> {
        let mut missing = Vec::new();
        let mut held = |version: i64, digest: Option<&String>| {
            let digest = digest.filter(|_| version > 0)?;
            let found = compiled(digest);
            if found.is_none() {
                missing.push(digest.clone());
            }
            Some(HeldSet { version: u64::try_from(version).unwrap_or(0), compiled: found? })
        };
        let active = held(row.active_version, row.digest.as_ref());
        let candidate = held(row.candidate_version, row.candidate_digest.as_ref());
        if !missing.is_empty() {
            return Err(missing);
        }
        let rules = |held: &HeldSet| Rules { version: held.version, pack: held.compiled.clone() };
        self.snapshot.put_rules(&row.workspace_id, active.as_ref().map(rules));
        self.snapshot.put_candidate(&row.workspace_id, candidate.as_ref().map(rules));
        self.sets.insert(row.workspace_id.clone(), Arc::new(PolicySets { active, candidate }));
        Ok(())
    }

    pub(crate) fn put_settings(&mut self, row: &SettingsRow) {
        let settings = Settings {
            mode: row.mode,
            kill_switch: row.kill_switch,
            default_decision: row.default_decision.as_deref().and_then(DefaultDecision::parse),
            egress_max_requests_per_hour: row.egress_max_requests_per_hour.and_then(|n| u64::try_from(n).ok()),
            require_capability_token: row.require_capability_token,
        };
        self.snapshot.put_settings(&row.workspace_id, settings);
    }
}
