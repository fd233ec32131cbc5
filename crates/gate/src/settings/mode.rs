//! The enforcement mode of a workspace.
//!
//! Going from shadow to enforce turns what was only recorded into what is blocked. So while the last
//! seven days hold something that enforcing would block, that the active rules do not allow by now and
//! that nobody has reviewed, the change needs a reason: the word of somebody who looked. When the log
//! is too long to be read at once, what was not read counts as not reviewed.

use model::Mode;
use replay::shadow::{Group, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Command, Reads, Tx};

use super::{Told, change, own, reads_own};
use crate::change::By;
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// A mode to be set.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetModeInput {
    /// `shadow` or `enforce`.
    pub mode: Option<String>,
    /// Why, at most 4,000 characters.
    pub reason: Option<String>,
}

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SettingSource {
    /// The workspace has its own.
    Workspace,
    /// The default of the install.
    Default,
}

/// The mode that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModeOutput {
    /// `shadow` or `enforce`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub mode: Mode,
    /// Whose it is.
    pub source: SettingSource,
}

impl Gate {
    /// The mode that holds in the caller's workspace, as the caller's view knows it.
    #[must_use]
    pub fn mode(&self, caller: &Caller) -> ModeOutput {
        let (snapshot, workspace) = (&caller.view.snapshot, &caller.workspace_id);
        let source = match snapshot.settings(workspace).mode {
            Some(_) => SettingSource::Workspace,
            None => SettingSource::Default,
        };
        ModeOutput { mode: snapshot.mode(workspace), source }
    }

    /// Sets the mode of the caller's workspace.
    ///
    /// # Errors
    /// 400 `invalid_mode`; 409 `unreviewed_would_blocks`; see [`GateError`].
    pub async fn set_mode(&self, caller: &Caller, input: SetModeInput) -> Result<ModeOutput, GateError> {
        let mut wording = Wording::new();
        let read = read(&input, &mut wording);
        let (mode, reason) = self.told(caller, read).await?;
        let unreviewed = match (mode, &reason) {
            (Mode::Enforce, None) => self.unreviewed_would_blocks(caller).await?,
            _ => None,
        };
        let contains_secrets = wording.contains_secrets();
        let set = self
            .submit(caller, None, |caller| {
                let before = caller.view.snapshot.mode(&caller.workspace_id);
                let (reason, unreviewed) = (reason.clone(), unreviewed.clone());
                Ok(SetMode { by: By::of(caller), before, mode, reason, unreviewed, contains_secrets })
            })
            .await?;
        Ok(set.value)
    }

    /// The groups that enforcing would block and nobody has reviewed; `None` when there are none.
    async fn unreviewed_would_blocks(&self, caller: &Caller) -> Result<Option<Unreviewed>, GateError> {
        // The rules that were published a moment ago, elsewhere too, may have settled it.
        let caller = self.again(caller).await?;
        let looked = self.would_blocks(&caller, None).await?;
        let open = looked.groups.iter().filter(|group| group.state == State::Open && !group.key.trial);
        let (groups, more): (Vec<_>, Vec<_>) = open.enumerate().partition(|(place, _)| *place < LISTED_MAX);
        if groups.is_empty() && looked.complete && looked.found.other() == 0 {
            return Ok(None);
        }
        let groups = groups.into_iter().map(|(_, group)| group.clone()).collect();
        Ok(Some(Unreviewed { groups, more: more.len() as u64, complete: looked.complete }))
    }
}

/// LIMIT: how many groups a refusal lists.
const LISTED_MAX: usize = 50;

/// What stands against enforcing.
#[derive(Debug, Clone)]
struct Unreviewed {
    groups: Vec<Group>,
    more: u64,
    complete: bool,
}

fn read(input: &SetModeInput, wording: &mut Wording) -> Result<(Mode, Option<String>), Refusal> {
    let mode = input
        .mode
        .as_deref()
        .and_then(|text| Mode::parse(text.trim().to_lowercase().as_str()))
        .ok_or_else(|| Refusal::invalid("invalid_mode", "`shadow` or `enforce`").at("/mode"))?;
    Ok((mode, wording.reason(input.reason.as_deref())?))
}

struct SetMode {
    by: By,
    /// The mode that holds on the view this is decided on.
    before: Mode,
    mode: Mode,
    reason: Option<String>,
    unreviewed: Option<Unreviewed>,
    contains_secrets: bool,
}

impl Command for SetMode {
    type Output = ModeOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads_own(&self.by, reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<ModeOutput, Refusal> {
        let mut row = own(tx, &self.by.workspace_id);
        let answer = ModeOutput { mode: self.mode, source: SettingSource::Workspace };
        if row.mode == Some(self.mode) {
            return Ok(answer);
        }
        let before = row.mode.unwrap_or(self.before);
        let enforces = before == Mode::Shadow && self.mode == Mode::Enforce;
        if let Some(unreviewed) = self.unreviewed.as_ref().filter(|_| enforces) {
            let detail = "shadow recorded requests that enforcing would have blocked; look at them, then give a reason";
            return Err(Refusal::conflict("unreviewed_would_blocks", detail)
                .with("groups", &unreviewed.groups)
                .with("more", unreviewed.more)
                .with("complete", unreviewed.complete));
        }
        row.mode = Some(self.mode);
        row.mode_changed_at = Some(tx.now());
        let told = Told {
            old: json!({"mode": before}),
            new: json!({"mode": self.mode}),
            reason: self.reason.as_ref(),
            contains_secrets: self.contains_secrets,
        };
        change(tx, &self.by, row, told);
        Ok(answer)
    }
}
