//! What a run's input asks for, read defensively: a part of the wrong type counts as absent, and
//! whatever the input is, there is a plan.
//!
//! ```json
//! {"runtime": {
//!   "egress": {"target_url": "https://…", "action": "…", "method": "…"},
//!   "http": {"url": "https://…", "method": "…", "headers": {…}, "body": "…"},
//!   "process": {"argv": ["git", "status"], "timeout_ms": 60000},
//!   "tool": "a tool of the tools file", "input": {…},
//!   "steps": [{"tool": "egress.request", "title": "…", "input": {…}, "continue_on_error": true}],
//!   "policy": {"principal_id": "…", "capability_token_id": "…", "zone": "sandbox"},
//!   "on_approval": "wait", "timeout_s": 60}}
//! ```

mod refs;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use model::{Canonical, Zone};
use serde_json::Value;

pub use refs::{Unresolved, resolve};

/// LIMIT: the most steps in a run.
pub const STEPS_MAX: usize = 1_000;
/// LIMIT: the longest time a run may be given.
const TIMEOUT_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// LIMIT: the longest step title that is kept, in characters.
const TITLE_CHARS_MAX: usize = 300;

/// A tool that the worker has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// Does nothing.
    Noop,
    /// Asks whether a request may leave, and records the answer. It sends nothing.
    EgressRequest,
    /// Asks, and then really sends the request.
    HttpRequest,
    /// Runs a command, confined.
    ProcessExec,
    /// Runs a command of the operator's tools file, confined.
    Registered(Arc<str>),
}

impl Tool {
    /// Every tool that is built in, in the order of their names.
    pub const ALL: [Self; 4] = [Self::EgressRequest, Self::HttpRequest, Self::ProcessExec, Self::Noop];

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Noop => "runtime.noop",
            Self::EgressRequest => "egress.request",
            Self::HttpRequest => "http.request",
            Self::ProcessExec => "process.exec",
            Self::Registered(name) => name,
        }
    }

    /// The built-in tool of this name.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name.trim())
    }

    /// Whether it has an effect that the store knows nothing of: one that was cut off may have had it.
    #[must_use]
    pub const fn acts_outside(&self) -> bool {
        match self {
            Self::Noop | Self::EgressRequest => false,
            Self::HttpRequest | Self::ProcessExec | Self::Registered(_) => true,
        }
    }
}

/// Why a step cannot be tried at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It names a tool that there is not.
    UnknownTool,
    /// It is no object with a tool.
    NoStep,
    /// There are more steps than a run may have.
    TooManySteps,
}

impl Flaw {
    /// Its code and what it says.
    #[must_use]
    pub const fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownTool => ("tool_unknown", "The worker has no such tool"),
            Self::NoStep => ("invalid_step", "A step is an object with a `tool`"),
            Self::TooManySteps => ("too_many_steps", "The run has more than 1,000 steps"),
        }
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPlan {
    /// What it calls.
    pub tool: Result<Tool, Flaw>,
    /// What it is called with; references in it are not resolved yet.
    pub input: Value,
    /// What people see.
    pub title: Option<String>,
    /// Whether the run goes on when it fails.
    pub continue_on_error: bool,
}

/// For whom the tools are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyContext {
    /// The accountable principal.
    pub principal_id: Option<String>,
    /// The capability token shown.
    pub capability_token_id: Option<String>,
    /// The zone; without one `sandbox`.
    pub zone: Option<Zone>,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its steps, at least one.
    pub steps: Vec<StepPlan>,
    /// Whether the input lists them, so that each says which one it is.
    pub listed: bool,
    /// Whether it waits for an approval instead of failing.
    pub waits: bool,
    /// For whom.
    pub policy: PolicyContext,
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

impl Plan {
    /// What the input asks for, with the tools that are built in.
    #[must_use]
    pub fn read(input: &Value) -> Self {
        Self::with_tools(input, &|_| None)
    }

    /// The same with others too: `registered` knows them by their names.
    #[must_use]
    pub fn with_tools(input: &Value, registered: &dyn Fn(&str) -> Option<Tool>) -> Self {
        let named = |name: &str| Tool::built_in(name).or_else(|| registered(name.trim())).ok_or(Flaw::UnknownTool);
        let runtime = input.get("runtime").unwrap_or(&Value::Null);
        let policy = runtime.get("policy").unwrap_or(&Value::Null);
        let listed = runtime.get("steps").and_then(Value::as_array).filter(|steps| !steps.is_empty());
        let steps = match listed {
            Some(steps) if steps.len() > STEPS_MAX => vec![StepPlan::flawed(Flaw::TooManySteps)],
            Some(steps) => steps.iter().map(|step| StepPlan::listed(step, &named)).collect(),
            None => vec![StepPlan::only(runtime, &named)],
        };
        Self {
            steps,
            listed: listed.is_some(),
            waits: text(runtime, "on_approval").is_some_and(|text| text.trim() == "wait"),
            policy: PolicyContext {
                principal_id: text(policy, "principal_id").map(str::to_owned),
                capability_token_id: text(policy, "capability_token_id").map(str::to_owned),
                zone: text(policy, "zone").and_then(|zone| Zone::parse(zone.trim())),
            },
        }
    }

    /// The step at a place; none past the last.
    #[must_use]
    pub fn step(&self, at: usize) -> Option<&StepPlan> {
        self.steps.get(at)
    }
}

impl StepPlan {
    fn flawed(flaw: Flaw) -> Self {
        Self { tool: Err(flaw), input: Value::Null, title: None, continue_on_error: false }
    }

    /// The step of a run that does not list its steps.
    fn only(runtime: &Value, named: &dyn Fn(&str) -> Result<Tool, Flaw>) -> Self {
        let egress = runtime.get("egress").filter(|egress| text(egress, "target_url").is_some());
        let http = runtime.get("http").filter(|http| text(http, "url").is_some());
        let process = runtime.get("process").filter(|process| process.get("argv").is_some_and(Value::is_array));
        let (tool, input) = match (egress, text(runtime, "tool")) {
            (Some(egress), _) => (Ok(Tool::EgressRequest), egress.clone()),
            (None, None | Some("http.request")) if http.is_some() => {
                (Ok(Tool::HttpRequest), http.cloned().unwrap_or_default())
            }
            (None, None | Some("process.exec")) if process.is_some() => {
                (Ok(Tool::ProcessExec), process.cloned().unwrap_or_default())
            }
            (None, Some(name)) => (named(name), runtime.get("input").cloned().unwrap_or_default()),
            (None, None) => (Ok(Tool::Noop), Value::Null),
        };
        Self { tool, input, title: None, continue_on_error: false }
    }

    fn listed(step: &Value, named: &dyn Fn(&str) -> Result<Tool, Flaw>) -> Self {
        let tool = text(step, "tool").ok_or(Flaw::NoStep).and_then(named);
        Self {
            tool,
            input: step.get("input").cloned().unwrap_or(Value::Null),
            title: text(step, "title").map(|title| title.trim().chars().take(TITLE_CHARS_MAX).collect()),
            continue_on_error: step.get("continue_on_error").and_then(Value::as_bool).unwrap_or(false),
        }
    }

    /// The tool's name as it is asked for and recorded; of a step without one, what it would be.
    #[must_use]
    pub fn tool_name(&self) -> &str {
        self.tool.as_ref().map_or("runtime.unknown", Tool::name)
    }
}

/// How long a run may take, 1 ms to 30 days: more is 30 days, and what is no positive number is no
/// limit. Waiting for people does not count.
#[must_use]
pub fn timeout(input: Option<&Canonical>) -> Option<Duration> {
    // Most runs have none; do not parse a large input to find that out.
    let input = input.filter(|input| input.as_str().contains("\"timeout_s\""))?.to_value();
    let seconds = input.get("runtime")?.get("timeout_s")?.as_f64().filter(|s| s.is_finite() && *s > 0.0)?;
    // Bounded first: not every number of seconds is a duration.
    let timeout = Duration::try_from_secs_f64(seconds.min(TIMEOUT_MAX.as_secs_f64())).ok()?;
    Some(timeout.max(Duration::from_millis(1)))
}
