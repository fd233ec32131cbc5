//! What a change of rules changes, exactly. Changes nothing itself.

use rules::diff::{DiffError, DiffOptions};
use rules::{PolicySet, Problem, Source};
use serde::{Deserialize, Serialize};
use store::sets::{PolicyText, files_of};

use super::input::{self, FileInput, secrets};
use super::prepare::Turn;
use super::{invalid, unsigned};
use crate::{Caller, Gate, GateError, Refusal, clock};

/// What is compared.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffInput {
    /// The version before; the one that holds when it is left out, 0 = no rules at all.
    pub from: Option<u64>,
    /// The version after.
    pub to: Option<u64>,
    /// The files after. Without these and without `to` it is the candidate.
    pub files: Option<Vec<FileInput>>,
}

/// One of the two sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffSide {
    /// Its version, when it is one; 0 = no rules at all.
    pub version: Option<u64>,
    /// The digest of its files.
    pub digest: Option<String>,
    /// How many rules it has.
    pub rules: u64,
}

/// The difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffReport {
    /// The set before.
    pub from: DiffSide,
    /// The set after.
    pub to: DiffSide,
    /// Whether every ask has the same outcome under both.
    pub same: bool,
    /// How many regions of asks have another outcome.
    pub total: u64,
    /// How many of them let more pass.
    pub widening: u64,
    /// The regions, the most dangerous first: `statement`, `before`, `after`, `before_rules`,
    /// `after_rules`, `facts`, a `witness` ask each.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub regions: Vec<rules::diff::Region>,
}

/// A set to be compared, unread.
struct Side {
    version: Option<u64>,
    files: Vec<Source>,
}

impl Gate {
    /// Compares two sets from now on: every region of asks in which the outcome differs, rules in
    /// shadow left out.
    ///
    /// # Errors
    /// 400 `invalid_request`; 404 `policy_version_not_found`, `candidate_not_found`; 422
    /// `invalid_policy` with `problems`, `policies_too_complicated`. See [`GateError`].
    pub async fn diff_policies(&self, caller: &Caller, input: DiffInput) -> Result<DiffReport, GateError> {
        let read = self.sides(caller, input).await;
        let (from, to) = match read {
            Err(GateError::Refused(refusal)) => self.told(caller, Err(refusal)).await?,
            other => other?,
        };
        let now = clock::now();
        let compared = self.beside(Turn::Look, move || compare(from, to, DiffOptions::new(Some(now)))).await?;
        self.told(caller, compared).await
    }

    async fn sides(&self, caller: &Caller, input: DiffInput) -> Result<(Side, Side), GateError> {
        let row = self.store().policy_set(&caller.workspace_id).await?;
        let active = row.as_ref().map_or(0, |row| unsigned(row.active_version));
        let to = match (input.to, input.files) {
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid_field("/to", "`to` and `files` exclude each other").into());
            }
            (Some(version), None) => self.side(caller, version).await?,
            (None, Some(files)) => Side { version: None, files: input::files(Some(files))? },
            (None, None) => {
                let missing =
                    || Refusal::not_found("candidate_not_found", "there is no candidate: send `to` or `files`");
                let digest = row.and_then(|row| row.candidate_digest).ok_or_else(missing)?;
                let text = self.store().policy_text(&caller.workspace_id, &digest).await?.ok_or_else(missing)?;
                Side { version: None, files: files_of(&text.files).unwrap_or_default() }
            }
        };
        Ok((self.side(caller, input.from.unwrap_or(active)).await?, to))
    }

    async fn side(&self, caller: &Caller, version: u64) -> Result<Side, GateError> {
        let files = if version == 0 { Some(Vec::new()) } else { self.files_of_version(caller, version).await? };
        let missing = || Refusal::not_found("policy_version_not_found", "there is no such version");
        Ok(Side { version: Some(version), files: files.ok_or_else(missing)? })
    }

    /// The files of a version, when there is one.
    async fn files_of_version(&self, caller: &Caller, version: u64) -> Result<Option<Vec<Source>>, GateError> {
        let Some(row) = self.store().policy_version(&caller.workspace_id, version).await? else { return Ok(None) };
        let text = self.store().policy_text(&caller.workspace_id, &row.digest).await?;
        Ok(text.and_then(|text| files_of(&text.files)))
    }
}

fn compare(from: Side, to: Side, options: DiffOptions) -> Result<DiffReport, Refusal> {
    let (before, from) = loaded(from)?;
    let (after, to) = loaded(to)?;
    let diff = rules::diff::diff(&before, &after, options)
        .map_err(|error: DiffError| Refusal::unprocessable("policies_too_complicated", error.to_string()))?;
    Ok(DiffReport {
        from,
        to,
        same: diff.is_empty(),
        total: diff.total as u64,
        widening: diff.widening as u64,
        regions: diff.regions,
    })
}

fn loaded(side: Side) -> Result<(PolicySet, DiffSide), Refusal> {
    let refused = |problems: Vec<Problem>| invalid(&problems);
    let found = secrets(&side.files);
    if !found.is_empty() {
        return Err(refused(found));
    }
    let set = rules::load(&side.files).map_err(refused)?.set;
    let digest = (side.version != Some(0)).then(|| PolicyText::of(side.files).digest);
    let shown = DiffSide { version: side.version, digest, rules: set.rules.len() as u64 };
    Ok((set, shown))
}
