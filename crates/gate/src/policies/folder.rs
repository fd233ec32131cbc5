//! A folder as the source of a workspace's set: published through the same path as any other, by
//! whoever reads the files. What was found there last is kept for those who look after the server.

use std::sync::{PoisonError, RwLock};

use model::{Actor, ActorType, Time, WorkspaceId};
use rules::{Problem, Source as File};
use serde::{Deserialize, Serialize};

use super::publish::{Expect, Published, Terms};
use super::{ProblemView, Source, views};
use crate::ask::EnsurePrincipal;
use crate::submit::plain_error;
use crate::{Caller, Gate, GateError, Refusal, clock};

/// The name under which a folder's sets are published.
const ACTOR: &str = "policy_folder";

/// How the folder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FolderState {
    /// Whether what lies there holds. If not, the set before it still does.
    pub ok: bool,
    /// What is wrong with what lies there.
    pub problems: Vec<ProblemView>,
    /// When it was found so.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub since: Time,
}

/// The folder of this process.
#[derive(Default)]
pub(crate) struct Folder {
    inner: RwLock<Option<(WorkspaceId, FolderState)>>,
}

impl Folder {
    /// Whether this process watches a folder for the workspace.
    pub(crate) fn manages(&self, workspace: &WorkspaceId) -> bool {
        self.state_of(workspace).is_some()
    }

    pub(crate) fn state_of(&self, workspace: &WorkspaceId) -> Option<FolderState> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.as_ref().filter(|(own, _)| own == workspace).map(|(_, state)| state.clone())
    }

    fn set(&self, workspace: &WorkspaceId, problems: Vec<ProblemView>) {
        metrics::gauge!("exeat_policy_folder_ok").set(if problems.is_empty() { 1.0 } else { 0.0 });
        let state = FolderState { ok: problems.is_empty(), problems, since: clock::now() };
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = Some((workspace.clone(), state));
    }
}

impl Gate {
    /// How the folder of this process stands, when it watches one.
    #[must_use]
    pub fn policy_folder(&self) -> Option<FolderState> {
        let inner = self.folder().inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.as_ref().map(|(_, state)| state.clone())
    }

    /// Publishes what lies in the folder of a workspace, and keeps in mind how that went. To be
    /// called when the content has changed; the same content makes no new version.
    ///
    /// # Errors
    /// As [`Gate::publish_policies`]; the set before then still holds.
    pub async fn publish_folder(&self, workspace: &WorkspaceId, files: Vec<File>) -> Result<Published, GateError> {
        let outcome = self.publish_of_folder(workspace, files).await;
        match &outcome {
            Ok(set) => {
                self.folder().set(workspace, Vec::new());
                metrics::gauge!("exeat_policy_folder_version").set(set.version as f64);
            }
            Err(error) => self.folder().set(workspace, problems_of(error)),
        }
        outcome
    }

    /// Keeps in mind that the folder of a workspace cannot be read.
    pub fn folder_is_unreadable(&self, workspace: &WorkspaceId, why: &str) {
        let problem = super::prepare::problem("", (0, 0), why.to_owned());
        self.folder().set(workspace, views(&[problem]));
    }

    async fn publish_of_folder(&self, workspace: &WorkspaceId, files: Vec<File>) -> Result<Published, GateError> {
        let inputs = files.into_iter().map(|file| super::FileInput { name: file.name, text: file.text });
        let files = super::input::files(Some(inputs.collect()))?;
        let caller = self.folder_caller(workspace).await?;
        let terms = Terms { expect: Expect::Any, source: Source::Folder, managed: true, take_over: true };
        self.publish(&caller, files, None, terms, false).await
    }

    async fn folder_caller(&self, workspace: &WorkspaceId) -> Result<Caller, GateError> {
        let actor = Actor::new(ActorType::Service, ACTOR);
        let view = self.store().learn_actor(workspace, &actor).await?;
        let known = view.snapshot.principal_of(workspace, &actor).cloned();
        let principal = match known {
            Some(principal) => principal,
            None => {
                let view = self.store().fresh(workspace).await?;
                let command = EnsurePrincipal { view, workspace_id: workspace.clone(), actor: actor.clone() };
                let made = self.store().submit(command).await.map_err(plain_error)?.into_inner();
                self.store().learn_actor(workspace, &actor).await?;
                made
            }
        };
        Ok(self.inside(workspace.clone(), principal, "policy_folder"))
    }
}

/// What an operator has to mend, as problems with a place where there is one.
fn problems_of(error: &GateError) -> Vec<ProblemView> {
    if let GateError::Refused(Refusal { members, .. }) = error {
        let listed = members.iter().find(|(name, _)| *name == "problems").map(|(_, value)| value.clone());
        if let Some(problems) = listed.and_then(|value| serde_json::from_value(value).ok()) {
            return problems;
        }
    }
    let problem: Problem = super::prepare::problem("", (0, 0), error.to_string());
    views(&[problem])
}
