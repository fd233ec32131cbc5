//! Taking runs: by the worker of this process, or by one that asks over HTTP.
//!
//! One command takes many. Whatever stands in the way of a run is put in order on the way: a lease
//! that is over, a time that is over, an approval that was denied.

use std::collections::BTreeMap;
use std::time::Duration;

use gate::change::{By, Facts};
use gate::wording::name;
use gate::{Caller, GateError, Refusal};
use model::approval::ApprovalStatus;
use model::run::RunStatus;
use model::{ClaimToken, PrincipalId, RoomId, RunId, Time, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::{ApprovalRow, LeaseRow, QueueRow, RunRow, WaitRow};
use store::{Claim, ClaimKind, Command, Reads, Tx};

use crate::Runs;
use crate::attempt::Holder;
use crate::error::not_approved;
use crate::record::{Author, End};

/// LIMIT: the most runs in one claim.
const CLAIM_MAX: u64 = 100;
/// LIMIT: lease lengths, in seconds.
const LEASE_SECONDS: std::ops::RangeInclusive<u64> = 1..=3_600;
const LEASE_SECONDS_DEFAULT: u64 = 30;

/// Runs that an external worker wants.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimRunsInput {
    /// Of this room only.
    pub room_id: Option<String>,
    /// How many at most, 1 to 100; one when left out.
    pub limit: Option<u64>,
    /// How long the lease is, 1 to 3,600 seconds; 30 when left out.
    pub lease_seconds: Option<u64>,
}

/// A run that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimedRun {
    /// The run, as `GET /v1/runs/{id}` shows it.
    #[serde(flatten)]
    pub run: Value,
    /// To be shown with everything that is written into the run.
    pub claim_token: ClaimToken,
    /// When the lease is over.
    pub lease_expires_at: Time,
}

/// What an external worker got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimRunsOutput {
    /// Whether it got any.
    pub claimed: bool,
    /// The first.
    pub run: Option<ClaimedRun>,
    /// All.
    pub runs: Vec<ClaimedRun>,
}

impl Runs {
    /// Takes queued runs, and those whose worker was not heard of.
    ///
    /// # Errors
    /// 400 `invalid_request`; 404 `room_not_found`; see [`GateError`].
    pub async fn claim(&self, caller: &Caller, input: ClaimRunsInput) -> Result<ClaimRunsOutput, GateError> {
        let limit = input.limit.unwrap_or(1);
        let lease = input.lease_seconds.unwrap_or(LEASE_SECONDS_DEFAULT);
        let read = || {
            if !(1..=CLAIM_MAX).contains(&limit) {
                return Err(Refusal::invalid_field("/limit", format!("1 to {CLAIM_MAX}")));
            }
            if !LEASE_SECONDS.contains(&lease) {
                let (least, most) = (LEASE_SECONDS.start(), LEASE_SECONDS.end());
                return Err(Refusal::invalid_field("/lease_seconds", format!("{least} to {most}")));
            }
            if input.room_id.is_some() && name(input.room_id.as_deref()).is_none() {
                return Err(Refusal::invalid_field("/room_id", "is not a room"));
            }
            Ok(())
        };
        self.gate.told(caller, read()).await?;
        let mut wording = gate::wording::Wording::new();
        let room = input.room_id.as_deref();
        let place = match self.gate.place(&caller.workspace_id, room, None, None, None, &mut wording).await {
            Err(GateError::Refused(refusal)) => self.gate.told(caller, Err(refusal)).await?,
            outcome => outcome?,
        };
        let limit = u32::try_from(limit).unwrap_or(1);
        let workspace = caller.workspace_id.clone();
        let claimed = self
            .gate
            .record(caller, |caller| {
                let by = By::of(caller);
                let holder = Holder { author: Author::of(&by), lease: Duration::from_secs(lease) };
                let claims = ClaimRuns::claims(&workspace, place.room_id.as_ref(), limit);
                Ok(ClaimRuns { by: Some(by), holder, limit, claims })
            })
            .await?;
        let runs: Vec<ClaimedRun> = claimed.taken.into_iter().map(Taken::answered).collect();
        Ok(ClaimRunsOutput { claimed: !runs.is_empty(), run: runs.first().cloned(), runs })
    }
}

/// A run that was taken, with all that its worker needs.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) run: RunRow,
    pub(crate) claim_token: ClaimToken,
    pub(crate) epoch: i64,
    pub(crate) lease_expires_at: Time,
    pub(crate) times_out_at: Option<Time>,
    /// The principal in whose name the run is driven.
    pub(crate) principal_id: Option<PrincipalId>,
    /// Whether somebody has worked on it before.
    pub(crate) begun: bool,
}

impl Taken {
    fn answered(self) -> ClaimedRun {
        ClaimedRun {
            run: serde_json::to_value(&self.run).unwrap_or(Value::Null),
            claim_token: self.claim_token,
            lease_expires_at: self.lease_expires_at,
        }
    }
}

/// What a claim came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claimed {
    pub(crate) taken: Vec<Taken>,
    /// How many runs were looked at.
    pub(crate) scanned: u64,
    /// How many ended on the way: out of time, out of attempts, not approved.
    pub(crate) failed: u64,
}

pub(crate) struct ClaimRuns {
    /// Who asks over HTTP; none for the worker of this process.
    pub(crate) by: Option<By>,
    pub(crate) holder: Holder,
    pub(crate) limit: u32,
    pub(crate) claims: BTreeMap<Claim, u32>,
}

impl ClaimRuns {
    /// What an external worker may take.
    fn claims(workspace: &WorkspaceId, room: Option<&RoomId>, limit: u32) -> BTreeMap<Claim, u32> {
        let of = |kind| Claim { kind, workspace_id: Some(workspace.clone()), room_id: room.cloned(), actor: None };
        [ClaimKind::Ready, ClaimKind::Expired, ClaimKind::TimedOut].map(|kind| (of(kind), limit)).into()
    }

    fn take(&self, tx: &mut Tx<'_>, kind: ClaimKind, run: &RunId) -> Option<(LeaseRow, bool)> {
        let key = [run.as_str()];
        let lease = match kind {
            ClaimKind::Ready => {
                let queued = tx.get::<QueueRow>(&key).cloned()?;
                let begun = tx.get::<RunRow>(&key).is_some_and(|run| run.attempt_no > 0);
                return Some((self.holder.take_queued(tx, &queued)?, begun));
            }
            ClaimKind::Expired => {
                let lease = tx.get::<LeaseRow>(&key).cloned()?;
                if lease.times_out_at.is_some_and(|end| end <= tx.now()) {
                    self.holder.author.end(tx, run, End::timed_out());
                    return None;
                }
                self.holder.take_expired(tx, &lease)?
            }
            ClaimKind::TimedOut => {
                self.holder.author.end(tx, run, End::timed_out());
                return None;
            }
            ClaimKind::Decided => {
                let wait = tx.get::<WaitRow>(&key).cloned()?;
                self.after_decision(tx, &wait)?
            }
        };
        Some((lease, true))
    }

    /// A run that waited goes on when it was approved, and fails when it was not. An approval that
    /// ended because policy moved tells nothing: the run goes on, and the gate is asked anew.
    fn after_decision(&self, tx: &mut Tx<'_>, wait: &WaitRow) -> Option<LeaseRow> {
        let approval = tx.get::<ApprovalRow>(&[wait.approval_id.as_str()]).cloned();
        let moot = approval.as_ref().is_some_and(|row| {
            row.status == ApprovalStatus::Expired && row.expires_at.is_none_or(|end| end > tx.now())
        });
        let code = match approval.as_ref().map(|row| row.status) {
            Some(ApprovalStatus::Approved) => return self.holder.take_waiting(tx, wait),
            Some(ApprovalStatus::Expired) if moot => return self.holder.take_waiting(tx, wait),
            Some(ApprovalStatus::Denied) => "approval_denied",
            Some(ApprovalStatus::Revoked) => "approval_revoked",
            Some(ApprovalStatus::Expired | ApprovalStatus::Pending | ApprovalStatus::Held) | None => "approval_expired",
        };
        let reason = approval.and_then(|row| row.reason);
        let error = not_approved(code, &wait.approval_id, reason.as_deref());
        let message = match code {
            "approval_denied" => "The approval it waited for was denied",
            "approval_revoked" => "The approval it waited for was taken back",
            _ => "The approval it waited for expired",
        };
        let facts = Facts::new().with("message", message).with("error", error);
        self.holder.author.end(tx, &wait.run_id, End::failed(facts, false));
        None
    }

    /// The runs found, in the order they are to be taken: those that block somebody first, then a
    /// turn for each workspace.
    fn in_turn(&self, tx: &Tx<'_>) -> Vec<(ClaimKind, RunId)> {
        let mut first = Vec::new();
        let mut turns: Vec<std::vec::IntoIter<RunId>> = Vec::new();
        for claim in self.claims.keys() {
            let runs = tx.claimable(claim);
            match claim.kind {
                ClaimKind::Ready => turns.push(runs.into_iter()),
                kind => first.extend(runs.into_iter().map(|run| (kind, run))),
            }
        }
        loop {
            let before = first.len();
            for turn in &mut turns {
                first.extend(turn.next().map(|run| (ClaimKind::Ready, run)));
            }
            if first.len() == before {
                return first;
            }
        }
    }
}

impl Command for ClaimRuns {
    type Output = Claimed;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        if let Some(by) = &self.by {
            by.expects(reads);
        }
        for (claim, limit) in &self.claims {
            reads.claim(claim.clone(), *limit);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Claimed, Refusal> {
        let mut claimed = Claimed::default();
        for (kind, run) in self.in_turn(tx) {
            if claimed.taken.len() >= usize::try_from(self.limit).unwrap_or(usize::MAX) {
                break;
            }
            // Another command of this batch may have taken it, or it was put in order twice.
            if !still(tx, kind, &run) {
                continue;
            }
            claimed.scanned += 1;
            let Some((lease, begun)) = self.take(tx, kind, &run) else {
                claimed.failed +=
                    u64::from(tx.get::<RunRow>(&[run.as_str()]).is_some_and(|run| run.status == RunStatus::Failed));
                continue;
            };
            let Some(row) = tx.get::<RunRow>(&[run.as_str()]).cloned() else { continue };
            let author = &self.holder.author;
            let principal_id = match &author.principal_id {
                Some(id) => Some(id.clone()),
                None => tx.known_principal_of(&row.workspace_id, &author.actor).cloned(),
            };
            claimed.taken.push(Taken {
                run: row,
                claim_token: lease.claim_token,
                epoch: lease.epoch,
                lease_expires_at: lease.lease_expires_at,
                times_out_at: lease.times_out_at,
                principal_id,
                begun,
            });
        }
        Ok(claimed)
    }
}

fn still(tx: &Tx<'_>, kind: ClaimKind, run: &RunId) -> bool {
    let key = [run.as_str()];
    match kind {
        ClaimKind::Ready => tx.get::<QueueRow>(&key).is_some(),
        ClaimKind::Expired => tx.get::<LeaseRow>(&key).is_some_and(|lease| lease.lease_expires_at <= tx.now()),
        ClaimKind::TimedOut => {
            tx.get::<LeaseRow>(&key).is_some_and(|lease| lease.times_out_at.is_some_and(|end| end <= tx.now()))
        }
        ClaimKind::Decided => tx.get::<WaitRow>(&key).is_some_and(|wait| wait.ready_at.is_some()),
    }
}
