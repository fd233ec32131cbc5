//! Step 2: the capability token is known, live, the asker's own, and so is all it was delegated from;
//! and its caveats leave this moment, run and zone. (How often it may still be used is counted where
//! the decision is recorded.)

use model::capability::Narrowing;
use model::{ReasonCode, TokenId};

use super::Finding;
use crate::case::{Case, Chain, Shown};

pub(super) fn run(case: &Case<'_>) -> Finding {
    match &case.token {
        Shown::Nothing if case.ask.token_required => {
            Finding::deny(ReasonCode::CapabilityTokenRequired).because("demanded by the key or run")
        }
        Shown::Nothing if case.settings.require_capability_token => {
            Finding::deny(ReasonCode::CapabilityTokenRequired).because("demanded by the workspace")
        }
        // What a token leaves says nothing without the token.
        Shown::Nothing if case.ask.narrowing.is_some() => Finding::deny(ReasonCode::CapabilityTokenRequired),
        Shown::Nothing => Finding::SKIPPED,
        Shown::Unknown => Finding::deny(ReasonCode::CapabilityTokenNotFound),
        Shown::Known(chain) => known(case, chain),
    }
}

fn known(case: &Case<'_>, chain: &Chain<'_>) -> Finding {
    let Chain { token, lineage, narrowing } = chain;
    if token.revoked_at.is_some() {
        return deny(ReasonCode::CapabilityTokenRevoked, &token.token_id);
    }
    if token.expired(case.now) {
        return deny(ReasonCode::CapabilityTokenExpired, &token.token_id);
    }
    if case.asker != Some(&token.issued_to) {
        return deny(ReasonCode::CapabilityTokenPrincipalMismatch, &token.token_id);
    }
    if let Some(ancestor) = &lineage.revoked {
        return deny(ReasonCode::CapabilityTokenParentRevoked, ancestor);
    }
    if lineage.broken {
        // A parent that is not there cannot be live. Fail closed.
        return Finding::deny(ReasonCode::CapabilityTokenParentRevoked).because("an ancestor is missing");
    }
    if let Some(ancestor) = lineage.expired(case.now) {
        return deny(ReasonCode::CapabilityTokenParentExpired, ancestor);
    }
    narrowing.map_or(Finding::PASSED, |narrowing| left_by(case, narrowing))
}

/// Whether the caveats that are no lists leave this ask.
fn left_by(case: &Case<'_>, narrowing: &Narrowing) -> Finding {
    if narrowing.expired(case.now) {
        return Finding::deny(ReasonCode::CapabilityTokenExpired).because("by a caveat");
    }
    if !narrowing.covers_run(case.ask.run_id.as_ref()) {
        return Finding::deny(ReasonCode::CapabilityCaveatRunMismatch);
    }
    match narrowing.zone() {
        Some(most) if case.ask.zone_or_default() > most => {
            Finding::deny(ReasonCode::CapabilityCaveatZoneExceeded).because(most.as_str())
        }
        _ => Finding::PASSED,
    }
}

fn deny(reason: ReasonCode, token: &TokenId) -> Finding {
    Finding::deny(reason).because(token.as_str().to_owned())
}
