//! Somebody has looked at groups of would-blocks and says: this is to be blocked.

use model::event::EventType;
use serde::{Deserialize, Serialize};
use store::rows::ReviewRow;
use store::{Command, Reads, Tx};

use crate::change::{By, Facts};
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// LIMIT: how many groups are reviewed at once.
const GROUPS_MAX: usize = 500;

/// Groups that somebody has looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewInput {
    /// The ids of the groups, 1 to 500.
    pub groups: Option<Vec<String>>,
    /// Why they may be blocked, at most 4,000 characters.
    pub note: Option<String>,
}

/// What was reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reviewed {
    /// The groups.
    pub groups: Vec<String>,
    /// The note.
    pub note: Option<String>,
}

impl Gate {
    /// Marks groups of would-blocks as reviewed. A group stays so, also when more of it is seen.
    ///
    /// # Errors
    /// 400 `invalid_request` at `/groups`. See [`GateError`].
    pub async fn review_would_blocks(&self, caller: &Caller, input: ReviewInput) -> Result<Reviewed, GateError> {
        let mut wording = Wording::new();
        let groups = self.told(caller, groups(input.groups)).await?;
        let note = self.told(caller, wording.optional(input.note.as_deref(), "/note", NOTE_CHARS_MAX)).await?;
        let contains_secrets = wording.contains_secrets();
        let reviewed = Reviewed { groups, note };
        let done = self
            .submit(caller, None, |caller| {
                Ok(Review { by: By::of(caller), reviewed: reviewed.clone(), contains_secrets })
            })
            .await?;
        Ok(done.value)
    }
}

/// LIMIT: the longest note, in characters.
const NOTE_CHARS_MAX: usize = 4_000;

fn groups(given: Option<Vec<String>>) -> Result<Vec<String>, Refusal> {
    let refused = |detail: &str| Refusal::invalid_field("/groups", detail.to_owned());
    let mut groups = given.unwrap_or_default();
    if groups.is_empty() || groups.len() > GROUPS_MAX {
        return Err(refused("must be 1 to 500 ids of groups"));
    }
    let is_id = |id: &String| {
        id.strip_prefix("wb_").is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if !groups.iter().all(is_id) {
        return Err(refused("an id of a group is `wb_` and 32 hex digits, as the report has it"));
    }
    groups.sort();
    groups.dedup();
    Ok(groups)
}

struct Review {
    by: By,
    reviewed: Reviewed,
    contains_secrets: bool,
}

impl Command for Review {
    type Output = Reviewed;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        for group in &self.reviewed.groups {
            reads.row::<ReviewRow>(&[self.by.workspace_id.as_str(), group]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Reviewed, Refusal> {
        for group in &self.reviewed.groups {
            let row = ReviewRow {
                workspace_id: self.by.workspace_id.clone(),
                group_id: group.clone(),
                reviewed_by: self.by.principal_id.to_string(),
                note: self.reviewed.note.clone(),
                reviewed_at: tx.now(),
            };
            tx.put(row);
        }
        Facts::new().with("groups", &self.reviewed.groups).maybe("note", self.reviewed.note.as_ref()).record(
            tx,
            &self.by.context(self.contains_secrets),
            EventType::ShadowReviewed,
        );
        Ok(self.reviewed.clone())
    }
}
