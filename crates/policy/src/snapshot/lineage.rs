//! What a token's ancestors mean for it, folded into one value that decisions read.
//!
//! It is made when a decision first looks, and belongs to one record: whenever a token is put, the
//! records of all tokens below it are replaced by fresh ones, so a fold never outlives what it was made
//! from, and a snapshot that a reader still holds keeps its own.

use imbl::OrdSet;
use model::scope::CompiledScopes;
use model::{Time, TokenId};
use smallvec::SmallVec;
use std::hash::BuildHasher;

use super::shelf::Seed;
use super::token::{HeldToken, Token};

/// How many ancestors a token may have.
pub(super) const ANCESTORS_MAX: usize = 3;

/// A token's ancestors, folded.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// The nearest ancestor that was revoked.
    pub(crate) revoked: Option<TokenId>,
    /// Whether an ancestor is missing, or there are more than can be. Then nothing may rest on it.
    pub(crate) broken: bool,
    /// The token's own scopes, then those of each ancestor that is not at least as wide, which must
    /// cover an ask as well. Delegated scopes are stored as the intersection, so there is seldom a
    /// second; it makes a row that some other program wrote too wide harmless.
    pub(crate) scopes: SmallVec<[CompiledScopes; 1]>,
    /// The first end among the ancestors.
    earliest: Option<Time>,
    ends: Vec<(Time, TokenId)>,
}

impl Lineage {
    /// Follows `token` to its root with `find`, which knows the tokens of its workspace.
    pub(super) fn trace<'a>(token: &Token, find: impl Fn(&TokenId) -> Option<&'a HeldToken>) -> Self {
        let own = CompiledScopes::from(&token.scopes);
        let mut lineage =
            Self { revoked: None, broken: false, scopes: SmallVec::new(), earliest: None, ends: Vec::new() };
        let mut wider_than_parent: SmallVec<[CompiledScopes; 1]> = SmallVec::new();
        let mut next = token.parent.as_ref();
        for _ in 0..ANCESTORS_MAX {
            let Some(id) = next else { break };
            let Some(HeldToken { token: ancestor, .. }) = find(id) else {
                lineage.broken = true;
                break;
            };
            if lineage.revoked.is_none() && ancestor.revoked_at.is_some() {
                lineage.revoked = Some(ancestor.token_id.clone());
            }
            if let Some(end) = ancestor.valid_until {
                lineage.ends.push((end, ancestor.token_id.clone()));
            }
            let theirs = CompiledScopes::from(&ancestor.scopes);
            if own.intersect(&theirs) != own {
                wider_than_parent.push(theirs);
            }
            next = ancestor.parent.as_ref();
        }
        // More than there can be; a cycle ends here too.
        lineage.broken |= next.is_some();
        lineage.earliest = lineage.ends.iter().map(|(end, _)| *end).min();
        lineage.scopes.push(own);
        lineage.scopes.extend(wider_than_parent);
        lineage
    }

    /// The nearest ancestor that has expired at `now`.
    pub(crate) fn expired(&self, now: Time) -> Option<&TokenId> {
        self.earliest.filter(|end| now >= *end)?;
        self.ends.iter().find(|(end, _)| now >= *end).map(|(_, id)| id)
    }
}

/// Which tokens were delegated from which: one ordered set, so that a parent of many is no dearer to
/// change than a parent of one. Parents are kept as hashes; two that share one only cause a record
/// too many to be made anew.
#[derive(Debug, Clone)]
pub(super) struct Delegations {
    seed: Seed,
    set: OrdSet<(u64, TokenId)>,
}

impl Delegations {
    pub(super) fn new() -> Self {
        Self { seed: Seed::default(), set: OrdSet::new() }
    }

    /// Notes that `token` now has its parent and no longer that of `before`.
    pub(super) fn note(&mut self, token: &Token, before: Option<&Token>) {
        let parent_before = before.and_then(|token| token.parent.as_ref());
        if parent_before == token.parent.as_ref() {
            return;
        }
        if let Some(parent) = parent_before {
            self.set.remove(&(self.seed.hash_one(parent), token.token_id.clone()));
        }
        if let Some(parent) = &token.parent {
            self.set.insert((self.seed.hash_one(parent), token.token_id.clone()));
        }
    }

    /// The tokens below `id`, as far as a lineage reaches.
    pub(super) fn below(&self, id: &TokenId) -> Vec<TokenId> {
        let mut found = Vec::new();
        self.collect(id, ANCESTORS_MAX, &mut found);
        found
    }

    fn collect(&self, id: &TokenId, levels: usize, found: &mut Vec<TokenId>) {
        let Some(levels) = levels.checked_sub(1) else { return };
        if self.set.is_empty() {
            return;
        }
        let parent = self.seed.hash_one(id);
        let first = (parent, TokenId::from_stored(String::new()));
        for (_, child) in self.set.range(first..).take_while(|(each, _)| *each == parent) {
            found.push(child.clone());
            self.collect(child, levels, found);
        }
    }
}
