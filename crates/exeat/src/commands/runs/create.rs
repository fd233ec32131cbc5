//! `exeat runs create`: what the worker is to do, from flags, from JSON, or from both.
//!
//! The flags are short for members of `input.runtime`. They go together with any `--input` that does
//! not say something else in the same place.

use std::io::Read as _;

use clap::Args;
use serde_json::{Map, Value, json};

use super::super::App;
use super::super::wire::{body, set, text};
use super::watch;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{clean, field};

/// LIMIT: the largest input that is read; the server takes less.
const INPUT_BYTES_MAX: u64 = 2 << 20;

/// The new run.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  exeat runs create --title \"fetch the news\" --egress https://example.com/ --watch\n  exeat runs create --egress https://example.com/ --action external.write --wait-for-approval\n  exeat runs create --input '{\"runtime\":{\"steps\":[{\"tool\":\"runtime.noop\"}]}}'\n  exeat runs create --input @run.json --tag nightly --as PRINCIPAL --capability TOKEN"
)]
pub struct CreateArgs {
    /// Its title
    #[arg(long)]
    title: Option<String>,
    /// What it is for
    #[arg(long)]
    goal: Option<String>,
    /// In this room
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
    /// A word to find it by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Its input: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// Follow it to its end; the exit code is that of `runs watch`
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// What the worker does: members of `input.runtime`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What the worker does")]
pub(super) struct RuntimeArgs {
    /// Ask for a request to this address (tool egress.request)
    #[arg(long, value_name = "URL")]
    egress: Option<String>,
    /// The action it counts as [default: internal.read]
    #[arg(long, value_name = "NAME", requires = "egress")]
    action: Option<String>,
    /// Its method
    #[arg(long, requires = "egress")]
    method: Option<String>,
    /// Wait for an approval where one is needed, instead of failing
    #[arg(long)]
    wait_for_approval: bool,
    /// Call the tools as this principal
    #[arg(long = "as", value_name = "PRINCIPAL_ID")]
    principal: Option<String>,
    /// Show this capability token
    #[arg(long, value_name = "TOKEN_ID")]
    capability: Option<String>,
    /// The zone [default: sandbox]
    #[arg(long, value_parser = ["sandbox", "supervised", "high_stakes"])]
    zone: Option<String>,
    /// Fail it after this many seconds; waiting for people does not count
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout_s: Option<serde_json::Number>,
}

fn seconds(text: &str) -> Result<serde_json::Number, String> {
    let whole = text.parse::<u64>().ok().filter(|n| *n > 0).map(serde_json::Number::from);
    let part = || text.parse::<f64>().ok().filter(|n| *n > 0.0).and_then(serde_json::Number::from_f64);
    whole.or_else(part).ok_or_else(|| "expected a number of seconds above 0".to_owned())
}

/// Queues it.
pub(super) async fn run(args: CreateArgs, app: &App) -> Result<Exit, Failure> {
    let given = args.input.as_deref().map(read).transpose()?;
    let input = args.runtime.add_to(given)?;
    let tags = (!args.tags.is_empty()).then(|| json!(args.tags));
    let body = body([
        ("room_id", text(args.room)),
        ("title", text(args.title)),
        ("goal", text(args.goal)),
        ("input", input),
        ("tags", tags),
    ]);
    queue(&body, args.watch, None, app).await
}

/// Queues a run, tells its id, and follows it when asked to. `retry_of`: the run that it does again.
pub(super) async fn queue(body: &Value, then_watch: bool, retry_of: Option<&str>, app: &App) -> Result<Exit, Failure> {
    let (client, output) = (app.client()?, app.output);
    let mut answer = client.create(&["v1", "runs"], body).await?;
    let id = field(&answer, "run_id");
    if let Some(old) = retry_of {
        set(&mut answer, "retry_of", old);
    }
    if then_watch && output.is_json() {
        output.json_line(&answer)?;
    } else {
        output.answer(&answer, |output, _| output.line(&id))?;
    }
    if !output.is_json() {
        let what = retry_of.map_or_else(|| "queued".to_owned(), |old| format!("queued again what {} was", clean(old)));
        let then = if then_watch { String::new() } else { format!("; follow it: exeat runs watch {id}") };
        output.say(&format!("{what}{then}"));
    }
    if then_watch { watch::to_its_end(&client, &id, false, output).await } else { Ok(Exit::Ok) }
}

/// Reads the JSON of `--input` as strictly as the server does.
fn read(given: &str) -> Result<Value, Failure> {
    let unread = |name: &str| {
        let name = clean(name);
        move |error: std::io::Error| Failure::usage(format!("cannot read the input from {name}")).why(error.to_string())
    };
    let mut bytes = Vec::new();
    match given.strip_prefix('@') {
        _ if given == "-" => {
            let mut limited = std::io::stdin().lock().take(INPUT_BYTES_MAX);
            limited.read_to_end(&mut bytes).map_err(unread("standard input"))?;
        }
        Some(path) => {
            let file = std::fs::File::open(path).map_err(unread(path))?;
            file.take(INPUT_BYTES_MAX).read_to_end(&mut bytes).map_err(unread(path))?;
        }
        None => bytes.extend_from_slice(given.as_bytes()),
    }
    model::json::parse_strict(&bytes).map_err(|error| {
        Failure::usage("the input is not JSON that can be sent")
            .why(error.to_string())
            .next("quote it for the shell, or name a file: --input @FILE")
    })
}

impl RuntimeArgs {
    /// The input with what the flags say.
    pub(super) fn add_to(self, input: Option<Value>) -> Result<Option<Value>, Failure> {
        let asks_egress = self.egress.is_some();
        let flags: Vec<(&str, &[&str], Option<Value>)> = vec![
            ("--egress", &["egress", "target_url"], text(self.egress)),
            ("--action", &["egress", "action"], text(self.action)),
            ("--method", &["egress", "method"], text(self.method.map(|method| method.to_uppercase()))),
            ("--wait-for-approval", &["on_approval"], self.wait_for_approval.then(|| json!("wait"))),
            ("--as", &["policy", "principal_id"], text(self.principal)),
            ("--capability", &["policy", "capability_token_id"], text(self.capability)),
            ("--zone", &["policy", "zone"], text(self.zone)),
            ("--timeout-s", &["timeout_s"], self.timeout_s.map(Value::Number)),
        ];
        let mut given = flags.into_iter().filter_map(|(flag, path, value)| Some((flag, path, value?))).peekable();
        if given.peek().is_none() {
            return Ok(input);
        }
        let mut input = input.unwrap_or_else(|| json!({}));
        if asks_egress {
            let runtime = input.get("runtime").unwrap_or(&Value::Null);
            let steps = runtime.get("steps").and_then(Value::as_array).is_some_and(|steps| !steps.is_empty());
            let tool = runtime.get("tool").and_then(Value::as_str).is_some_and(|tool| tool.trim() != "egress.request");
            if let Some(member) = [("steps", steps), ("tool", tool)].iter().find(|(_, there)| *there) {
                let member = member.0;
                return Err(Failure::usage(format!(
                    "`--egress` and the input's `runtime.{member}` contradict each other"
                ))
                .next(
                    "make the request one of the steps: {\"tool\": \"egress.request\", \"input\": {\"target_url\": …}}",
                ));
            }
        }
        for (flag, path, value) in given {
            put(&mut input, flag, path, value)?;
        }
        Ok(Some(input))
    }
}

/// Sets a member of `input.runtime`, unless something else is there.
fn put(input: &mut Value, flag: &str, path: &[&str], value: Value) -> Result<(), Failure> {
    let full = || format!("input.runtime.{}", path.join("."));
    let mut place = input;
    for name in std::iter::once(&"runtime").chain(path) {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Some(members) = place.as_object_mut() else {
            return Err(Failure::usage(format!("`{flag}` sets `{}`, and the input has no object there", full())));
        };
        place = members.entry(*name).or_insert(Value::Null);
    }
    if !place.is_null() && *place != value {
        let said = clean(&place.to_string());
        return Err(Failure::usage(format!("`{flag}` and the input contradict each other"))
            .why(format!("the input's `{}` is {said}", full()))
            .next("leave out the one or the other"));
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress() -> RuntimeArgs {
        RuntimeArgs { egress: Some("https://a.test/".to_owned()), ..RuntimeArgs::default() }
    }

    #[test]
    fn flags_build_the_runtime_beside_what_the_input_has() {
        let all = RuntimeArgs {
            action: Some("external.write".to_owned()),
            method: Some("post".to_owned()),
            wait_for_approval: true,
            principal: Some("p1".to_owned()),
            capability: Some("t1".to_owned()),
            zone: Some("sandbox".to_owned()),
            timeout_s: Some(seconds("60").unwrap()),
            ..egress()
        };
        let runtime = json!({
            "egress": { "target_url": "https://a.test/", "action": "external.write", "method": "POST" },
            "on_approval": "wait", "timeout_s": 60,
            "policy": { "principal_id": "p1", "capability_token_id": "t1", "zone": "sandbox" },
        });
        assert_eq!(all.add_to(Some(json!({ "order": 7 }))).unwrap(), Some(json!({ "order": 7, "runtime": runtime })));
        for same in [json!(null), json!({ "runtime": { "egress": { "target_url": "https://a.test/" } } })] {
            let input = egress().add_to(Some(same)).unwrap().unwrap();
            assert_eq!(input["runtime"]["egress"]["target_url"], "https://a.test/");
        }
        for input in [None, Some(json!([1])), Some(json!("x"))] {
            assert_eq!(RuntimeArgs::default().add_to(input.clone()).unwrap(), input, "no flag changes nothing");
        }
    }

    #[test]
    fn only_a_contradiction_is_refused() {
        let contradicting = [
            json!({ "runtime": { "egress": { "target_url": "https://b.test/" } } }),
            json!({ "runtime": { "steps": [{ "tool": "runtime.noop" }] } }),
            json!({ "runtime": { "tool": "runtime.noop" } }),
            json!({ "runtime": 7 }),
            json!([1]),
            json!("text"),
        ];
        for input in contradicting {
            assert_eq!(egress().add_to(Some(input.clone())).unwrap_err().exit, Exit::Usage, "{input}");
        }
        assert!(egress().add_to(Some(json!({ "runtime": { "steps": [], "tool": "egress.request" } }))).is_ok());
    }

    #[test]
    fn seconds_are_above_zero() {
        assert_eq!(seconds("2.5").unwrap().to_string(), "2.5");
        for bad in ["0", "-1", "NaN", "inf", "1m", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
