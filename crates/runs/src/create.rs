//! Making a run: it is queued, and workers are told.

use gate::change::{By, Facts};
use gate::wording::{REASON_CHARS_MAX, TITLE_CHARS_MAX, Wording};
use gate::{Answered, Caller, GateError, Place, Refusal};
use model::event::{EventContext, EventType, Stream};
use model::run::RunStatus;
use model::{CorrelationId, RunId, Zone};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::QueueRow;
use store::{Command, IdempotencyKey, Reads, Tx};

use crate::Runs;

/// LIMIT: how many tags a run has.
const TAGS_MAX: usize = 32;
/// LIMIT: the longest tag, in characters.
const TAG_CHARS_MAX: usize = 100;

/// A run to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateRunInput {
    /// The room it happens in.
    pub room_id: Option<String>,
    /// The thread.
    pub thread_id: Option<String>,
    /// Its title, at most 300 characters.
    pub title: Option<String>,
    /// What it is for, at most 4,000 characters.
    pub goal: Option<String>,
    /// What it works on. `runtime` in it is what the worker reads; the rest is the caller's.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub input: Option<Value>,
    /// At most 32 words of at most 100 characters.
    pub tags: Option<Vec<String>>,
    /// What ties its events together; new when left out.
    pub correlation_id: Option<String>,
}

/// A run that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateRunOutput {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub run_id: RunId,
    /// `queued`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub status: RunStatus,
}

impl Runs {
    /// Makes a run and queues it.
    ///
    /// # Errors
    /// 400 `invalid_request`; 403 `identity_not_permitted` when the input's policy context names a
    /// principal or zone that is not the caller's; 404 `room_not_found`; see [`GateError`].
    pub async fn create(
        &self,
        caller: &Caller,
        input: CreateRunInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<CreateRunOutput>, GateError> {
        let mut wording = Wording::new();
        let (room, thread) = (input.room_id.as_deref(), input.thread_id.as_deref());
        let place = match self.gate.place(&caller.workspace_id, room, thread, None, None, &mut wording).await {
            Err(GateError::Refused(refusal)) => self.gate.told(caller, Err(refusal)).await?,
            outcome => outcome?,
        };
        let run = self.gate.told(caller, NewRun::read(caller, input, place, wording)).await?;
        self.gate.submit(caller, once, |caller| Ok(CreateRun { by: By::of(caller), run: run.clone() })).await
    }
}

#[derive(Clone)]
struct NewRun {
    run_id: RunId,
    place: Place,
    title: Option<String>,
    goal: Option<String>,
    input: Option<Value>,
    tags: Vec<String>,
    correlation_id: CorrelationId,
    contains_secrets: bool,
}

impl NewRun {
    fn read(caller: &Caller, input: CreateRunInput, place: Place, mut wording: Wording) -> Result<Self, Refusal> {
        let title = wording.optional(input.title.as_deref(), "/title", TITLE_CHARS_MAX)?;
        let goal = wording.optional(input.goal.as_deref(), "/goal", REASON_CHARS_MAX)?;
        let tags = tags(&input.tags.unwrap_or_default(), &mut wording)?;
        let correlation_id = match input.correlation_id.as_deref() {
            None => CorrelationId::new(),
            Some(text) => CorrelationId::parse(&wording.clean(text))
                .map_err(|e| Refusal::invalid_field("/correlation_id", e.to_string()))?,
        };
        let value = input.input.filter(|value| !value.is_null());
        speaks_for_itself(caller, value.as_ref().unwrap_or(&Value::Null))?;
        let input = value.map(|value| wording.clean_value(value));
        let contains_secrets = wording.contains_secrets();
        Ok(Self { run_id: RunId::new(), place, title, goal, input, tags, correlation_id, contains_secrets })
    }
}

fn tags(given: &[String], wording: &mut Wording) -> Result<Vec<String>, Refusal> {
    if given.len() > TAGS_MAX {
        return Err(Refusal::invalid_field("/tags", format!("at most {TAGS_MAX} tags")));
    }
    let mut tags = Vec::with_capacity(given.len());
    for (place, tag) in given.iter().enumerate() {
        let tag = wording.optional(Some(tag), &format!("/tags/{place}"), TAG_CHARS_MAX)?;
        tags.extend(tag.filter(|tag| !tags.contains(tag)));
    }
    Ok(tags)
}

/// What the worker will believe of the input is believed of a body, too: only from who speaks for
/// others.
fn speaks_for_itself(caller: &Caller, input: &Value) -> Result<(), Refusal> {
    if caller.role.speaks_for_others() {
        return Ok(());
    }
    let policy = crate::plan::Plan::read(input).policy;
    if caller.is_narrowed() {
        // A run is driven later, by who knows nothing of the caveats.
        return Err(Refusal::forbidden("forbidden", "a narrowed capability token makes no runs"));
    }
    if let Some(own) = caller.capability_token_id()
        && policy.capability_token_id.as_deref() != Some(own.as_str())
    {
        let detail = "who is let in by a capability token makes runs that name that token";
        let field = "/input/runtime/policy/capability_token_id";
        return Err(Refusal::forbidden("identity_not_permitted", detail).at(field));
    }
    let not_permitted = |field| {
        let detail = "this key's runs act only as its own principal, in zones it may use";
        Err(Refusal::forbidden("identity_not_permitted", detail).at(field))
    };
    if policy.principal_id.is_some_and(|named| named != caller.principal_id.as_str()) {
        return not_permitted("/input/runtime/policy/principal_id");
    }
    let zone_max = caller.zone_max().unwrap_or(Zone::Supervised);
    if policy.zone.is_some_and(|named| named > zone_max) {
        return not_permitted("/input/runtime/policy/zone");
    }
    Ok(())
}

struct CreateRun {
    by: By,
    run: NewRun,
}

impl Command for CreateRun {
    type Output = CreateRunOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.by.workspace_id, self.run.place.room_id.as_ref()));
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<CreateRunOutput, Refusal> {
        let run = &self.run;
        let context = EventContext {
            room_id: run.place.room_id.clone(),
            thread_id: run.place.thread_id.clone(),
            run_id: Some(run.run_id.clone()),
            correlation_id: run.correlation_id.clone(),
            ..self.by.context(run.contains_secrets)
        };
        Facts::new()
            .with("run_id", &run.run_id)
            .maybe("title", run.title.as_ref())
            .maybe("goal", run.goal.as_ref())
            .maybe("input", run.input.as_ref())
            .maybe("tags", (!run.tags.is_empty()).then_some(&run.tags))
            .record(tx, &context, EventType::RunCreated);
        tx.put(QueueRow {
            run_id: run.run_id.clone(),
            workspace_id: self.by.workspace_id.clone(),
            room_id: run.place.room_id.clone(),
            ready_at: tx.now(),
            expiries: 0,
            failures: 0,
            remaining_ms: None,
        });
        tx.runs_ready();
        Ok(CreateRunOutput { run_id: run.run_id.clone(), status: RunStatus::Queued })
    }
}
