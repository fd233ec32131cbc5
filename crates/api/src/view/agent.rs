//! An agent.

use model::{AgentId, PrincipalId, Time, WorkspaceId, Zone};

use super::{answers, view};

view! {
    /// An agent: a principal that is a program acting for somebody.
    Agent of AgentRow {
        /// Its id, and its `actor_id`.
        agent_id: AgentId as String,
        /// Its workspace.
        workspace_id: Option<WorkspaceId> as Option<String>,
        /// Its principal.
        principal_id: PrincipalId as String,
        /// Its name.
        display_name: String as String,
        /// The highest zone it may ask in: sandbox, supervised or high_stakes.
        zone_max: Zone as String,
        /// When it was registered.
        created_at: Time as String,
        /// When it was revoked.
        revoked_at: Option<Time> as Option<String>,
        /// When it was quarantined, while it is.
        quarantined_at: Option<Time> as Option<String>,
        /// Why it is quarantined.
        quarantine_reason: Option<String> as Option<String>,
    }
}

answers!(Agent: one AgentAnswer { agent });
answers!(Agent: many AgentList { agents });
