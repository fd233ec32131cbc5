//! A no, and everything that is said with it: the same facts on every carrier.

mod http1;
mod page;
mod problem;

use std::borrow::Cow;
use std::sync::Arc;

use gate::{EgressOutput, GateError};
use model::{ApprovalId, EgressRequestId, Outcome, ReasonCode};
use wire::Fault;
use wire::socks::Reply;

use super::identity::Asker;
use super::limits::Exceeded;
use crate::dial::{DialError, Retry};
use crate::upstream::{Decided, UpstreamFault};

pub(super) use http1::Form;

/// Why a request does not go out.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The error type of `Proxy-Status` (RFC 9209).
    pub(super) kind: &'static str,
    /// The stable code.
    pub(super) code: &'static str,
    /// One sentence for people.
    pub(super) detail: Cow<'static, str>,
    /// What to do about it, in a sentence or a command.
    pub(super) next: Option<Cow<'static, str>>,
    /// Seconds after which trying again can help by itself.
    pub(super) retry_after_s: Option<u32>,
    /// Whether the same request may pass later.
    pub(super) retryable: bool,
    /// What it was recorded as.
    pub(super) record: Option<Record>,
    /// Whether to ask for credentials.
    pub(super) challenge: bool,
    /// Whether the connection cannot be read further.
    pub(super) close: bool,
    /// The answer in SOCKS.
    pub(super) socks: Reply,
    /// What another exeat in the way answered: passed on as it is.
    pub(super) decided: Option<Arc<Decided>>,
}

/// A recorded decision behind a refusal.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: EgressRequestId,
    /// The approval that is asked for, while it is.
    pub(super) approval_id: Option<ApprovalId>,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            status,
            kind,
            code,
            detail: detail.into(),
            next: None,
            retry_after_s: None,
            retryable: false,
            record: None,
            challenge: false,
            close: false,
            socks: Reply::NotAllowed,
            decided: None,
        })
    }

    fn next(mut self: Box<Self>, next: impl Into<Cow<'static, str>>) -> Box<Self> {
        self.next = Some(next.into());
        self
    }

    fn again_after(mut self: Box<Self>, seconds: u32) -> Box<Self> {
        self.retry_after_s = Some(seconds);
        self.retryable = true;
        self
    }

    /// The decision says no, or asks.
    pub(super) fn decided(answer: &EgressOutput, asker: &Asker) -> Box<Self> {
        let code = answer.reason_code;
        let asks = answer.decision == Outcome::RequireApproval;
        let kind = match code {
            ReasonCode::DestinationDenied => "destination_ip_prohibited",
            _ => "http_request_denied",
        };
        let mut refusal = Self::new(403, kind, code.as_str(), code.sentence());
        let approval_id = answer.approval_id.clone().filter(|_| asks);
        refusal.next = Some(match (&approval_id, code) {
            (Some(id), _) => Cow::Owned(format!("exeat approvals approve {id}")),
            (None, ReasonCode::NoPolicyPermits) => {
                let agent = asker.caller.actor();
                Cow::Owned(format!("exeat policy allow {} --agent {}", answer.target_domain, agent.id))
            }
            (None, _) => Cow::Borrowed(code.remedy()),
        });
        if asks {
            refusal = refusal.again_after(5);
        } else if code == ReasonCode::QuotaExceeded {
            refusal = refusal.again_after(60);
        }
        refusal.record = Some(Record { id: answer.egress_request_id.clone(), approval_id });
        refusal
    }

    /// The same where nobody can be asked.
    pub(super) fn without_approvers(mut self: Box<Self>, host: &str) -> Box<Self> {
        let Some(approval) = self.record.as_mut().map(|record| record.approval_id.take()) else { return self };
        if approval.is_some() {
            self.next = Some(Cow::Owned(format!("exeat exec --allow {host}")));
            self.retry_after_s = None;
            self.retryable = false;
        }
        self
    }

    /// A human said no, or nobody can any more.
    pub(super) fn said_no(mut self: Box<Self>) -> Box<Self> {
        self.detail = Cow::Borrowed("the approval that was asked for was denied or has ended");
        self.next = None;
        self.retry_after_s = None;
        self.retryable = false;
        self
    }

    /// The destination was allowed and not reached.
    pub(super) fn dial(error: DialError, id: EgressRequestId) -> Box<Self> {
        let mut refusal = Self::new(error.http_status(), error.proxy_status(), error.code(), error.to_string());
        if matches!(error, DialError::Refused(_)) {
            refusal.next = Some(Cow::Borrowed(ReasonCode::DestinationDenied.remedy()));
        }
        if error.retry() == Retry::Later {
            refusal = refusal.again_after(1);
        }
        refusal.socks = match error.socks_reply() {
            2 => Reply::NotAllowed,
            3 => Reply::NetworkUnreachable,
            4 => Reply::HostUnreachable,
            5 => Reply::ConnectionRefused,
            _ => Reply::Failure,
        };
        refusal.record = Some(Record { id, approval_id: None });
        if let DialError::Upstream(UpstreamFault::Decided(decided)) = error {
            refusal.status = decided.status;
            refusal.decided = Some(decided);
        }
        refusal
    }

    /// The gate gave no decision.
    pub(super) fn gate(error: &GateError) -> Box<Self> {
        match error {
            GateError::Refused(refused) => Self::new(403, "http_request_denied", refused.code, refused.detail.clone()),
            GateError::Unauthenticated => Self::challenge(),
            GateError::KeyReused | GateError::Unavailable(_) | GateError::Failed(_) => {
                tracing::warn!(%error, "a request was refused because it cannot be recorded");
                Self::event_log()
            }
        }
    }

    /// It cannot be recorded, so nothing was sent.
    pub(super) fn event_log() -> Box<Self> {
        let detail = "the event log cannot be reached or written; nothing was sent";
        let mut refusal = Self::new(503, "proxy_internal_error", "event_log_failure", detail).again_after(1);
        refusal.socks = Reply::Failure;
        refusal
    }

    /// Nobody has said who asks, or not rightly.
    pub(super) fn challenge() -> Box<Self> {
        let detail = "say who asks: a key or capability token as the password of Proxy-Authorization";
        let mut refusal = Self::new(407, "http_request_denied", "proxy_authentication_required", detail)
            .next("set http_proxy and https_proxy to http://x:KEY@HOST:PORT, as `exeat proxy env` prints");
        refusal.challenge = true;
        refusal
    }

    /// A synthetic address that stands for no name.
    pub(super) fn name_unknown() -> Box<Self> {
        let detail = "this address was given to no name: resolve the name first";
        Self::new(403, "destination_ip_prohibited", "name_unknown", detail)
    }

    /// A request on a connection to one name that is for another.
    pub(super) fn host_mismatch() -> Box<Self> {
        let detail = "the Host field differs from the name that this connection was opened for";
        let mut refusal = Self::new(403, "http_request_denied", "host_mismatch", detail);
        refusal.close = true;
        refusal
    }

    /// The user at the other end of a unix socket is nobody here.
    pub(super) fn unknown_user() -> Box<Self> {
        Self::new(403, "http_request_denied", "unknown_user", "the user at the other end of this socket is not listed")
    }

    /// Too many bad credentials from one address.
    pub(super) fn too_many_failures() -> Box<Self> {
        let detail = "too many bad credentials came from this address";
        let mut refusal =
            Self::new(429, "http_request_denied", "too_many_authentication_failures", detail).again_after(60);
        refusal.close = true;
        refusal
    }

    /// A limit of the principal.
    pub(super) fn limit(exceeded: Exceeded) -> Box<Self> {
        Self::new(429, "http_request_denied", exceeded.code(), exceeded.detail()).again_after(exceeded.retry_after_s())
    }

    /// What was sent can be read in two ways, or in none.
    pub(super) fn fault(fault: Fault) -> Box<Self> {
        let mut refusal = Self::new(fault.status(), "http_request_error", fault.code(), fault.to_string());
        refusal.close = true;
        refusal.socks = Reply::Failure;
        refusal
    }

    /// Bytes that are not what a place is for.
    pub(super) fn malformed(code: &'static str, detail: &'static str) -> Box<Self> {
        let mut refusal = Self::new(400, "http_request_error", code, detail);
        refusal.close = true;
        refusal.socks = Reply::Failure;
        refusal
    }

    /// The head did not come in time.
    pub(super) fn head_timeout() -> Box<Self> {
        let detail = "the head of the request did not come in time";
        let mut refusal = Self::new(408, "http_request_error", "request_timeout", detail);
        refusal.close = true;
        refusal
    }

    /// The request came through here before.
    pub(super) fn looped() -> Box<Self> {
        let detail = "the request came through this proxy before";
        Self::new(502, "proxy_loop_detected", "proxy_loop_detected", detail)
    }

    /// The other side gave no answer that can be passed on.
    pub(super) fn answer(
        code: &'static str,
        kind: &'static str,
        detail: &'static str,
        id: EgressRequestId,
    ) -> Box<Self> {
        let status = if kind == "connection_read_timeout" { 504 } else { 502 };
        let mut refusal = Self::new(status, kind, code, detail);
        refusal.record = Some(Record { id, approval_id: None });
        refusal
    }

    /// It was cut before anything was answered.
    pub(super) fn cut(code: &'static str, detail: &'static str, id: EgressRequestId) -> Box<Self> {
        let mut refusal = Self::new(403, "http_request_denied", code, detail);
        refusal.record = Some(Record { id, approval_id: None });
        refusal.close = true;
        refusal
    }

    /// What the method, the protocol or the place does not allow.
    pub(super) fn unsupported(code: &'static str, detail: &'static str) -> Box<Self> {
        Self::new(400, "http_request_error", code, detail)
    }

    /// The reason phrase, for those clients that show nothing else.
    pub(super) fn phrase(&self) -> Cow<'_, str> {
        if let Some(decided) = &self.decided {
            return Cow::Borrowed(&decided.phrase);
        }
        match (&self.record, self.status) {
            (Some(record), _) if self.is_blocked() => Cow::Owned(format!("Blocked by exeat {}", record.id)),
            (_, 403) => Cow::Borrowed("Blocked by exeat"),
            (_, 407) => Cow::Borrowed("Proxy Authentication Required"),
            (_, status) => {
                let known = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
                Cow::Borrowed(known.unwrap_or("Refused"))
            }
        }
    }

    /// Whether it is a decision and no fault.
    pub(super) fn is_blocked(&self) -> bool {
        self.status == 403
    }

    /// The value of `Proxy-Status`.
    pub(super) fn proxy_status(&self) -> String {
        match &self.record {
            Some(record) => format!("exeat; error={}; details=\"{} {}\"", self.kind, self.code, record.id),
            None => format!("exeat; error={}; details=\"{}\"", self.kind, self.code),
        }
    }
}
