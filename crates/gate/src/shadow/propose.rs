//! Rules that let pass what was seen, as a draft. Changes nothing.

use std::collections::BTreeSet;

use replay::propose::Covered;
use rules::Source;
use serde::{Deserialize, Serialize};

use crate::policies::moment;
use crate::{Caller, Gate, GateError};

/// What the proposal is made from.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposeInput {
    /// Only would-blocks from this moment on; the last seven days when it is left out.
    pub since: Option<String>,
}

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposeOutput {
    /// Files to be added to the set; none when there is nothing to allow.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub files: Vec<Source>,
    /// What they cover: `rules`, `groups`, `decisions`, `generalised`, `left_out`.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub report: Covered,
}

impl Gate {
    /// Proposes rules for the open groups of would-blocks. `caller` must come from [`Gate::fresh`].
    ///
    /// # Errors
    /// 400 `invalid_request` at `/since`. See [`GateError`].
    pub async fn propose_policies(&self, caller: &Caller, input: ProposeInput) -> Result<ProposeOutput, GateError> {
        let since = self.told(caller, moment(input.since.as_deref(), "/since")).await?;
        let looked = self.would_blocks(caller, since).await?;
        let active = caller.view.policy_sets(&caller.workspace_id).and_then(|sets| sets.active.clone());
        let rules = active.iter().flat_map(|held| &held.compiled.set.rules);
        let taken: BTreeSet<String> = rules.map(|rule| rule.id.to_string()).collect();
        let proposal = replay::propose(&looked.groups, &taken);
        Ok(ProposeOutput { files: proposal.files, report: proposal.report })
    }
}
