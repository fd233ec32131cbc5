//! Ending a run from outside: by whoever has its lease, or, when nobody has, by whoever may.

use gate::change::{By, Facts};
use gate::wording::{REASON_CHARS_MAX, Wording};
use gate::{Caller, Fence, GateError, Refusal};
use model::event::Stream;
use serde::Deserialize;
use serde_json::Value;
use store::rows::RunRow;
use store::{Command, Reads, Tx};

use crate::Runs;
use crate::error::{already_ended, no_run};
use crate::record::{Author, End, RunOutput};

/// How a run succeeded.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompleteRunInput {
    /// What came of it, at most 4,000 characters.
    pub summary: Option<String>,
    /// The same for programs.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub output: Option<Value>,
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
}

/// How a run failed.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailRunInput {
    /// Why, at most 4,000 characters.
    pub message: Option<String>,
    /// The same for programs.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub error: Option<Value>,
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
}

impl Runs {
    /// Ends a run well.
    ///
    /// # Errors
    /// 404 `run_not_found`; 400 `invalid_request`; 409 `run_already_ended`, `lease_token_mismatch`,
    /// `lease_expired`; see [`GateError`].
    pub async fn complete(
        &self,
        caller: &Caller,
        run_id: &str,
        input: CompleteRunInput,
    ) -> Result<RunOutput, GateError> {
        let run = self.stored(caller, run_id).await?;
        let read = || {
            let mut wording = Wording::new();
            let summary = wording.optional(input.summary.as_deref(), "/summary", REASON_CHARS_MAX)?;
            let output = input.output.clone().filter(|v| !v.is_null()).map(|v| wording.clean_value(v));
            Ok(Said { ok: true, words: summary, value: output, contains_secrets: wording.contains_secrets() })
        };
        let said = self.gate.told(caller, read()).await?;
        self.finish(caller, run, said, input.claim_token.as_deref()).await
    }

    /// Ends a run badly.
    ///
    /// # Errors
    /// As [`Runs::complete`].
    pub async fn fail(&self, caller: &Caller, run_id: &str, input: FailRunInput) -> Result<RunOutput, GateError> {
        let run = self.stored(caller, run_id).await?;
        let read = || {
            let mut wording = Wording::new();
            let message = wording.optional(input.message.as_deref(), "/message", REASON_CHARS_MAX)?;
            let error = input.error.clone().filter(|v| !v.is_null()).map(|v| wording.clean_value(v));
            Ok(Said { ok: false, words: message, value: error, contains_secrets: wording.contains_secrets() })
        };
        let said = self.gate.told(caller, read()).await?;
        self.finish(caller, run, said, input.claim_token.as_deref()).await
    }

    async fn finish(
        &self,
        caller: &Caller,
        run: RunRow,
        said: Said,
        token: Option<&str>,
    ) -> Result<RunOutput, GateError> {
        let fence = Fence::shown(run.run_id.clone(), token);
        let finished = self
            .gate
            .submit(caller, None, |caller| {
                Ok(FinishRun { by: By::of(caller), run: run.clone(), said: said.clone(), fence: fence.clone() })
            })
            .await?;
        Ok(finished.value)
    }
}

#[derive(Clone)]
struct Said {
    ok: bool,
    words: Option<String>,
    value: Option<Value>,
    contains_secrets: bool,
}

struct FinishRun {
    by: By,
    /// The run as it was when the command was made; only what never changes is used of it.
    run: RunRow,
    said: Said,
    fence: Fence,
}

impl Command for FinishRun {
    type Output = RunOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.run(&self.run.run_id);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RunOutput, Refusal> {
        let id = &self.run.run_id;
        if tx.get::<RunRow>(&[id.as_str()]).ok_or_else(no_run)?.status.is_ended() {
            return Err(already_ended());
        }
        self.fence.check(tx)?;
        let said = &self.said;
        let end = if said.ok {
            let facts = Facts::new().maybe("summary", said.words.as_ref()).maybe("output", said.value.as_ref());
            End::succeeded(facts, said.contains_secrets)
        } else {
            let facts = Facts::new().maybe("message", said.words.as_ref()).maybe("error", said.value.as_ref());
            End::failed(facts, said.contains_secrets)
        };
        Author::of(&self.by).end(tx, id, end);
        Ok(RunOutput::of(tx, id))
    }
}
