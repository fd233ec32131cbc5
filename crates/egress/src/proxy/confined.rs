//! What a guarded call adds to an ask: names for its synthetic addresses, and somebody who is told of every ruling.
//!
//! A jail resolves names to addresses that mean something to that call only. Here they become names again, on
//! every carrier, before anything is asked: policy never sees a synthetic address. One that was given to no
//! name is refused; it can only have been guessed.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use gate::Leave;
use model::{ApprovalId, EgressRequestId, Outcome, ReasonCode};
use wire::Authority;
use wire::authority::Host;

use super::admit::Admitted;
use super::refusal::Refusal;

/// What an address stands for, to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// A name that was resolved to it.
    Name(Arc<str>),
    /// No name, although it is a synthetic one.
    Unknown,
    /// Itself.
    Address,
}

/// The names of a call.
pub trait Names: Send + Sync {
    /// What an address stands for. Asked for every address that is asked for; must not block.
    fn name_of(&self, address: IpAddr) -> Naming;
}

/// Who is told what was decided of a call's asks.
pub trait Witness: Send + Sync {
    /// Something was ruled. The client has its answer once the future has ended; it may wait for a record to
    /// be durable, no longer.
    fn ruled(&self, ruling: Ruling) -> BoxFuture<'_, ()>;
}

/// What was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The host in its normal form: a name where the address stood for one.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The method; `CONNECT` of a tunnel and of what could not be read.
    pub method: String,
    /// The path, of a request that the gate decided.
    pub path: Option<String>,
    /// What the gate decided; `None` when it was refused before it was asked.
    pub decision: Option<Outcome>,
    /// Whether it did not leave because it may not. An ask that was allowed and did not get there is not blocked.
    pub blocked: bool,
    /// Why, as a stable code; `event_log_failure` when nothing could be recorded.
    pub reason_code: &'static str,
    /// Its record.
    pub egress_request_id: Option<EgressRequestId>,
    /// The approval that is asked for.
    pub approval_id: Option<ApprovalId>,
    /// Whether the client used no proxy.
    pub captured: bool,
}

/// What is different about the asks of a connection because a guarded call makes them; nothing, by default.
#[derive(Clone, Default)]
pub(super) struct Confined {
    pub(super) names: Option<Arc<dyn Names>>,
    pub(super) witness: Option<Arc<dyn Witness>>,
    pub(super) captured: bool,
}

impl fmt::Debug for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confined").field("captured", &self.captured).finish_non_exhaustive()
    }
}

impl Confined {
    /// Where `authority` leads, with a name in place of a synthetic address.
    ///
    /// # Errors
    /// 403 `name_unknown` for a synthetic address that was given to no name.
    pub(super) fn named<'a>(&self, authority: &'a Authority) -> Result<Cow<'a, Authority>, Box<Refusal>> {
        let (Some(names), Some(address)) = (&self.names, authority.host().ip()) else {
            return Ok(Cow::Borrowed(authority));
        };
        match names.name_of(address) {
            Naming::Address => Ok(Cow::Borrowed(authority)),
            Naming::Unknown => Err(Refusal::name_unknown()),
            Naming::Name(name) => {
                let host = Host::of_bytes(name.as_bytes()).map_err(Refusal::fault)?;
                Authority::new(host, authority.port()).map(Cow::Owned).map_err(Refusal::fault)
            }
        }
    }

    /// Tells what became of an ask that has a record.
    pub(super) async fn tell(&self, asked: &Asked, result: &Result<Box<Admitted>, Box<Refusal>>) {
        let Some(witness) = &self.witness else { return };
        let mut ruling = self.ruling(asked);
        match result {
            Ok(admitted) => {
                ruling.decision = Some(Outcome::Allow);
                ruling.reason_code = admitted.reason.as_str();
                ruling.egress_request_id = Some(admitted.id.clone());
            }
            Err(refusal) => {
                let Some(record) = &refusal.record else { return };
                let asks = record.approval_id.is_some() && refusal.retryable;
                ruling.decision = Some(match (asks, refusal.is_blocked()) {
                    (true, _) => Outcome::RequireApproval,
                    (false, true) => Outcome::Deny,
                    (false, false) => Outcome::Allow,
                });
                ruling.blocked = refusal.is_blocked();
                ruling.reason_code = refusal.code;
                ruling.egress_request_id = Some(record.id.clone());
                ruling.approval_id.clone_from(&record.approval_id);
            }
        }
        witness.ruled(ruling).await;
    }

    /// Tells of an ask that was refused before it had a record.
    pub(super) async fn tell_unasked(&self, authority: &Authority, method: &str, refusal: &Refusal) {
        if refusal.record.is_none() {
            self.tell_refused(Asked::of(authority, method), refusal.code).await;
        }
    }

    /// Tells of something that was let out and cut for what it was.
    pub(super) async fn tell_refused(&self, asked: Asked, code: &'static str) {
        let Some(witness) = &self.witness else { return };
        witness.ruled(Ruling { blocked: true, reason_code: code, ..self.ruling(&asked) }).await;
    }

    fn ruling(&self, asked: &Asked) -> Ruling {
        Ruling {
            host: asked.host.clone(),
            port: asked.port,
            method: asked.method.clone(),
            path: asked.path.clone(),
            decision: None,
            blocked: false,
            reason_code: ReasonCode::PolicyAllows.as_str(),
            egress_request_id: None,
            approval_id: None,
            captured: self.captured,
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    host: String,
    port: u16,
    method: String,
    path: Option<String>,
}

impl Asked {
    /// What is asked of the gate.
    pub(super) fn of_leave(leave: &Leave) -> Self {
        Self {
            host: leave.target.domain().to_owned(),
            port: leave.target.port(),
            method: leave.method.clone(),
            path: leave.tunnel.is_none().then(|| leave.target.path().to_owned()),
        }
    }

    /// A place, without what is wanted there.
    pub(super) fn of(authority: &Authority, method: &str) -> Self {
        Self { host: authority.host().domain(), port: authority.port(), method: method.to_owned(), path: None }
    }
}
