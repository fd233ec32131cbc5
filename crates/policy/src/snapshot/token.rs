//! Capability tokens.

use std::sync::OnceLock;

use model::{PrincipalId, Time, TokenId, TokenScopes, WorkspaceId};

use super::home::Home;
use super::lineage::Lineage;
use super::shelf::Keyed;

/// A capability token, live or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub token_id: TokenId,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// The only principal that may show it.
    pub issued_to: PrincipalId,
    /// The token it was delegated from.
    pub parent: Option<TokenId>,
    /// What it covers. For a delegated one already cut down to its parent's; a decision asks the
    /// ancestors all the same.
    pub scopes: TokenScopes,
    /// The first moment it is no longer good.
    pub valid_until: Option<Time>,
    /// When it was revoked. Final.
    pub revoked_at: Option<Time>,
}

impl Token {
    /// Whether it has expired at `now`.
    #[must_use]
    pub fn expired(&self, now: Time) -> bool {
        self.valid_until.is_some_and(|end| now >= end)
    }
}

/// A token with what its ancestors mean for it.
#[derive(Debug)]
pub(crate) struct HeldToken {
    pub(crate) token: Token,
    pub(super) home: Home,
    lineage: OnceLock<Lineage>,
}

impl HeldToken {
    pub(super) fn new(token: Token, home: Home) -> Self {
        Self { token, home, lineage: OnceLock::new() }
    }

    /// A record that knows nothing yet of its ancestors.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.token.clone(), self.home)
    }

    /// The fold of its ancestors, made on the first look with `find`.
    pub(super) fn lineage<'a>(&self, find: impl Fn(&TokenId) -> Option<&'a HeldToken>) -> &Lineage {
        self.lineage.get_or_init(|| Lineage::trace(&self.token, find))
    }
}

impl Keyed for HeldToken {
    fn key(&self) -> &str {
        self.token.token_id.as_str()
    }
}
