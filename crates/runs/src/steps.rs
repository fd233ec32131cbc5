//! Steps of a run that an external worker drives.

use gate::change::{By, Facts};
use gate::wording::{TITLE_CHARS_MAX, Wording, name};
use gate::{Answered, Caller, Fence, GateError, Refusal};
use model::StepId;
use model::event::{EventType, Stream};
use model::run::RunStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::{RunRow, StepRow};
use store::{Command, IdempotencyKey, Reads, Tx};

use crate::Runs;
use crate::error::{no_run, not_running};
use crate::record::Author;

/// A step to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateStepInput {
    /// What kind of step it is, 1 to 200 bytes.
    pub kind: Option<String>,
    /// Its title, at most 300 characters.
    pub title: Option<String>,
    /// What it works on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub input: Option<Value>,
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
}

/// A step that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateStepOutput {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub step_id: StepId,
}

impl Runs {
    /// Makes a step of a running run.
    ///
    /// # Errors
    /// 404 `run_not_found`; 400 `missing_kind`, `invalid_request`; 409 `run_not_running`,
    /// `lease_token_mismatch`, `lease_expired`; see [`GateError`].
    pub async fn create_step(
        &self,
        caller: &Caller,
        run_id: &str,
        input: CreateStepInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<CreateStepOutput>, GateError> {
        let run = self.stored(caller, run_id).await?;
        let step = self.gate.told(caller, NewStep::read(&input)).await?;
        let fence = Fence::shown(run.run_id.clone(), input.claim_token.as_deref());
        self.gate
            .submit(caller, once, |caller| {
                Ok(CreateStep { by: By::of(caller), run: run.clone(), step: step.clone(), fence: fence.clone() })
            })
            .await
    }
}

#[derive(Clone)]
struct NewStep {
    step_id: StepId,
    kind: String,
    title: Option<String>,
    input: Option<Value>,
    contains_secrets: bool,
}

impl NewStep {
    fn read(input: &CreateStepInput) -> Result<Self, Refusal> {
        let mut wording = Wording::new();
        let kind = input
            .kind
            .as_deref()
            .filter(|kind| !kind.trim().is_empty())
            .ok_or_else(|| Refusal::invalid("missing_kind", "a step needs a kind").at("/kind"))?;
        let kind = name(Some(kind))
            .ok_or_else(|| Refusal::invalid_field("/kind", "1 to 200 bytes without control characters"))?;
        let kind = wording.clean(kind);
        let title = wording.optional(input.title.as_deref(), "/title", TITLE_CHARS_MAX)?;
        let input = input.input.clone().filter(|v| !v.is_null()).map(|v| wording.clean_value(v));
        let contains_secrets = wording.contains_secrets();
        Ok(Self { step_id: StepId::new(), kind, title, input, contains_secrets })
    }
}

struct CreateStep {
    by: By,
    /// The run as it was when the command was made; only what never changes is used of it.
    run: RunRow,
    step: NewStep,
    fence: Fence,
}

impl Command for CreateStep {
    type Output = CreateStepOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.row::<RunRow>(&[self.run.run_id.as_str()]);
        reads.row::<StepRow>(&[self.step.step_id.as_str()]);
        self.fence.reads(reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<CreateStepOutput, Refusal> {
        let run = tx.get::<RunRow>(&[self.run.run_id.as_str()]).cloned().ok_or_else(no_run)?;
        if run.status != RunStatus::Running {
            return Err(not_running());
        }
        self.fence.check(tx)?;
        let step = &self.step;
        let context = Author::of(&self.by).context(&run, Some(&step.step_id), step.contains_secrets);
        let draft = Facts::new()
            .with("step_id", &step.step_id)
            .with("kind", &step.kind)
            .maybe("title", step.title.as_ref())
            .maybe("input", step.input.as_ref())
            .draft(EventType::StepCreated)
            .caused_by(Some(run.last_event_id));
        tx.append(&context, draft);
        Ok(CreateStepOutput { step_id: step.step_id.clone() })
    }
}
