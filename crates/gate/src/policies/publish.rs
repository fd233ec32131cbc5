//! Publishing a set: the whole of it, over the version that the publisher knows, with its tests passing.

use std::sync::Arc;

use model::PrincipalId;
use model::event::EventType;
use rules::cases::CaseResult;
use serde::{Deserialize, Serialize};
use store::rows::{PolicySetRow, PolicyTextRow, PolicyVersionRow};
use store::{Command, ObjectKind, Reads, Tx};

use super::input::{self, FileInput};
use super::prepare::{Prepared, Tests, Turn};
use super::{ProblemView, Source, count, invalid, own, unsigned, views};
use crate::change::{By, Facts};
use crate::wording::{REASON_CHARS_MAX, Wording};
use crate::{Caller, Gate, GateError, Refusal, clock};

/// A set to be published.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishInput {
    /// All files of the set; what is not among them is gone.
    pub files: Option<Vec<FileInput>>,
    /// Why, at most 4,000 characters.
    pub note: Option<String>,
    /// Takes the set over from a folder that no server watches any more.
    #[serde(default)]
    pub take_over: bool,
}

/// Which version a publisher expects to replace (`If-Match`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It did not say.
    Nothing,
    /// Any, even none (`*`).
    Any,
    /// This one; 0 = there is none yet.
    Version(u64),
}

/// What publishing came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Published {
    /// The version that holds now.
    pub version: u64,
    /// The digest of its files.
    pub digest: String,
    /// How many rules it has.
    pub rules: u64,
    /// How many files it has.
    pub files: u64,
    /// Whether the same set held already, so that there is no new version.
    pub unchanged: bool,
    /// The version that held before; 0 = there was none.
    pub previous_version: u64,
    /// The version that a rollback brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// How many tests it passed.
    pub tests_passed: u64,
    /// What was noticed while reading it.
    pub warnings: Vec<ProblemView>,
}

impl Gate {
    /// Publishes a set in the caller's workspace. From the answer on every decision that begins, on
    /// every replica, obeys it.
    ///
    /// # Errors
    /// 400 `invalid_request`; 422 `invalid_policy` with `problems`, `policy_tests_failed` with
    /// `results`; 428 `precondition_required` when there is a set and `expect` says nothing; 412
    /// `policy_version_mismatch` with `version`; 409 `policy_set_managed`. See [`GateError`].
    pub async fn publish_policies(
        &self,
        caller: &Caller,
        input: PublishInput,
        expect: Expect,
    ) -> Result<Published, GateError> {
        let mut wording = Wording::new();
        let read = read(input.files, input.note.as_deref(), &mut wording);
        let (files, note) = self.told(caller, read).await?;
        let managed = self.folder().manages(&caller.workspace_id);
        let terms = Terms { expect, source: Source::Api, managed, take_over: input.take_over };
        self.publish(caller, files, note, terms, wording.contains_secrets()).await
    }

    /// Prepares and records a set.
    pub(super) async fn publish(
        &self,
        caller: &Caller,
        files: Vec<rules::Source>,
        note: Option<String>,
        terms: Terms,
        contains_secrets: bool,
    ) -> Result<Published, GateError> {
        let prepared = self.prepare(Turn::Publish, files, Tests::Run, clock::now()).await?;
        let prepared = self.told(caller, prepared.map_err(|problems| invalid(&problems))).await?;
        self.told(caller, passed(&prepared.results)).await?;
        // The view takes it from here once it is published: nobody waits for a second compilation.
        self.store().keep_compiled(&prepared.compiled);
        self.record(caller, |caller| {
            Ok(PublishSet {
                by: By::of(caller),
                prepared: Arc::clone(&prepared),
                note: note.clone(),
                terms,
                kind: Kind::Publish,
                contains_secrets,
            })
        })
        .await
    }
}

fn read(
    files: Option<Vec<FileInput>>,
    note: Option<&str>,
    wording: &mut Wording,
) -> Result<(Vec<rules::Source>, Option<String>), Refusal> {
    Ok((input::files(files)?, wording.optional(note, "/note", REASON_CHARS_MAX)?))
}

fn passed(results: &[CaseResult]) -> Result<(), Refusal> {
    let failed: Vec<&CaseResult> = results.iter().filter(|result| !result.passed).collect();
    let Some(first) = failed.first() else { return Ok(()) };
    let detail = format!(
        "{} of {} policy tests fail; nothing was published; the first: {}:{} {}",
        failed.len(),
        results.len(),
        first.file,
        first.line,
        first.name
    );
    Err(Refusal::unprocessable("policy_tests_failed", detail).with("results", failed))
}

/// Under which terms a set may replace another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) expect: Expect,
    pub(super) source: Source,
    /// Whether this process watches a folder for the workspace.
    pub(super) managed: bool,
    pub(super) take_over: bool,
}

impl Terms {
    /// Whether they allow to replace what `row` says.
    fn check(self, row: &PolicySetRow) -> Result<(), Refusal> {
        let version = unsigned(row.active_version);
        let of_folder = row.source.as_deref() == Some(Source::Folder.as_str());
        if self.source != Source::Folder && (self.managed || of_folder && !self.take_over) {
            let detail = "the set of this workspace comes from a folder: edit the files there; when no server \
                          watches that folder any more, send `take_over: true`";
            return Err(Refusal::conflict("policy_set_managed", detail));
        }
        match self.expect {
            Expect::Any => Ok(()),
            Expect::Nothing if version == 0 => Ok(()),
            Expect::Nothing => {
                let detail = "this would replace a set: send `If-Match` with the version that you have seen";
                Err(Refusal::precondition_required(detail).with("version", version))
            }
            Expect::Version(expected) if expected == version => Ok(()),
            Expect::Version(_) => {
                let detail = format!("version {version} holds now: look at what changed, then try again");
                Err(Refusal::precondition_failed("policy_version_mismatch", detail).with("version", version))
            }
        }
    }
}

/// What makes a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Publish,
    /// The version whose text comes back.
    RollBack(u64),
}

pub(super) struct PublishSet {
    pub(super) by: By,
    pub(super) prepared: Arc<Prepared>,
    pub(super) note: Option<String>,
    pub(super) terms: Terms,
    pub(super) kind: Kind,
    pub(super) contains_secrets: bool,
}

impl PublishSet {
    fn answer(&self, row: &PolicySetRow, version: i64) -> Published {
        let (set, unchanged) = (&self.prepared.compiled, version == row.active_version);
        Published {
            version: unsigned(version),
            digest: self.prepared.text.digest.clone(),
            rules: set.set.rules.len() as u64,
            files: self.prepared.files as u64,
            unchanged,
            previous_version: unsigned(row.active_version),
            restores: match self.kind {
                Kind::RollBack(version) if !unchanged => Some(version),
                Kind::RollBack(_) | Kind::Publish => None,
            },
            tests_passed: self.prepared.results.len() as u64,
            warnings: views(&set.warnings),
        }
    }

    fn event(&self, tx: &mut Tx<'_>, answer: &Published) {
        let event_type = match self.kind {
            Kind::Publish => EventType::PolicySetPublished,
            Kind::RollBack(_) => EventType::PolicySetRolledBack,
        };
        let (note, reason) = match self.kind {
            Kind::Publish => (self.note.as_ref(), None),
            Kind::RollBack(_) => (None, self.note.as_ref()),
        };
        Facts::new()
            .with("version", answer.version)
            .with("digest", &answer.digest)
            .with("previous_version", answer.previous_version)
            .with("rules", answer.rules)
            .with("files", answer.files)
            .with("source", self.terms.source)
            .maybe("restores", answer.restores)
            .maybe("note", note)
            .maybe("reason", reason)
            .record(tx, &self.by.context(self.contains_secrets), event_type);
    }

    fn version_row(&self, answer: &Published, tx: &Tx<'_>) -> PolicyVersionRow {
        let rollback = matches!(self.kind, Kind::RollBack(_));
        PolicyVersionRow {
            workspace_id: self.by.workspace_id.clone(),
            version: signed(answer.version),
            digest: answer.digest.clone(),
            files: count(self.prepared.files),
            rules: signed(answer.rules),
            source: self.terms.source.as_str().to_owned(),
            note: self.note.clone(),
            published_by_principal_id: Some(PrincipalId::clone(&self.by.principal_id)),
            rolled_back_from: rollback.then(|| signed(answer.previous_version)),
            restores: answer.restores.map(signed),
            created_at: tx.now(),
        }
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Command for PublishSet {
    type Output = Published;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        reads.row::<PolicySetRow>(&[self.by.workspace_id.as_str()]);
        reads.row::<PolicyTextRow>(&[self.by.workspace_id.as_str(), &self.prepared.text.digest]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Published, Refusal> {
        let (workspace, text) = (self.by.workspace_id.clone(), &self.prepared.text);
        let row = own(tx.get::<PolicySetRow>(&[workspace.as_str()]), &workspace, tx.now());
        let same_origin = row.source.as_deref() == Some(self.terms.source.as_str());
        if row.digest.as_deref() == Some(text.digest.as_str()) && (same_origin || self.terms.source == Source::Api) {
            // Sent again, perhaps because the first answer was lost: it holds, whatever was expected.
            return Ok(self.answer(&row, row.active_version));
        }
        self.terms.check(&row)?;
        if tx.get::<PolicyTextRow>(&[workspace.as_str(), &text.digest]).is_none() {
            tx.put(PolicyTextRow {
                workspace_id: workspace.clone(),
                digest: text.digest.clone(),
                files: text.files.clone(),
                created_at: tx.now(),
            });
        }
        let answer = self.answer(&row, row.active_version + 1);
        tx.put(self.version_row(&answer, tx));
        let mut next = PolicySetRow {
            active_version: signed(answer.version),
            digest: Some(answer.digest.clone()),
            source: Some(self.terms.source.as_str().to_owned()),
            updated_at: tx.now(),
            ..row
        };
        // What holds need not be tried.
        if next.candidate_digest == next.digest {
            super::candidate::clear(&mut next);
        }
        tx.put(next);
        self.event(tx, &answer);
        self.by.changed(tx, Some(&workspace), ObjectKind::PolicySet, workspace.as_str());
        Ok(answer)
    }
}
