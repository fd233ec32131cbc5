//! What the scope steps 2a to 2e share: a token covers what it, every ancestor and every caveat covers.
//!
//! Usually that is its own scopes alone: see [`crate::snapshot::lineage::Lineage::scopes`].

use model::ReasonCode;
use model::scope::CompiledScopes;

use super::Finding;
use crate::case::{Case, Chain, Shown};

/// One list of a token's scopes: whether it is missing, and the reasons of its step.
pub(super) struct List {
    /// Whether the scopes lack it.
    pub(super) is_empty: fn(&CompiledScopes) -> bool,
    /// The reason when a token of the chain lacks it.
    pub(super) required: ReasonCode,
    /// The reason when it does not cover the ask.
    pub(super) not_allowed: ReasonCode,
}

/// The known token of the ask. Scopes of an unknown one cannot be looked at.
pub(super) fn chain<'c, 'a>(case: &'c Case<'a>) -> Option<&'c Chain<'a>> {
    match &case.token {
        Shown::Known(chain) => Some(chain),
        Shown::Nothing | Shown::Unknown => None,
    }
}

/// Denies when a token of the chain lacks the list, else when one does not cover the ask.
pub(super) fn check(chain: &Chain<'_>, list: &List, covers: impl Fn(&CompiledScopes) -> bool) -> Finding {
    if scopes(chain).any(list.is_empty) {
        Finding::deny(list.required)
    } else if scopes(chain).all(covers) {
        Finding::PASSED
    } else {
        Finding::deny(list.not_allowed)
    }
}

/// Denies an ask that does not say what the list is about, for `missing` unless the list is lacking.
pub(super) fn unsaid(chain: &Chain<'_>, list: &List, missing: ReasonCode) -> Finding {
    let lacking = scopes(chain).any(list.is_empty);
    Finding::deny(if lacking { list.required } else { missing })
}

/// Everything that must cover the ask.
fn scopes<'c>(chain: &'c Chain<'_>) -> impl Iterator<Item = &'c CompiledScopes> {
    let caveats = chain.narrowing.map_or(&[][..], |narrowing| narrowing.scopes());
    chain.lineage.scopes.iter().chain(caveats)
}
