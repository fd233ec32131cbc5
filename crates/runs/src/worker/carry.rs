//! Carrying out what a tool asked for: a request is sent, redirects are asked for one by one, and what
//! came of it is what the tool gave.
//!
//! Each hop is a command of its own, recorded before a byte leaves. The other side is told by a key that is
//! the same on every attempt which effect this is; where it does not honour keys, an attempt that was
//! cut off in the middle is not blindly repeated: see [`uncertain`].

use std::sync::Arc;
use std::time::Duration;

use egress::fetch::{FetchRequest, Fetched, Fetcher};
use gate::wording::Wording;
use gate::{Caller, EgressSettled, Fence, GateError, Leave, OnBehalf, Permit, Place, PreparedEgress, Refusal};
use http::{HeaderName, HeaderValue};
use model::event::Stream;
use model::{EgressRequestId, EventId, StepId, Time};
use serde_json::{Value, json};
use store::rows::RunRow;
use store::{Command, Reads, SubmitError, Tx};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::advance::{Begun, blocked};
use super::{ACTOR, Worker};
use crate::claim::Taken;
use crate::http::{HttpRequest, REDIRECTS_MAX, Redirect};
use crate::machine::{Event, Failure};
use crate::plan::{Plan, Tool};

/// LIMIT: how much of an answer's text is kept.
const KEPT_BYTES: usize = 16 * 1024;
/// Fields of an answer that are kept.
const KEPT_FIELDS: [&str; 12] = [
    "age",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "x-request-id",
];

/// For whom and in which step something is carried out.
pub(super) struct Errand<'a> {
    pub(super) caller: &'a Caller,
    pub(super) taken: &'a Taken,
    pub(super) run: &'a Arc<RunRow>,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) step_id: &'a StepId,
    pub(super) place: Place,
    /// Whose the tool call is.
    pub(super) principal: Option<String>,
    /// The place of the step in the run.
    pub(super) ordinal: usize,
    pub(super) times_out_at: Option<Time>,
    /// Ends when the run is no longer this worker's.
    pub(super) lost: &'a CancellationToken,
}

/// Why an attempt that was cut off is not repeated.
pub(super) fn uncertain() -> Failure {
    let message = "An earlier attempt was cut off after the request may have been sent; it is not sent twice";
    Failure::coded("http", "effect_uncertain", message, Tool::HttpRequest.name())
}

fn failed(code: &str, message: &str) -> Event {
    Event::Broken(Failure::coded("http", code, message, Tool::HttpRequest.name()))
}

/// The decision of one hop, ready to be settled, for whom a plan says.
pub(super) async fn prepare(
    worker: &Worker,
    caller: &Caller,
    run: &RunRow,
    plan: &Plan,
    place: &Place,
    principal: Option<&str>,
    request: &HttpRequest,
) -> Result<PreparedEgress, GateError> {
    // What leaves is seen here, so a credential in it is a matter of the decision.
    let strays = |fetcher: &Fetcher| fetcher.strays(&request.target, &request.headers, &request.body);
    let leave = Leave {
        place: place.clone(),
        credentials: worker.fetcher.as_ref().map(strays).unwrap_or_default(),
        ..Leave::request(request.target.clone(), request.method.as_str())
    };
    let zone = super::drive::zone(plan);
    let on_behalf = OnBehalf::of((model::ActorType::Service.as_str(), ACTOR), principal, Some(zone.as_str()))
        .with_token(plan.policy.capability_token_id.as_deref())
        .correlated(run.correlation_id.as_str());
    worker.runs.gate().prepare_leave(caller, &leave, &on_behalf).await
}

impl Worker {
    /// Sends a request that was recorded, and follows where it leads. Gives what came of it, and moves
    /// the cause of what is recorded next.
    pub(super) async fn carry_out(
        &self,
        errand: &Errand<'_>,
        request: &HttpRequest,
        permit: Option<Permit>,
        begun: &mut Begun,
    ) -> Result<Event, GateError> {
        let Some(fetcher) = &self.fetcher else {
            return Ok(failed("tool_unavailable", "This worker has no way out"));
        };
        let Some(mut permit) = permit else {
            return Ok(failed("worker_error", "The request was recorded and could not be sent"));
        };
        let until = Instant::now() + errand.time_left().map_or(request.timeout, |left| left.min(request.timeout));
        let mut trail: Vec<EgressRequestId> = Vec::new();
        let mut request = request.clone();
        let attempt = HeaderValue::from(errand.taken.epoch);
        loop {
            trail.push(permit.egress_request_id().clone());
            let key = key(errand, trail.len());
            let mut headers = request.headers.clone();
            if let Ok(key) = HeaderValue::from_str(&key) {
                headers.insert(HeaderName::from_static("idempotency-key"), key);
            }
            headers.insert(HeaderName::from_static("exeat-attempt"), attempt.clone());
            let fetch = FetchRequest {
                method: request.method.clone(),
                headers,
                body: request.body.clone(),
                bytes_max: request.bytes_max,
                kept_bytes_max: KEPT_BYTES,
                until,
            };
            let fetched = match fetcher.fetch(permit, fetch).await {
                Ok(fetched) => fetched,
                Err(error) => return Ok(failed(error.code(), &error.to_string())),
            };
            let location = fetched.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
            let next = match request.follow_redirects {
                true => request.redirect(fetched.status, location),
                false => Redirect::None,
            };
            let next = match next {
                Redirect::None => return Ok(gave(&request, &fetched, &trail)),
                Redirect::Refused(code, message) => return Ok(failed(code, message)),
                Redirect::To(next) => next,
            };
            if trail.len() > REDIRECTS_MAX {
                return Ok(failed("too_many_redirects", "The answer redirects for the sixth time"));
            }
            request = *next;
            permit = match self.hop(errand, &request, begun).await? {
                Ok(permit) => permit,
                Err(event) => return Ok(event),
            };
        }
    }

    /// Asks for a redirect's target and records the answer.
    async fn hop(
        &self,
        errand: &Errand<'_>,
        request: &HttpRequest,
        begun: &mut Begun,
    ) -> Result<Result<Permit, Event>, GateError> {
        let gate = self.runs.gate();
        let mut caller = errand.caller.clone();
        loop {
            let of = (errand.run, errand.plan, &errand.place, errand.principal.as_deref());
            let prepared = match prepare(self, &caller, of.0, of.1, of.2, of.3, request).await {
                Ok(prepared) => Arc::new(prepared),
                Err(GateError::Refused(refusal)) => {
                    let name = Tool::HttpRequest.name();
                    return Ok(Err(Event::Broken(Failure::coded("egress", refusal.code, &refusal.detail, name))));
                }
                Err(error) => return Err(error),
            };
            let fence = Fence::new(errand.run.run_id.clone(), Some(errand.taken.claim_token.clone()));
            let cause = begun.cause.clone();
            let hop = Hop { run: Arc::clone(errand.run), fence, prepared: Arc::clone(&prepared), cause };
            match gate.store().submit(hop).await {
                Ok(recorded) => {
                    gate.forget_used(prepared.once()).await;
                    begun.cause = Some(recorded.get().last_event_id.clone());
                    if let Some(failure) = blocked(recorded.get(), &Tool::HttpRequest) {
                        return Ok(Err(Event::Blocked(failure)));
                    }
                    let permit = prepared.permit(gate, &recorded);
                    return Ok(permit.ok_or_else(|| failed("worker_error", "The redirect could not be followed")));
                }
                Err(SubmitError::Stale) => {
                    caller = gate.fresh(caller).await.map_err(|_| GateError::Unauthenticated)?;
                }
                Err(SubmitError::Refused(refusal)) => return Err(GateError::Refused(refusal)),
                Err(SubmitError::Unavailable(error)) => return Err(GateError::Unavailable(error)),
                Err(SubmitError::Failed(error)) => return Err(GateError::Failed(error)),
            }
        }
    }
}

impl Errand<'_> {
    /// How long the run has left, when its time is limited.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let end = self.times_out_at?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        Some(Duration::from_millis(u64::try_from(end.as_millis().saturating_sub(now)).unwrap_or(0)))
    }
}

/// The same on every attempt: the run, the step, and the place of the effect in it.
fn key(errand: &Errand<'_>, hop: usize) -> String {
    let hop = if hop > 1 { format!(".{hop}") } else { String::new() };
    format!("{}/{}/{}{hop}", errand.run.run_id, errand.step_id, errand.ordinal)
}

/// What the tool gave.
fn gave(request: &HttpRequest, fetched: &Fetched, trail: &[EgressRequestId]) -> Event {
    let mut wording = Wording::new();
    let fields: serde_json::Map<String, Value> = KEPT_FIELDS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), fetched.headers.get(*name)?.to_str().ok()?)))
        .map(|(name, value)| (name, json!(wording.clean(value))))
        .collect();
    let mut output = json!({
        "ok": fetched.status < 400,
        "source": ACTOR,
        "egress_request_id": trail.last(),
        "status": fetched.status,
        "headers": fields,
        "bytes": fetched.bytes,
        "body_sha256": fetched.digest,
        "truncated": fetched.truncated,
    });
    if let Some(members) = output.as_object_mut() {
        if trail.len() > 1 {
            members.insert("egress_request_ids".to_owned(), json!(trail));
        }
        // What is no text is only digested.
        if let Some(text) = text(&fetched.kept) {
            members.insert("body".to_owned(), json!(wording.clean(text)));
            members.insert("body_cut".to_owned(), json!(fetched.bytes > text.len() as u64));
        }
    }
    if request.fail_on_status && fetched.status >= 400 {
        let message = format!("The answer has status {}", fetched.status);
        let mut failure = Failure::coded("http", "error_status", &message, Tool::HttpRequest.name());
        if let Some(members) = failure.error.as_object_mut() {
            members.insert("response".to_owned(), output);
        }
        return Event::Broken(failure);
    }
    Event::Finished(output)
}

/// The text at the beginning of an answer; none when it is no text. A character cut in half at the end is
/// left out.
fn text(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok(),
        Err(_) => None,
    }
    .filter(|text| !text.contains('\0'))
}

/// One redirect, asked for and recorded while the run is still this worker's.
struct Hop {
    run: Arc<RunRow>,
    fence: Fence,
    prepared: Arc<PreparedEgress>,
    cause: Option<EventId>,
}

impl Command for Hop {
    type Output = EgressSettled;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.fence.reads(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        self.prepared.reads(reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<EgressSettled, Refusal> {
        self.fence.check(tx)?;
        Ok(self.prepared.settle(tx, self.cause.clone()))
    }
}
