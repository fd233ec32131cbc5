//! The one place where a request, whatever it came in by, is decided, written down, held, and its way
//! opened. Every carrier ends here with an [`Ask`], and goes on with what was [`Admitted`].

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use gate::{Admission, Clearance, EgressOutput, Ending, Intent, Leave, Permit};
use model::approval::ApprovalStatus;
use model::{ApprovalId, EgressRequestId, Mode, Outcome, ReasonCode};
use tokio::time::Instant;

use super::Inner;
use super::config::Approvers;
use super::confined::Asked;
use super::exchange::Carrier;
use super::identity::Asker;
use super::refusal::Refusal;
use crate::dial::pool::Reserved;
use crate::dial::{Approach, Crossing, DialError, Line};

/// What somebody wants to go out.
pub(super) struct Ask<'a> {
    pub(super) asker: &'a Asker,
    pub(super) leave: Leave,
    /// Whether a connection that was kept will do.
    pub(super) reuse: bool,
}

/// What may go out, and the way.
pub(super) struct Admitted {
    pub(super) way: Way,
    pub(super) id: EgressRequestId,
    pub(super) admission: Admission,
    /// Why it may.
    pub(super) reason: ReasonCode,
    /// Shadow: it passes although the decision says otherwise, so nothing about it is to be broken.
    pub(super) advisory: bool,
    /// Whether what is seen on the way is enforced.
    pub(super) enforced: bool,
}

/// An open way to exactly the place that was allowed.
pub(super) enum Way {
    Kept(Box<Carrier>, Crossing),
    New(Line),
}

enum Attempt {
    Open(Box<Admitted>),
    Blocked(Box<EgressOutput>),
}

/// Decides and records an ask, holds it while a human decides, and opens the way.
///
/// `gone` ends when the client has gone away; then nobody waits any longer.
pub(super) async fn admit(
    inner: &Inner,
    ask: Ask<'_>,
    gone: impl Future<Output = ()>,
) -> Result<Box<Admitted>, Box<Refusal>> {
    let asked = ask.asker.confined.witness.is_some().then(|| (&ask.asker.confined, Asked::of_leave(&ask.leave)));
    let result = decide(inner, ask, gone).await;
    if let Some((confined, asked)) = asked {
        confined.tell(&asked, &result).await;
    }
    result
}

async fn decide(inner: &Inner, ask: Ask<'_>, gone: impl Future<Output = ()>) -> Result<Box<Admitted>, Box<Refusal>> {
    let Ask { asker, leave, reuse } = ask;
    let leave = Leave { place: asker.place.clone(), always_enforced: asker.always_enforced, ..leave };
    let answer = match attempt(inner, asker, leave.clone(), reuse).await? {
        Attempt::Open(admitted) => return Ok(admitted),
        Attempt::Blocked(answer) => answer,
    };
    if inner.config.hold.is_zero() || answer.decision != Outcome::RequireApproval {
        return Err(refused(inner, asker, &answer));
    }
    Box::pin(held_then_again(inner, Ask { asker, leave, reuse }, answer, gone)).await
}

/// Holds what needs an approval, and asks again once that is given.
async fn held_then_again(
    inner: &Inner,
    ask: Ask<'_>,
    answer: Box<EgressOutput>,
    gone: impl Future<Output = ()>,
) -> Result<Box<Admitted>, Box<Refusal>> {
    let Ask { asker, leave, reuse } = ask;
    let Some((approval, _slot)) = answer.approval_id.clone().zip(asker.account.hold()) else {
        return Err(refused(inner, asker, &answer));
    };
    match held(inner, asker, &approval, gone).await {
        ApprovalStatus::Approved => match attempt(inner, asker, leave, reuse).await? {
            Attempt::Open(admitted) => Ok(admitted),
            // Somebody else was faster with an approval for one use.
            Attempt::Blocked(answer) => Err(refused(inner, asker, &answer)),
        },
        ApprovalStatus::Pending => Err(refused(inner, asker, &answer)),
        _ => Err(Refusal::said_no(refused(inner, asker, &answer))),
    }
}

fn refused(inner: &Inner, asker: &Asker, answer: &EgressOutput) -> Box<Refusal> {
    inner.meters.refused(answer.decision);
    let refusal = Refusal::decided(answer, asker);
    match inner.config.approvers {
        Approvers::People => refusal,
        Approvers::Nobody => refusal.without_approvers(&answer.target_domain),
    }
}

async fn held(inner: &Inner, asker: &Asker, approval: &ApprovalId, gone: impl Future<Output = ()>) -> ApprovalStatus {
    let until = Instant::now() + inner.config.hold;
    let mut gone = pin!(gone);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = pin!(inner.gate.wait_for_approval(&asker.caller.workspace_id, approval, left));
        match select(wait, gone.as_mut()).await {
            Either::Left((ApprovalStatus::Pending, _)) if until > Instant::now() + Duration::from_millis(5) => {}
            Either::Left((status, _)) => return status,
            Either::Right(((), _)) => return ApprovalStatus::Pending,
        }
    }
}

async fn attempt(inner: &Inner, asker: &Asker, leave: Leave, reuse: bool) -> Result<Attempt, Box<Refusal>> {
    let intent = inner.gate.intend(&asker.caller, leave).await.map_err(|error| Refusal::gate(&error))?;
    let Some(clearance) = intent.clearance() else { return Box::pin(settle_first(inner, intent)).await };
    match reuse.then(|| inner.pool.reserve(&asker.owner, &clearance)).flatten() {
        Some(reserved) => kept(inner, intent, reserved).await,
        None => Box::pin(both_at_once(inner, intent, clearance)).await,
    }
}

/// What only the batch can settle, or blocks: nothing is looked up before it is recorded.
async fn settle_first(inner: &Inner, intent: Intent) -> Result<Attempt, Box<Refusal>> {
    let (answer, permit) = commit(inner, intent).await?;
    let Some(permit) = permit else { return Ok(Attempt::Blocked(Box::new(answer))) };
    let approach = inner.dialer.approach(&permit.clearance()).await;
    enter(inner, &answer, permit, approach).await
}

/// A connection that was kept: it waits for the record.
async fn kept(inner: &Inner, intent: Intent, reserved: Reserved<Box<Carrier>>) -> Result<Attempt, Box<Refusal>> {
    let (answer, permit) = commit(inner, intent).await?;
    let Some(permit) = permit else { return Ok(Attempt::Blocked(Box::new(answer))) };
    let admission = permit.admission();
    match reserved.enter(permit) {
        Ok((carrier, crossing)) => Ok(open(inner, &answer, Way::Kept(carrier, crossing), admission)),
        Err(error) => Err(Refusal::dial(error.finish(), answer.egress_request_id)),
    }
}

/// A new connection: it is made while the decision is being written down.
async fn both_at_once(inner: &Inner, intent: Intent, clearance: Clearance) -> Result<Attempt, Box<Refusal>> {
    let commit = pin!(commit(inner, intent));
    let approach = pin!(inner.dialer.approach(&clearance));
    let (ruled, approach) = match select(commit, approach).await {
        Either::Left((ruled, approach)) => match ruled? {
            (answer, None) => return Ok(Attempt::Blocked(Box::new(answer))),
            ruled => (ruled, approach.await),
        },
        Either::Right((approach, commit)) => (commit.await?, approach),
    };
    match ruled {
        (answer, None) => Ok(Attempt::Blocked(Box::new(answer))),
        (answer, Some(permit)) => enter(inner, &answer, permit, approach).await,
    }
}

async fn commit(inner: &Inner, intent: Intent) -> Result<(EgressOutput, Option<Permit>), Box<Refusal>> {
    let ruled = Box::pin(inner.gate.commit(intent)).await.map_err(|error| Refusal::gate(&error))?;
    Ok((ruled.answer, ruled.permit))
}

async fn enter(
    inner: &Inner,
    answer: &EgressOutput,
    permit: Permit,
    approach: Result<Approach, DialError>,
) -> Result<Attempt, Box<Refusal>> {
    let admission = permit.admission();
    let entered = match approach {
        Ok(approach) => approach.enter(permit).await.map_err(|error| error.finish()),
        Err(error) => {
            permit.execute().finish(Ending::failed(error.code()));
            Err(error)
        }
    };
    match entered {
        Ok(line) => Ok(open(inner, answer, Way::New(line), admission)),
        Err(error) => {
            inner.meters.unreached(error.code());
            Err(Refusal::dial(error, answer.egress_request_id.clone()))
        }
    }
}

fn open(inner: &Inner, answer: &EgressOutput, way: Way, admission: Admission) -> Attempt {
    inner.meters.admitted(answer.decision);
    Attempt::Open(Box::new(Admitted {
        way,
        id: answer.egress_request_id.clone(),
        admission,
        reason: answer.reason_code,
        advisory: answer.decision != Outcome::Allow,
        enforced: answer.enforcement_mode == Mode::Enforce,
    }))
}
