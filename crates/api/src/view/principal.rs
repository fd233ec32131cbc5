//! A principal.

use model::{ActorType, PrincipalId, Time, WorkspaceId};

use super::{answers, view};

view! {
    /// A principal: who is accountable.
    Principal of PrincipalRow {
        /// Its id.
        principal_id: PrincipalId as String,
        /// Its workspace; null: all.
        workspace_id: Option<WorkspaceId> as Option<String>,
        /// user, agent or service.
        principal_type: ActorType as String,
        /// The actor that it stands for.
        legacy_actor_type: Option<ActorType> as Option<String>,
        /// The name of that actor.
        legacy_actor_id: Option<String> as Option<String>,
        /// When it was made.
        created_at: Time as String,
        /// When it was revoked.
        revoked_at: Option<Time> as Option<String>,
    }
}

answers!(Principal: one PrincipalAnswer { principal });
