//! The kill switch of a workspace: while it is on, `external.write` is denied whatever the approvals.
//!
//! The install's own switch (from the environment) denies too and cannot be turned off here. In
//! shadow neither blocks anything, which the answer says. A reason is welcome but not demanded:
//! whoever pulls this switch is in a hurry.

use model::Mode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Command, Reads, Tx};

use super::{Told, change, own, reads_own};
use crate::change::By;
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// The position to set.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetKillSwitchInput {
    /// On or off.
    pub active: Option<bool>,
    /// Why, at most 4,000 characters.
    pub reason: Option<String>,
}

/// How the switch stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KillSwitchOutput {
    /// Whether the workspace's switch or the install's is on.
    pub active: bool,
    /// Whether it blocks: false while it is off, and in shadow.
    pub effective: bool,
    /// Why the workspace's switch was set as it is.
    pub reason: Option<String>,
    /// Whether the install's switch is on.
    pub install_active: bool,
}

impl Gate {
    /// How the switch stands in the caller's workspace.
    ///
    /// # Errors
    /// [`GateError`] when the store cannot be read.
    pub async fn kill_switch(&self, caller: &Caller) -> Result<KillSwitchOutput, GateError> {
        let row = self.store().settings(&caller.workspace_id).await?;
        let standing = Standing::of(caller);
        Ok(match row {
            Some(row) => standing.with(row.kill_switch, row.kill_switch_reason),
            None => standing.with(false, None),
        })
    }

    /// Turns the switch of the caller's workspace on or off.
    ///
    /// # Errors
    /// 400 `invalid_active`; see [`GateError`].
    pub async fn set_kill_switch(
        &self,
        caller: &Caller,
        input: SetKillSwitchInput,
    ) -> Result<KillSwitchOutput, GateError> {
        let mut wording = Wording::new();
        let read = match input.active {
            Some(active) => wording.reason(input.reason.as_deref()).map(|reason| (active, reason)),
            None => Err(Refusal::invalid("invalid_active", "`true` or `false`").at("/active")),
        };
        let (active, reason) = self.told(caller, read).await?;
        let contains_secrets = wording.contains_secrets();
        let set = self
            .submit(caller, None, |caller| {
                Ok(SetKillSwitch {
                    by: By::of(caller),
                    standing: Standing::of(caller),
                    active,
                    reason: reason.clone(),
                    contains_secrets,
                })
            })
            .await?;
        Ok(set.value)
    }
}

/// What else decides whether the switch blocks.
#[derive(Clone, Copy)]
struct Standing {
    mode: Mode,
    install_active: bool,
}

impl Standing {
    fn of(caller: &Caller) -> Self {
        let snapshot = &caller.view.snapshot;
        Self { mode: snapshot.mode(&caller.workspace_id), install_active: snapshot.defaults().kill_switch }
    }

    fn with(self, own: bool, reason: Option<String>) -> KillSwitchOutput {
        let active = own || self.install_active;
        let effective = active && self.mode == Mode::Enforce;
        KillSwitchOutput { active, effective, reason, install_active: self.install_active }
    }
}

struct SetKillSwitch {
    by: By,
    standing: Standing,
    active: bool,
    reason: Option<String>,
    contains_secrets: bool,
}

impl Command for SetKillSwitch {
    type Output = KillSwitchOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads_own(&self.by, reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<KillSwitchOutput, Refusal> {
        let mut row = own(tx, &self.by.workspace_id);
        let before = (row.kill_switch, row.kill_switch_reason.take());
        if before == (self.active, self.reason.clone()) {
            return Ok(self.standing.with(before.0, before.1));
        }
        row.kill_switch = self.active;
        row.kill_switch_reason = self.reason.clone();
        let told = Told {
            old: json!({"kill_switch": before.0, "kill_switch_reason": before.1}),
            new: json!({"kill_switch": self.active, "kill_switch_reason": self.reason}),
            reason: self.reason.as_ref(),
            contains_secrets: self.contains_secrets,
        };
        change(tx, &self.by, row, told);
        Ok(self.standing.with(self.active, self.reason.clone()))
    }
}
