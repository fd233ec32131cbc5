//! Step 2: the capability token is known, live, the asker's own, and so is all it was delegated from.

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
        Shown::Nothing => Finding::SKIPPED,
        Shown::Unknown => Finding::deny(ReasonCode::CapabilityTokenNotFound),
        Shown::Known(chain) => known(case, chain),
    }
}

fn known(case: &Case<'_>, chain: &Chain<'_>) -> Finding {
    let Chain { token, lineage } = chain;
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
    match lineage.expired(case.now) {
        Some(ancestor) => deny(ReasonCode::CapabilityTokenParentExpired, ancestor),
        None => Finding::PASSED,
    }
}

fn deny(reason: ReasonCode, token: &TokenId) -> Finding {
    Finding::deny(reason).because(token.as_str().to_owned())
}
