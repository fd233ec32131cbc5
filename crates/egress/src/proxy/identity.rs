//! Who asks, on one connection.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gate::{AuthError, Caller, Place};
use model::{PrincipalId, WorkspaceId};

use super::Inner;
use super::confined::{Confined, Names, Witness};
use super::limits::Account;
use super::refusal::Refusal;
use crate::dial::pool::Owner;

/// What those who ask are called in logs.
const REQUEST: &str = "proxy";
/// How long a credential counts as checked while policy stands still: its end may come by the clock alone.
const CHECKED: Duration = Duration::from_secs(1);

/// How a listener knows who asks.
pub enum Identity {
    /// By a key, a capability token or a credential made for the proxy, in `Proxy-Authorization` (Basic with it as the password, or Bearer) or
    /// as the password of SOCKS.
    Credential,
    /// By the user at the other end of a unix socket. Users that are not listed are refused.
    Peer(HashMap<u32, Peer>),
    /// All of it is one run's, and always enforced.
    Run(Box<Run>),
}

/// Whom a user of this machine asks as.
#[derive(Debug, Clone)]
pub struct Peer {
    /// In which workspace.
    pub workspace_id: WorkspaceId,
    /// As whom.
    pub principal_id: PrincipalId,
}

/// A run that has a listener of its own.
pub struct Run {
    /// Who asks.
    pub caller: Caller,
    /// What it is part of; checked.
    pub place: Place,
    /// What the addresses stand for that it asks for; without it they are what they are.
    pub names: Option<Arc<dyn Names>>,
    /// Who is told of every ruling.
    pub witness: Option<Arc<dyn Witness>>,
    /// Whether it is enforced: always, but in a test that takes this away.
    #[cfg(feature = "weaken")]
    pub enforced: bool,
}

impl Run {
    #[cfg(not(feature = "weaken"))]
    const fn is_enforced(&self) -> bool {
        true
    }

    #[cfg(feature = "weaken")]
    const fn is_enforced(&self) -> bool {
        self.enforced
    }

    /// A run without names and witness.
    #[must_use]
    pub fn new(caller: Caller, place: Place) -> Self {
        Self {
            caller,
            place,
            names: None,
            witness: None,
            #[cfg(feature = "weaken")]
            enforced: true,
        }
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin {
    /// The address, of TCP.
    pub(super) ip: Option<IpAddr>,
    /// The user, of a unix socket.
    pub(super) uid: Option<u32>,
    /// Whether it was meant for somebody else.
    pub(super) captured: bool,
}

impl Origin {
    /// A client at this address.
    pub(super) fn of(peer: SocketAddr) -> Self {
        Self { ip: Some(peer.ip()), ..Self::default() }
    }
}

/// Somebody who was let in.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) caller: Caller,
    pub(super) place: Place,
    pub(super) always_enforced: bool,
    pub(super) confined: Confined,
    pub(super) owner: Owner,
    pub(super) account: Arc<Account>,
    checked: Instant,
}

/// One connection's memory of who asks on it.
pub(super) struct Visitor {
    identity: Arc<Identity>,
    origin: Origin,
    credential: Box<[u8]>,
    asker: Option<Asker>,
}

impl Visitor {
    pub(super) fn new(identity: Arc<Identity>, origin: Origin) -> Self {
        Self { identity, origin, credential: Box::default(), asker: None }
    }

    /// Whether who asks is known without a word.
    pub(super) fn is_known(&self) -> bool {
        !matches!(*self.identity, Identity::Credential)
    }

    /// Lets in whoever shows `authorization`, the value of `Proxy-Authorization`.
    pub(super) async fn by_field(
        &mut self,
        inner: &Inner,
        authorization: Option<&[u8]>,
    ) -> Result<&mut Asker, Box<Refusal>> {
        if self.is_known() {
            return self.by_place(inner).await;
        }
        let Some(value) = authorization else { return Err(Refusal::challenge()) };
        if self.remembers(inner, value) {
            return self.asker.as_mut().ok_or_else(Refusal::challenge);
        }
        let credential = credential(value);
        self.by_text(inner, value, credential.as_deref()).await
    }

    /// Lets in whoever shows this key or token.
    pub(super) async fn by_password(&mut self, inner: &Inner, password: &[u8]) -> Result<&mut Asker, Box<Refusal>> {
        let text = std::str::from_utf8(password).ok();
        self.by_text(inner, password, text).await
    }

    /// Who asks again on a connection whose credential was shown once.
    pub(super) async fn again(&mut self, inner: &Inner) -> Result<&mut Asker, Box<Refusal>> {
        if self.is_known() {
            return self.by_place(inner).await;
        }
        let Some(asker) = &mut self.asker else { return Err(Refusal::challenge()) };
        if !asker.is_current(inner) {
            asker.refresh(inner).await?;
        }
        Ok(asker)
    }

    /// Lets in whom the listener itself names.
    pub(super) async fn by_place(&mut self, inner: &Inner) -> Result<&mut Asker, Box<Refusal>> {
        if self.asker.is_none() {
            let caller = match (&*self.identity, self.origin.uid) {
                (Identity::Run(run), _) => run.caller.clone(),
                (Identity::Peer(peers), Some(uid)) => {
                    let peer = peers.get(&uid).ok_or_else(Refusal::unknown_user)?;
                    inner.gate.inside(peer.workspace_id.clone(), peer.principal_id.clone(), REQUEST)
                }
                (Identity::Peer(_), None) => return Err(Refusal::unknown_user()),
                (Identity::Credential, _) => return Err(Refusal::challenge()),
            };
            let mut asker = Asker::new(inner, caller);
            if let Identity::Run(run) = &*self.identity {
                asker.place = run.place.clone();
                asker.always_enforced = run.is_enforced();
                asker.confined = self.confined();
            }
            self.asker = Some(asker);
        }
        let asker = self.asker.as_mut().ok_or_else(Refusal::challenge)?;
        if !asker.is_current(inner) {
            asker.refresh(inner).await?;
        }
        Ok(asker)
    }

    /// Whether what comes here was meant for somebody else.
    pub(super) fn is_captured(&self) -> bool {
        self.origin.captured
    }

    /// What is different about what is asked here.
    pub(super) fn confined(&self) -> Confined {
        match &*self.identity {
            Identity::Run(run) => {
                Confined { names: run.names.clone(), witness: run.witness.clone(), captured: self.origin.captured }
            }
            Identity::Credential | Identity::Peer(_) => Confined::default(),
        }
    }

    /// The memory of something that goes on beside this connection, as `asker`.
    pub(super) fn again_as(&self, asker: Asker) -> Self {
        let identity = Arc::clone(&self.identity);
        Self { identity, origin: self.origin, credential: self.credential.clone(), asker: Some(asker) }
    }

    /// Whose connections and whose counts those of who asks here are.
    pub(super) fn accounts(&self) -> Option<(Owner, Arc<Account>)> {
        self.asker.as_ref().map(|asker| (asker.owner.clone(), Arc::clone(&asker.account)))
    }

    fn remembers(&self, inner: &Inner, shown: &[u8]) -> bool {
        *self.credential == *shown && self.asker.as_ref().is_some_and(|asker| asker.is_current(inner))
    }

    async fn by_text(
        &mut self,
        inner: &Inner,
        shown: &[u8],
        credential: Option<&str>,
    ) -> Result<&mut Asker, Box<Refusal>> {
        self.asker = None;
        let let_in = match credential {
            Some(credential) => inner.gate.authenticate_proxy(credential, REQUEST).await,
            None => Err(AuthError::Unauthenticated),
        };
        match let_in {
            Ok((caller, place)) => {
                self.credential = shown.into();
                let always_enforced = caller.is_confined();
                Ok(self.asker.insert(Asker { place, always_enforced, ..Asker::new(inner, caller) }))
            }
            Err(AuthError::Unavailable(error)) => {
                tracing::warn!(%error, "a credential cannot be checked");
                Err(Refusal::event_log())
            }
            Err(_) if inner.strangers.failed(self.origin.ip) => Err(Refusal::challenge()),
            Err(_) => Err(Refusal::too_many_failures()),
        }
    }
}

impl Asker {
    fn new(inner: &Inner, caller: Caller) -> Self {
        Self {
            owner: Owner::new(&caller.workspace_id, caller.principal_id.as_str()),
            account: inner.accounts.of(&caller),
            caller,
            place: Place::default(),
            always_enforced: false,
            confined: Confined::default(),
            checked: Instant::now(),
        }
    }

    /// Whether nothing moved since it was let in.
    fn is_current(&self, inner: &Inner) -> bool {
        Arc::ptr_eq(&self.caller.view, &inner.gate.store().view()) && self.checked.elapsed() < CHECKED
    }

    async fn refresh(&mut self, inner: &Inner) -> Result<(), Box<Refusal>> {
        match inner.gate.fresh(self.caller.clone()).await {
            Ok(caller) => {
                self.caller = caller;
                self.checked = Instant::now();
                Ok(())
            }
            Err(AuthError::Unavailable(_)) => Err(Refusal::event_log()),
            Err(_) => Err(Refusal::challenge()),
        }
    }
}

/// The key or token in the value of `Proxy-Authorization`: behind `Bearer`, or the password of `Basic`; the
/// user name of `Basic` when there is no password.
fn credential(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(if password.is_empty() { user } else { password }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_stands_behind_bearer_or_as_the_password() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text)).into_bytes();
        for (value, want) in [
            (b"Bearer abc".to_vec(), Some("abc")),
            (b"bearer  abc ".to_vec(), Some("abc")),
            (basic("x:abc"), Some("abc")),
            (basic("x:a:bc"), Some("a:bc")),
            (basic("abc:"), Some("abc")),
            (basic("abc"), None),
            (b"Basic !!!".to_vec(), None),
            (b"Digest abc".to_vec(), None),
            (b"abc".to_vec(), None),
        ] {
            assert_eq!(credential(&value).as_deref(), want, "{}", String::from_utf8_lossy(&value));
        }
    }
}
