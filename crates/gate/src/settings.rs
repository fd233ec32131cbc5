//! What an operator sets for a workspace at runtime: mode, kill switch, defaults.
//!
//! Every change moves the policy head: it holds on every replica for each decision that starts
//! after the answer.

mod defaults;
mod kill_switch;
mod mode;

use model::event::EventType;
use model::{Time, WorkspaceId};
use serde_json::Value;
use store::rows::SettingsRow;
use store::{ObjectKind, Reads, Tx};

use crate::change::{By, Facts};

pub use defaults::{SetSettingsInput, SettingsOutput};
pub use kill_switch::{KillSwitchOutput, SetKillSwitchInput};
pub use mode::{ModeOutput, SetModeInput, SettingSource};

fn reads_own(by: &By, reads: &mut Reads) {
    by.moves_policy(reads);
    reads.row::<SettingsRow>(&[by.workspace_id.as_str()]);
}

/// The workspace's own settings, which begin as none.
fn own(tx: &Tx<'_>, workspace: &WorkspaceId) -> SettingsRow {
    tx.get::<SettingsRow>(&[workspace.as_str()]).cloned().unwrap_or_else(|| unset(workspace, tx.now()))
}

fn unset(workspace: &WorkspaceId, now: Time) -> SettingsRow {
    SettingsRow {
        workspace_id: workspace.clone(),
        mode: None,
        mode_changed_at: None,
        kill_switch: false,
        kill_switch_reason: None,
        default_decision: None,
        egress_max_requests_per_hour: None,
        require_capability_token: false,
        updated_at: now,
    }
}

/// One change of settings for the log: what is old and new, why, and whether a text held a secret.
struct Told<'a> {
    old: Value,
    new: Value,
    reason: Option<&'a String>,
    contains_secrets: bool,
}

fn change(tx: &mut Tx<'_>, by: &By, mut row: SettingsRow, told: Told<'_>) {
    row.updated_at = tx.now();
    tx.put(row);
    Facts::new().with("old", told.old).with("new", told.new).maybe("reason", told.reason).record(
        tx,
        &by.context(told.contains_secrets),
        EventType::SettingsChanged,
    );
    by.changed(tx, Some(&by.workspace_id), ObjectKind::Settings, by.workspace_id.as_str());
}
