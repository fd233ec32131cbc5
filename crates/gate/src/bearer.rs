//! Capability tokens as credentials: who shows one is let in as the principal it was issued to, as an
//! agent, and asks with that token and its caveats and no other.
//!
//! Nothing that could let anybody in is stored: a token's secret follows from the install secret and
//! the token's id. Checking a text is a pure function of both, so it is remembered; whether the token
//! and what it was delegated from live is read from the view every time.

mod seen;

use std::sync::Arc;

use model::capability::{Bearer, Narrowing, Verified, mint};
use model::{KeyId, Role, Time, TokenId, WorkspaceId};
use policy::Token;
use sha2::{Digest as _, Sha256};
use store::View;

use crate::caller::{Standing, is_gone};
use crate::uses::Counter;
use crate::{AuthError, Caller, Gate, clock};

pub(crate) use seen::Seen;

/// What a caller that showed a token is tied to.
pub(crate) struct Bound {
    workspace_id: WorkspaceId,
    pub(crate) token_id: TokenId,
    /// What its caveats leave, when it was narrowed.
    pub(crate) narrowing: Option<Arc<Narrowing>>,
    /// The caveats that count.
    pub(crate) uses: Arc<[Counter]>,
    /// What tells its holders apart from those of a wider one.
    key_id: KeyId,
}

impl Bound {
    /// Whether the token, all it was delegated from and every caveat are good at `now`.
    pub(crate) fn lives(&self, view: &View, now: Time) -> bool {
        view.snapshot.token_lives(&self.workspace_id, &self.token_id, now)
            && !self.narrowing.as_ref().is_some_and(|narrowing| narrowing.expired(now))
    }
}

impl Gate {
    /// The bearer form of a token that was granted: to be shown once, never to be stored.
    pub(crate) fn bearer_form(&self, workspace_id: &WorkspaceId, token_id: &TokenId) -> String {
        mint(token_id, &self.secret().of_token(workspace_id.as_str(), token_id.as_str()))
    }

    pub(crate) async fn authenticate_token(
        &self,
        text: &str,
        workspace: Option<&str>,
        request_id: &str,
    ) -> Result<Caller, AuthError> {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let mut view = self.store().view();
        let bound = match self.seen().get(&digest) {
            Some(bound) => bound,
            None => {
                let bearer = Bearer::parse(text).map_err(|_| AuthError::Unauthenticated)?;
                if view.snapshot.token_anywhere(bearer.token_id()).is_none() {
                    let learnt = self.store().learn_token(bearer.token_id()).await;
                    view = learnt.map_err(AuthError::Unavailable)?;
                }
                let token = view.snapshot.token_anywhere(bearer.token_id());
                let bound = Arc::new(self.bound(&bearer, token).ok_or(AuthError::Unauthenticated)?);
                self.seen().put(digest, &bound);
                bound
            }
        };
        let token = view.snapshot.token(&bound.workspace_id, &bound.token_id).cloned();
        let token = token.filter(|_| bound.lives(&view, clock::now())).ok_or(AuthError::Unauthenticated)?;
        let named = workspace.map(str::trim).filter(|text| !text.is_empty());
        if named.is_some_and(|named| named != token.workspace_id.as_str()) {
            return Err(AuthError::Forbidden);
        }
        if view.snapshot.principal(&token.workspace_id, &token.issued_to).is_none() {
            view = self.store().learn_principal(token.issued_to.as_str()).await.map_err(AuthError::Unavailable)?;
        }
        if is_gone(&view, &token.workspace_id, &token.issued_to) {
            return Err(AuthError::Unauthenticated);
        }
        Ok(Caller {
            key_id: bound.key_id.clone(),
            role: Role::Agent,
            workspace_id: token.workspace_id,
            principal_id: token.issued_to,
            request_id: request_id.to_owned(),
            view,
            standing: Standing::Token(bound),
        })
    }

    /// What a text is good for; none unless it was made from the token's secret.
    fn bound(&self, bearer: &Bearer<'_>, token: Option<&Token>) -> Option<Bound> {
        // An unknown token costs the same hashing as a known one.
        let workspace = token.map_or("", |token| token.workspace_id.as_str());
        let secret = self.secret().of_token(workspace, bearer.token_id());
        let Verified { narrowing, links } = bearer.verify(&secret)?;
        let token = token?;
        let mut key_id = format!("cap1.{}", token.token_id);
        if let Some(last) = links.last() {
            // An answer that is given again under an idempotency key must not reach a narrower token.
            key_id.push('.');
            key_id.extend(self.secret().digest("capability-holder", &last.mac).chars().take(32));
        }
        let counter = |(caveats, link): (&[model::capability::Caveat], &model::capability::Link)| {
            let uses = caveats.last()?.uses?;
            Some(Counter {
                chain: self.secret().digest("capability-uses", &link.mac),
                token_id: token.token_id.clone(),
                uses,
                ends_at: caveats.iter().filter_map(|caveat| caveat.expires_at).chain(token.valid_until).min(),
            })
        };
        let caveats = narrowing.as_ref().map_or(&[][..], |narrowing| narrowing.caveats());
        let prefixes = (1..=caveats.len()).filter_map(|count| caveats.get(..count));
        let uses = prefixes.zip(&links).filter_map(counter).collect();
        Some(Bound {
            workspace_id: token.workspace_id.clone(),
            token_id: token.token_id.clone(),
            narrowing: narrowing.map(Arc::new),
            uses,
            key_id: KeyId::from_stored(key_id),
        })
    }
}
