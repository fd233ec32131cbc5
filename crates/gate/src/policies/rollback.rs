//! Going back: an earlier text becomes a new version, so that history only grows.

use serde::Deserialize;
use store::rows::PolicyVersionRow;
use store::sets::files_of;

use std::sync::Arc;

use super::prepare::{Tests, Turn};
use super::publish::{Expect, Kind, PublishSet, Published, Terms};
use super::{Source, invalid, unsigned};
use crate::change::By;
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal, clock};

/// Where to go back to.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackInput {
    /// The version; the one before the one that holds when it is left out.
    pub to: Option<u64>,
    /// Why, at most 4,000 characters.
    pub reason: Option<String>,
}

impl Gate {
    /// Makes the text of an earlier version hold again, as a new version. Its tests are not run:
    /// going back must not fail for them.
    ///
    /// # Errors
    /// 404 `policy_version_not_found`; 409 `no_earlier_policy_version`, `policy_set_managed`; 412
    /// `policy_version_mismatch` when somebody published meanwhile; 422 `invalid_policy` for a text
    /// that this program cannot read. See [`GateError`].
    pub async fn roll_policies_back(
        &self,
        caller: &Caller,
        input: RollbackInput,
        expect: Expect,
    ) -> Result<Published, GateError> {
        let mut wording = Wording::new();
        let reason = self.told(caller, wording.reason(input.reason.as_deref())).await?;
        let workspace = &caller.workspace_id;
        let row = self.store().policy_set(workspace).await?;
        let active = row.map_or(0, |row| unsigned(row.active_version));
        let to = match input.to {
            Some(version) => version,
            None => {
                let earlier = self.store().policy_version(workspace, active).await?.and_then(|row| earlier(&row));
                let none =
                    || Refusal::conflict("no_earlier_policy_version", "there is no earlier version to go back to");
                self.told(caller, earlier.ok_or_else(none)).await?
            }
        };
        let missing = || Refusal::not_found("policy_version_not_found", "there is no such version");
        let target = self.store().policy_version(workspace, to).await?.ok_or_else(missing);
        let target = self.told(caller, target).await?;
        let text = self.store().policy_text(workspace, &target.digest).await?.and_then(|row| files_of(&row.files));
        let files = self.told(caller, text.ok_or_else(missing)).await?;
        let prepared = self.prepare(Turn::Publish, files, Tests::Leave, clock::now()).await?;
        let prepared = self.told(caller, prepared.map_err(|problems| invalid(&problems))).await?;
        self.store().keep_compiled(&prepared.compiled);
        // What "back" means was settled on this version.
        let expect = if expect == Expect::Nothing { Expect::Version(active) } else { expect };
        let managed = self.folder().manages(workspace);
        let terms = Terms { expect, source: Source::Api, managed, take_over: false };
        let contains_secrets = wording.contains_secrets();
        self.record(caller, |caller| {
            Ok(PublishSet {
                by: By::of(caller),
                prepared: Arc::clone(&prepared),
                note: reason.clone(),
                terms,
                kind: Kind::RollBack(to),
                contains_secrets,
            })
        })
        .await
    }
}

/// The version before this one. A rollback stands for the version it brought back, so that going
/// back again goes on, and not to what was just left.
fn earlier(active: &PolicyVersionRow) -> Option<u64> {
    let stands_for = unsigned(active.restores.unwrap_or(active.version));
    stands_for.checked_sub(1).filter(|version| *version > 0)
}
