//! A candidate: a set that is evaluated beside the active one and only recorded, never obeyed.

use std::sync::Arc;

use model::event::EventType;
use model::{PrincipalId, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::rows::{PolicySetRow, PolicyTextRow};
use store::{Command, ObjectKind, Reads, Tx};

use super::input::{self, FileInput};
use super::prepare::{Prepared, Tests, Turn};
use super::{ProblemView, count, invalid, own, unsigned, views};
use crate::change::{By, Facts};
use crate::wording::{REASON_CHARS_MAX, Wording};
use crate::{Caller, Gate, GateError, Refusal, clock};

/// A set to be tried.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CandidateInput {
    /// All files of the set.
    pub files: Option<Vec<FileInput>>,
    /// Why, at most 4,000 characters.
    pub note: Option<String>,
}

/// A set that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CandidateView {
    /// Which candidate of the workspace it is, from 1; not a version.
    pub candidate_version: u64,
    /// The digest of its files.
    pub digest: String,
    /// How many rules it has.
    pub rules: u64,
    /// Why it is tried.
    pub note: Option<String>,
    /// Who set it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub set_by_principal_id: Option<PrincipalId>,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub set_at: Option<Time>,
    /// What was noticed while reading it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ProblemView>,
}

impl CandidateView {
    /// The candidate of a workspace, when there is one.
    pub(super) fn of(row: &PolicySetRow) -> Option<Self> {
        Some(Self {
            candidate_version: unsigned(row.candidate_version),
            digest: row.candidate_digest.clone()?,
            rules: unsigned(row.candidate_rules.unwrap_or(0)),
            note: row.candidate_note.clone(),
            set_by_principal_id: row.candidate_by_principal_id.clone(),
            set_at: row.candidate_at,
            warnings: Vec::new(),
        })
    }
}

/// Takes the candidate away; the count of candidates stays.
pub(super) fn clear(row: &mut PolicySetRow) {
    row.candidate_digest = None;
    row.candidate_rules = None;
    row.candidate_note = None;
    row.candidate_by_principal_id = None;
    row.candidate_at = None;
}

impl Gate {
    /// Sets what is tried beside the active set of the caller's workspace; it replaces another.
    ///
    /// # Errors
    /// 400 `invalid_request`; 422 `invalid_policy` with `problems`. See [`GateError`].
    pub async fn set_candidate(&self, caller: &Caller, input: CandidateInput) -> Result<CandidateView, GateError> {
        let mut wording = Wording::new();
        let note = wording.optional(input.note.as_deref(), "/note", REASON_CHARS_MAX);
        let read = input::files(input.files).and_then(|files| Ok((files, note?)));
        let (files, note) = self.told(caller, read).await?;
        let prepared = self.prepare(Turn::Publish, files, Tests::Leave, clock::now()).await?;
        let prepared = self.told(caller, prepared.map_err(|problems| invalid(&problems))).await?;
        self.store().keep_compiled(&prepared.compiled);
        let contains_secrets = wording.contains_secrets();
        let set = self.record(caller, |caller| {
            let set = Some((Arc::clone(&prepared), note.clone()));
            Ok(SetCandidate { by: By::of(caller), set, contains_secrets })
        });
        let view = set.await?.ok_or_else(|| Refusal::not_found("candidate_not_found", "there is no candidate"))?;
        Ok(CandidateView { warnings: views(&prepared.compiled.warnings), ..view })
    }

    /// Tries nothing any more. To do it twice is to do it once.
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn clear_candidate(&self, caller: &Caller) -> Result<(), GateError> {
        let cleared = self
            .record(caller, |caller| Ok(SetCandidate { by: By::of(caller), set: None, contains_secrets: false }))
            .await?;
        debug_assert!(cleared.is_none());
        Ok(())
    }
}

struct SetCandidate {
    by: By,
    set: Option<(Arc<Prepared>, Option<String>)>,
    contains_secrets: bool,
}

impl Command for SetCandidate {
    type Output = Option<CandidateView>;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        reads.row::<PolicySetRow>(&[self.by.workspace_id.as_str()]);
        if let Some((prepared, _)) = &self.set {
            reads.row::<PolicyTextRow>(&[self.by.workspace_id.as_str(), &prepared.text.digest]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Option<CandidateView>, Refusal> {
        let workspace = self.by.workspace_id.clone();
        let mut row = own(tx.get::<PolicySetRow>(&[workspace.as_str()]), &workspace, tx.now());
        let before = row.candidate_digest.clone();
        let digest = self.set.as_ref().map(|(prepared, _)| &prepared.text.digest);
        if before.as_ref() == digest {
            return Ok(CandidateView::of(&row));
        }
        clear(&mut row);
        if let Some((prepared, note)) = &self.set {
            let text = &prepared.text;
            if tx.get::<PolicyTextRow>(&[workspace.as_str(), &text.digest]).is_none() {
                tx.put(PolicyTextRow {
                    workspace_id: workspace.clone(),
                    digest: text.digest.clone(),
                    files: text.files.clone(),
                    created_at: tx.now(),
                });
            }
            row.candidate_version += 1;
            row.candidate_digest = Some(text.digest.clone());
            row.candidate_rules = Some(count(prepared.compiled.set.rules.len()));
            row.candidate_note = note.clone();
            row.candidate_by_principal_id = Some(self.by.principal_id.clone());
            row.candidate_at = Some(tx.now());
        }
        row.updated_at = tx.now();
        let view = CandidateView::of(&row);
        Facts::new()
            .with("old", json!({"policy_candidate": before}))
            .with("new", json!({"policy_candidate": row.candidate_digest}))
            .maybe("reason", row.candidate_note.as_ref())
            .record(tx, &self.by.context(self.contains_secrets), EventType::SettingsChanged);
        tx.put(row);
        self.by.changed(tx, Some(&workspace), ObjectKind::PolicySet, workspace.as_str());
        Ok(view)
    }
}
