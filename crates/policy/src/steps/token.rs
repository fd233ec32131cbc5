//! Step 2: the capability token is known, live, the asker's own, and so is all it was delegated from.

use model::ReasonCode;

use super::Finding;
use crate::case::{Case, Chain, Shown};
use crate::snapshot::token::{HeldToken, Token};

pub(super) fn run(case: &Case<'_>) -> Finding {
    match &case.token {
        Shown::Nothing if case.ask.token_required => {
            Finding::deny(ReasonCode::CapabilityTokenRequired).because("demanded by the key or run")
        }
        Shown::Nothing if case.settings.require_capability_token => {
            Finding::deny(ReasonCode::CapabilityTokenRequired).because("demanded by the workspace")
        }
        Shown::Nothing => Finding::SKIPPED,
        Shown::Unknown => Finding::deny(ReasonCode::CapabilityTokenNotFound),
        Shown::Known(chain) => known(case, chain),
    }
}

fn known(case: &Case<'_>, chain: &Chain<'_>) -> Finding {
    let Some((HeldToken { token, .. }, ancestors)) = chain.tokens.split_first() else {
        return Finding::deny(ReasonCode::CapabilityTokenNotFound);
    };
    if token.revoked_at.is_some() {
        return deny(ReasonCode::CapabilityTokenRevoked, token);
    }
    if token.expired(case.now) {
        return deny(ReasonCode::CapabilityTokenExpired, token);
    }
    if case.asker != Some(&token.issued_to) {
        return deny(ReasonCode::CapabilityTokenPrincipalMismatch, token);
    }
    if let Some(revoked) = ancestors.iter().map(|held| &held.token).find(|each| each.revoked_at.is_some()) {
        return deny(ReasonCode::CapabilityTokenParentRevoked, revoked);
    }
    if chain.broken {
        // A parent that is not there cannot be live. Fail closed.
        return Finding::deny(ReasonCode::CapabilityTokenParentRevoked).because("an ancestor is missing");
    }
    if let Some(expired) = ancestors.iter().map(|held| &held.token).find(|each| each.expired(case.now)) {
        return deny(ReasonCode::CapabilityTokenParentExpired, expired);
    }
    Finding::PASSED
}

fn deny(reason: ReasonCode, token: &Token) -> Finding {
    Finding::deny(reason).because(token.token_id.as_str().to_owned())
}
