//! Capability tokens and how they were delegated.

use model::{Canonical, EdgeId, PrincipalId, Time, TokenId, WorkspaceId};

use super::{answers, view};

view! {
    /// A capability token: what a principal may do.
    CapabilityToken of TokenRow {
        /// Its id.
        token_id: TokenId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// Whose it is.
        issued_to_principal_id: PrincipalId as String,
        /// Who granted it.
        granted_by_principal_id: PrincipalId as String,
        /// The token it was delegated from.
        parent_token_id: Option<TokenId> as Option<String>,
        /// What it covers: rooms, tools, egress_domains, action_types, data_access.
        scopes: Canonical as Object,
        /// When it ends.
        valid_until: Option<Time> as Option<String>,
        /// When it was revoked.
        revoked_at: Option<Time> as Option<String>,
        /// When it was granted.
        created_at: Time as String,
    }
}

view! {
    /// One delegation: from a token to a narrower one.
    DelegationEdge of EdgeRow {
        /// Its id.
        edge_id: EdgeId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// The wider token.
        parent_token_id: TokenId as String,
        /// The narrower one.
        child_token_id: TokenId as String,
        /// Who delegated.
        granted_by_principal_id: PrincipalId as String,
        /// To whom.
        issued_to_principal_id: PrincipalId as String,
        /// How far from the root; the root has 0.
        depth: i64 as i64,
        /// When.
        created_at: Time as String,
    }
}

answers!(CapabilityToken: many CapabilityTokenList { tokens });

answers!(DelegationEdge: many DelegationEdgeList { edges });
