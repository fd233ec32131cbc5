//! What the scope steps 2a to 2e share: a token covers what it and every ancestor covers.
//!
//! Delegated scopes are stored as the intersection already. Asking each ancestor again costs a few
//! look-ups and makes a row that some other program wrote too wide harmless.

use std::collections::BTreeSet;

use model::{ReasonCode, TokenScopes};

use super::Finding;
use crate::case::{Case, Chain, Shown};

/// The reasons of one scope step.
pub(super) struct Reasons {
    /// The list is empty.
    pub(super) required: ReasonCode,
    /// The list does not cover it.
    pub(super) not_allowed: ReasonCode,
}

/// The known token of the ask. Scopes of an unknown one cannot be looked at.
pub(super) fn chain<'c, 'a>(case: &'c Case<'a>) -> Option<&'c Chain<'a>> {
    match &case.token {
        Shown::Known(chain) => Some(chain),
        Shown::Nothing | Shown::Unknown => None,
    }
}

/// Whether a token of the chain lacks the list.
pub(super) fn lacks<'a>(chain: &Chain<'a>, list: impl Fn(&'a TokenScopes) -> &'a BTreeSet<String>) -> bool {
    chain.tokens.iter().any(|token| list(&token.scopes).is_empty())
}

/// Passes when the list of every token of the chain has `*` or satisfies `covers`.
pub(super) fn check<'a>(
    chain: &Chain<'a>,
    reasons: &Reasons,
    list: impl Fn(&'a TokenScopes) -> &'a BTreeSet<String> + Copy,
    covers: impl Fn(&BTreeSet<String>) -> bool,
) -> Finding {
    if lacks(chain, list) {
        return Finding::deny(reasons.required);
    }
    if chain.tokens.iter().map(|token| list(&token.scopes)).all(|list| list.contains("*") || covers(list)) {
        Finding::PASSED
    } else {
        Finding::deny(reasons.not_allowed)
    }
}
