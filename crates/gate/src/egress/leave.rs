//! A request that whoever asks is going to carry out: a proxied request, a tunnel, a tool that fetches.
//!
//! It is decided first ([`Gate::intend`]), and once the decision says yes and nothing in the batch can
//! say otherwise, the way may be prepared: a [`Clearance`] lets a name be resolved and a connection be
//! opened. Only [`Gate::commit`] gives the [`Permit`] without which no byte may leave.

use std::borrow::Cow;
use std::sync::Arc;

use model::ask::{CONNECT, EgressSubject, Subject, Tunnel};
use model::{Action, ReasonCode, TargetUrl, WorkspaceId};
use policy::decide;
use serde_json::Value;
use store::{DbError, SubmitError};

use super::record::RecordEgress;
use super::{Decided, EgressOutput, PreparedEgress, Terms};
use crate::ask::{Asked, FirstUse, Request, Trouble, Where};
use crate::gateway::Life;
use crate::identity::Claims;
use crate::permit::Effect;
use crate::submit::Patience;
use crate::{Caller, Gate, GateError, Permit, Place, Refusal, clock};

/// What is to be carried out. The action follows from it and is nobody's to name.
#[derive(Debug, Clone)]
pub struct Leave {
    /// Where to. Of a tunnel `https://host:port/`.
    pub target: TargetUrl,
    /// The method, upper-case; of a tunnel `CONNECT`.
    pub method: String,
    /// Set when a tunnel is asked for.
    pub tunnel: Option<Tunnel>,
    /// Whether the connection becomes something else (`Upgrade`): then it can write whatever the method.
    pub upgrade: bool,
    /// Kinds of credentials seen on their way to a host that is not their home; then it is denied.
    pub credentials: Vec<&'static str>,
    /// What it is part of.
    pub place: Place,
    /// Whether a decision that is not an allow blocks whatever the mode of the workspace.
    pub always_enforced: bool,
    /// Kept as the events' policy context.
    pub context: Option<Arc<Value>>,
}

impl Leave {
    /// One request.
    #[must_use]
    pub fn request(target: TargetUrl, method: impl Into<String>) -> Self {
        Self {
            target,
            method: method.into(),
            tunnel: None,
            upgrade: false,
            credentials: Vec::new(),
            place: Place::default(),
            always_enforced: false,
            context: None,
        }
    }

    /// A tunnel; `target` is `https://host:port/`.
    #[must_use]
    pub fn tunnel(target: TargetUrl, kind: Tunnel) -> Self {
        Self { tunnel: Some(kind), ..Self::request(target, CONNECT) }
    }

    /// What it does: safe methods read, all others write, and so does what cannot be seen.
    #[must_use]
    pub fn action(&self) -> Action {
        let safe = Action::is_safe_method(&self.method);
        if safe && self.tunnel.is_none() && !self.upgrade { Action::external_read() } else { Action::external_write() }
    }

    fn subject(&self) -> Subject {
        Subject::Egress(EgressSubject {
            target_domain: Some(self.target.domain().to_owned()),
            target: Some(self.target.clone()),
            method: Some(self.method.clone()),
            tunnel: self.tunnel,
            credentials: self.credentials.iter().map(|kind| (*kind).to_owned()).collect(),
        })
    }
}

/// What was decided and is not recorded yet.
pub struct Intent {
    caller: Caller,
    leave: Leave,
    decided: Decided,
    life: Life,
    patience: Patience,
}

impl Intent {
    /// Leave to prepare the way while the decision is being recorded; none when it says no, asks, or
    /// rests on something that only the batch can settle (a quota, an approval for one use).
    #[must_use]
    pub fn clearance(&self) -> Option<Clearance> {
        (self.decided.settled && !self.decided.blocked).then(|| Clearance::of(&self.decided.effect))
    }
}

/// The decision lets it pass: the name may be resolved and a connection opened, but nothing sent.
#[derive(Debug, Clone)]
pub struct Clearance {
    target: TargetUrl,
    workspace_id: WorkspaceId,
}

impl Clearance {
    pub(crate) fn of(effect: &Effect) -> Self {
        Self { target: effect.target.clone(), workspace_id: effect.context.workspace_id.clone() }
    }

    /// The normalised host: a name, or an address (of version 6 without brackets).
    #[must_use]
    pub fn host(&self) -> &str {
        self.target.domain()
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.target.port()
    }

    /// The whole target.
    #[must_use]
    pub fn target(&self) -> &TargetUrl {
        &self.target
    }

    /// The workspace.
    #[must_use]
    pub fn workspace_id(&self) -> &WorkspaceId {
        &self.workspace_id
    }
}

/// What was recorded.
#[derive(Debug)]
#[must_use]
pub struct Ruled {
    /// The decision.
    pub answer: EgressOutput,
    /// Leave to carry it out, unless it is blocked.
    pub permit: Option<Permit>,
}

impl Gate {
    /// Decides what is to be carried out. Nothing is recorded yet.
    ///
    /// # Errors
    /// See [`GateError`]; [`GateError::Unavailable`] also while the store has not heard of this process for
    /// so long that others may take it for dead.
    pub async fn intend(&self, caller: &Caller, leave: Leave) -> Result<Intent, GateError> {
        // In a box, so that whoever holds a connection open does not hold this open with it.
        Box::pin(self.intend_within(caller, leave, Patience::new())).await
    }

    /// Whether a rule lets anything through a tunnel to this target, not only TLS. Decides nothing that
    /// counts: who goes on asks for that tunnel.
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn opaque_tunnel(&self, caller: &Caller, leave: &Leave) -> Result<bool, GateError> {
        let leave = Leave { tunnel: Some(Tunnel::Opaque), ..leave.clone() };
        let patience = Patience::new();
        let mut caller = Cow::Borrowed(caller);
        loop {
            match self.ask_leave(&caller, &leave, None).await {
                Ok(asked) => {
                    let decision = decide(&asked.view.snapshot, &asked.ask, clock::now(), &[]);
                    return Ok(decision.reason_code == ReasonCode::PolicyAllows);
                }
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }

    async fn intend_within(&self, caller: &Caller, leave: Leave, patience: Patience) -> Result<Intent, GateError> {
        let life = self.life().await?;
        let mut caller = Cow::Borrowed(caller);
        loop {
            match self.decide_leave(&caller, &leave, &life, None).await {
                Ok(decided) => return Ok(Intent { caller: caller.into_owned(), leave, decided, life, patience }),
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }

    /// Records what was decided; when policy moved meanwhile, what is decided now.
    ///
    /// # Errors
    /// See [`GateError`]; then nothing may leave.
    ///
    /// # Cancel safety
    /// When the future is dropped the request may be recorded; its outcome is then recorded as cut.
    pub async fn commit(&self, intent: Intent) -> Result<Ruled, GateError> {
        Box::pin(self.commit_boxed(intent)).await
    }

    async fn commit_boxed(&self, mut intent: Intent) -> Result<Ruled, GateError> {
        loop {
            let Intent { caller, leave, decided, life, patience } = intent;
            let Decided { command, effect, used, .. } = decided;
            match self.submit_leave(command, effect, life).await {
                Ok(ruled) => {
                    self.forget_used(&used).await;
                    return Ok(ruled);
                }
                Err(SubmitError::Stale) => {
                    let caller = self.recover(&caller, Trouble::Stale, &patience).await?;
                    intent = self.intend_within(&caller, leave, patience).await?;
                }
                Err(error) => return Err(crate::submit::plain_error(error)),
            }
        }
    }

    /// Records one, whether or not anybody waits for it any more: a permit that nobody takes is dropped,
    /// and the request has its outcome.
    async fn submit_leave(
        &self,
        command: RecordEgress,
        effect: Arc<Effect>,
        life: Life,
    ) -> Result<Ruled, SubmitError<Refusal>> {
        let gone = |what: &str| SubmitError::Unavailable(DbError::Lost(what.to_owned()));
        let gateway = self.gateway_started().ok_or_else(|| gone("the gateway was not started"))?;
        let store = self.store().clone();
        let recording = tokio::spawn(async move {
            let recorded = store.submit(command).await?;
            let permit = Permit::from_recorded(gateway, &recorded, &effect, life);
            Ok(Ruled { answer: recorded.into_inner().answer, permit })
        });
        recording.await.unwrap_or_else(|_| Err(gone("the recording was ended")))
    }

    /// Decides what a run's tool is to carry out, at a place that the caller has checked, to be settled
    /// in a command of the caller's own; [`PreparedEgress::permit`] then gives the permit.
    ///
    /// # Errors
    /// As [`Gate::intend`].
    pub async fn prepare_leave(
        &self,
        caller: &Caller,
        leave: &Leave,
        on_behalf: &OnBehalf<'_>,
    ) -> Result<PreparedEgress, GateError> {
        let life = self.life().await?;
        let patience = Patience::new();
        let mut caller = Cow::Borrowed(caller);
        loop {
            match self.decide_leave(&caller, leave, &life, Some(on_behalf)).await {
                Ok(decided) => return Ok(PreparedEgress { decided, life: Some(life) }),
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }

    async fn decide_leave(
        &self,
        caller: &Caller,
        leave: &Leave,
        life: &Life,
        on_behalf: Option<&OnBehalf<'_>>,
    ) -> Result<Decided, Trouble> {
        let asked = self.ask_leave(caller, leave, on_behalf).await?;
        let gateway = Some(life.id.clone());
        let terms = Terms { fence: None, gateway, always_enforced: leave.always_enforced };
        self.decided(caller, asked, leave.target.clone(), terms)
    }

    async fn ask_leave(
        &self,
        caller: &Caller,
        leave: &Leave,
        on_behalf: Option<&OnBehalf<'_>>,
    ) -> Result<Asked, Trouble> {
        let own = match caller.errand() {
            Some(errand) => {
                errand.may_ask(&leave.target).map_err(GateError::from)?;
                errand.on_behalf()
            }
            None => OnBehalf::default(),
        };
        let of = on_behalf.unwrap_or(&own);
        let request = Request {
            action: leave.action(),
            subject: leave.subject(),
            claims: of.claims,
            place: Where::Known(&leave.place),
            token_id: of.capability_token_id,
            correlation_id: of.correlation_id,
            context: leave.context.as_deref(),
        };
        self.asked(caller, request, FirstUse::Ensure).await
    }
}

/// For whom a caller that speaks for others has something carried out.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnBehalf<'a> {
    claims: Claims<'a>,
    capability_token_id: Option<&'a str>,
    correlation_id: Option<&'a str>,
}

impl<'a> OnBehalf<'a> {
    /// For an actor, its principal, in a zone.
    #[must_use]
    pub fn of(actor: (&'a str, &'a str), principal_id: Option<&'a str>, zone: Option<&'a str>) -> Self {
        let claims = Claims { actor_type: Some(actor.0), actor_id: Some(actor.1), principal_id, zone };
        Self { claims, ..Self::default() }
    }

    /// For the caller itself, in a zone.
    pub(crate) fn in_zone(zone: Option<&'a str>) -> Self {
        Self { claims: Claims { zone, ..Claims::default() }, ..Self::default() }
    }

    /// With this capability token.
    #[must_use]
    pub fn with_token(self, capability_token_id: Option<&'a str>) -> Self {
        Self { capability_token_id, ..self }
    }

    /// As part of what has this correlation.
    #[must_use]
    pub fn correlated(self, correlation_id: &'a str) -> Self {
        Self { correlation_id: Some(correlation_id), ..self }
    }
}
