//! Deciding an approval: approve, deny, or hold (not yet).
//!
//! Where several must say yes, the first one fixes what is approved: a later decider who says
//! something else about scope or end is refused, since the earlier ones did not say yes to that.
//! A decider counts once; one who said yes may still say no.

use std::time::Duration;

use model::approval::{ApprovalScope, ApprovalStatus};
use model::event::{EventType, Stream};
use model::{PrincipalId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::{ApprovalRow, RunRow, WaitRow};
use store::{Command, ObjectKind, Reads, Tx};

use super::request::{ahead, expiry, invalid_expiry};
use super::scope::{self, Place};
use super::{VALID_FOR, context, unknown};
use crate::change::{By, Facts};
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// LIMIT: the longest while that an approval can be asked for, in seconds: a year.
const VALID_FOR_MAX: u64 = 366 * 24 * 3_600;

/// A decision.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecideApprovalInput {
    /// `approve`, `deny` or `hold`.
    pub decision: Option<String>,
    /// Why, at most 4,000 characters.
    pub reason: Option<String>,
    /// With `approve`: how far it reaches, instead of what was asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub scope: Option<Value>,
    /// With `approve`: the first moment it no longer counts, instead of what was asked for. An approval whose
    /// `request` has `valid_for_s` holds that many seconds, unless this or another kind of scope is named.
    pub expires_at: Option<String>,
}

/// An approval that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecideApprovalOutput {
    /// Always true.
    pub ok: bool,
}

impl Gate {
    /// Decides an open approval as the caller's own principal.
    ///
    /// # Errors
    /// In this order: 404 `approval_not_found`; 400 `invalid_decision`, `invalid_scope`,
    /// `invalid_expires_at`, `invalid_request`; 409 `approval_already_decided` (also by this
    /// decider, also when its time is over); 403 `self_approval`. See also [`GateError`].
    pub async fn decide_approval(
        &self,
        caller: &Caller,
        approval_id: &str,
        input: DecideApprovalInput,
    ) -> Result<DecideApprovalOutput, GateError> {
        let row = self.stored_approval(caller, approval_id).await?;
        let said = self.told(caller, Said::read(&input, &row)).await?;
        let decided = self
            .submit(caller, None, |caller| {
                Ok(DecideApproval { by: By::of(caller), asked: row.clone(), said: said.clone() })
            })
            .await?;
        self.tell_waiting(&row.workspace_id, &row.approval_id).await;
        Ok(decided.value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Approve,
    Deny,
    Hold,
}

impl Choice {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Hold => "hold",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Approve, Self::Deny, Self::Hold].into_iter().find(|choice| choice.as_str() == text)
    }
}

#[derive(Clone)]
struct Said {
    choice: Choice,
    reason: Option<String>,
    scope: Option<ApprovalScope>,
    expires_at: Option<Time>,
    contains_secrets: bool,
}

impl Said {
    fn read(input: &DecideApprovalInput, row: &ApprovalRow) -> Result<Self, Refusal> {
        let choice = input
            .decision
            .as_deref()
            .and_then(|text| Choice::parse(text.trim()))
            .ok_or_else(|| Refusal::invalid("invalid_decision", "`approve`, `deny` or `hold`").at("/decision"))?;
        let scope = match &input.scope {
            None | Some(Value::Null) => None,
            Some(value) => {
                let place = Place { room_id: row.room_id.as_ref(), run_id: row.run_id.as_ref() };
                Some(scope::read(value, place, bound(row).as_ref())?)
            }
        };
        let expires_at = expiry(input.expires_at.as_deref())?;
        let mut wording = Wording::new();
        let reason = wording.reason(input.reason.as_deref())?;
        // Only a yes has a reach and an end.
        let (scope, expires_at) = if choice == Choice::Approve { (scope, expires_at) } else { (None, None) };
        Ok(Self { choice, reason, scope, expires_at, contains_secrets: wording.contains_secrets() })
    }
}

/// What an ask that raised the approval tied it to.
fn bound(row: &ApprovalRow) -> Option<ApprovalScope> {
    row.ask_digest.as_ref()?;
    let mut bound = stored_scope(row)?;
    let request = row.request.as_ref().map(model::Canonical::to_value).unwrap_or_default();
    let fact = |name: &str| request.get(name).and_then(Value::as_str).map(str::to_owned);
    bound.target_domain = bound.target_domain.or_else(|| fact("target_domain"));
    bound.principal_id = bound.principal_id.or_else(|| row.requested_by_principal_id.clone());
    Some(bound)
}

fn stored_scope(row: &ApprovalRow) -> Option<ApprovalScope> {
    serde_json::from_str(row.scope.as_str()).ok()
}

struct DecideApproval {
    by: By,
    /// The approval as it was when the command was made; only what never changes is used of it.
    asked: ApprovalRow,
    said: Said,
}

impl Command for DecideApproval {
    type Output = DecideApprovalOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        reads.stream(Stream::of(&self.by.workspace_id, self.asked.room_id.as_ref()));
        reads.row::<ApprovalRow>(&[self.asked.approval_id.as_str()]);
        if let Some(run) = &self.asked.run_id {
            // Whether the run waits is settled by whoever holds its row.
            reads.row::<RunRow>(&[run.as_str()]);
            reads.row::<WaitRow>(&[run.as_str()]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<DecideApprovalOutput, Refusal> {
        let id = self.asked.approval_id.clone();
        let row = tx.get::<ApprovalRow>(&[id.as_str()]).cloned().ok_or_else(unknown)?;
        self.check(&row, tx.now())?;
        let said = &self.said;
        let draft = Facts::new()
            .with("approval_id", &id)
            .with("decision", said.choice.as_str())
            .maybe("reason", said.reason.as_ref())
            .maybe("scope", said.scope.as_ref())
            .maybe("expires_at", said.expires_at.or_else(|| self.holds_until(&row, tx.now())))
            .draft(EventType::ApprovalDecided)
            .caused_by(Some(row.last_event_id.clone()));
        tx.append(&context(&self.by, &row, said.contains_secrets), draft);
        let approved = tx.get::<ApprovalRow>(&[id.as_str()]).is_some_and(|row| row.status == ApprovalStatus::Approved);
        if approved {
            self.by.changed(tx, Some(&self.by.workspace_id), ObjectKind::Approval, id.as_str());
        }
        Ok(DecideApprovalOutput { ok: true })
    }
}

impl DecideApproval {
    /// Until when a yes holds that does not say: where who asked wanted it for a while only, and it reaches
    /// as far as was asked.
    fn holds_until(&self, row: &ApprovalRow, now: Time) -> Option<Time> {
        let same_reach = match (&self.said.scope, stored_scope(row)) {
            (Some(said), Some(asked)) => said.kind == asked.kind,
            (said, _) => said.is_none(),
        };
        if self.said.choice != Choice::Approve || row.expires_at.is_some() || !same_reach {
            return None;
        }
        let seconds = row.request.as_ref()?.to_value().get(VALID_FOR)?.as_u64()?;
        Some(now.plus(Duration::from_secs(seconds.min(VALID_FOR_MAX))))
    }

    fn check(&self, row: &ApprovalRow, now: Time) -> Result<(), Refusal> {
        let (said, me) = (&self.said, &self.by.principal_id);
        ahead(said.expires_at, now)?;
        let yes = yes_of(row);
        if !yes.is_empty() {
            if said.scope.is_some() && said.scope != stored_scope(row) {
                let detail = "others have said yes to another scope; leave it out to join them";
                return Err(Refusal::invalid("invalid_scope", detail).at("/scope"));
            }
            if said.expires_at.is_some() && said.expires_at != row.expires_at {
                return Err(invalid_expiry("others have said yes to another end; leave it out to join them"));
            }
        }
        let decided = |detail| Err(Refusal::conflict("approval_already_decided", detail));
        if !row.status.is_open() {
            return decided("it is no longer open");
        }
        if row.expires_at.is_some_and(|end| end <= now) {
            return decided("its time is over");
        }
        if said.choice != Choice::Deny && yes.contains(me) {
            return decided("you have said yes already; others have to");
        }
        let asked_by_me = row.requested_by_principal_id.as_ref() == Some(me)
            || (row.requested_by_type, row.requested_by_id.as_str()) == (self.by.actor.kind, self.by.actor.id.as_str());
        if asked_by_me {
            return Err(Refusal::forbidden("self_approval", "who asked cannot decide"));
        }
        Ok(())
    }
}

/// Who has said yes.
fn yes_of(row: &ApprovalRow) -> Vec<PrincipalId> {
    #[derive(Deserialize)]
    struct Vote {
        principal_id: Option<PrincipalId>,
        decision: String,
    }
    let votes: Vec<Vote> = serde_json::from_str(row.decisions.as_str()).unwrap_or_default();
    votes.into_iter().filter(|v| v.decision == Choice::Approve.as_str()).filter_map(|v| v.principal_id).collect()
}
