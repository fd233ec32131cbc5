//! What a process tool is asked to do, read strictly: a mistake in it is told, never guessed at.
//!
//! `process.exec` takes
//! ```json
//! {"argv": ["python3", "-"], "cwd": "src", "env": {"DEPTH": "3"}, "stdin": "print(1)", "timeout_ms": 60000,
//!  "network": {"allow": ["pypi.org", "*.pythonhosted.org"], "on_refused": "continue"}, "idempotent": false}
//! ```
//! There is no shell unless `argv` names one. `stdin_base64` is for what is no text. Without `network` the
//! command says that it needs none, and fails when it asks for something that is refused; `allow` only
//! narrows what the policy lets out. A tool of the tools file takes `arguments`, `cwd`, `stdin`,
//! `stdin_base64` and `timeout_ms`, which can only shorten its time; all else is the operator's.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use confine::OnRefused;
use model::DomainPattern;
use redact::MARKER;
use serde_json::{Map, Value};

use super::tools::{Arguments, Registered};
use crate::machine::Failure;

/// LIMIT: how many words a command line has.
const WORDS_MAX: usize = 4_096;
/// LIMIT: how long one word, or the value of a variable, is; the kernel takes no more.
const WORD_BYTES_MAX: usize = 128 * 1024 - 1;
/// LIMIT: how many variables there are.
pub(super) const VARIABLES_MAX: usize = 256;
/// LIMIT: how much a command is given to read.
const STDIN_BYTES_MAX: usize = 1 << 20;
/// LIMIT: how many hosts are named.
pub(super) const HOSTS_MAX: usize = 256;
/// LIMIT: the longest a command may take.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long it takes when nobody says.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// How much memory its processes have when nobody says.
pub(super) const MEMORY_BYTES: u64 = 2 << 30;

/// A command that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) argv: Vec<String>,
    /// Beneath the run's folder, or absolute.
    pub(super) cwd: Option<PathBuf>,
    pub(super) env: Vec<(String, String)>,
    pub(super) stdin: Vec<u8>,
    pub(super) timeout: Duration,
    pub(super) network: Need,
    /// Whether running it again after an attempt whose end nobody saw can do no harm.
    pub(crate) idempotent: bool,
    pub(super) read_only: Vec<PathBuf>,
    pub(super) writable: Vec<PathBuf>,
    pub(super) memory_bytes: u64,
}

/// What a command says about the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// It needs none.
    None,
    /// It asks, for these hosts only when they are named.
    Asks { allow: Option<Arc<[DomainPattern]>>, on_refused: OnRefused },
}

type Members = Map<String, Value>;

/// Reads the members of one tool's input.
struct Reader<'a> {
    tool: &'a str,
    members: &'a Members,
}

impl Wanted {
    /// Reads the input of `process.exec`.
    pub(crate) fn exec(input: &Value) -> Result<Self, Failure> {
        let known = ["argv", "cwd", "env", "stdin", "stdin_base64", "timeout_ms", "network", "idempotent"];
        let reader = Reader::of("process.exec", input, &known)?;
        let argv = reader.words("argv")?.filter(|argv| argv.first().is_some_and(|program| !program.is_empty()));
        Ok(Self {
            argv: argv.ok_or_else(|| reader.invalid("`argv` is the program and its arguments, at least one text"))?,
            cwd: reader.cwd()?,
            env: reader.env()?,
            stdin: reader.stdin()?,
            timeout: reader.timeout()?.unwrap_or(TIMEOUT),
            network: reader.network()?,
            idempotent: reader.flag("idempotent")?,
            read_only: Vec::new(),
            writable: Vec::new(),
            memory_bytes: MEMORY_BYTES,
        })
    }

    /// Reads the input of a tool of the tools file.
    pub(crate) fn registered(tool: &Registered, input: &Value) -> Result<Self, Failure> {
        let empty = Value::Object(Members::new());
        let input = if input.is_null() { &empty } else { input };
        let known = ["arguments", "cwd", "stdin", "stdin_base64", "timeout_ms"];
        let reader = Reader::of(&tool.name, input, &known)?;
        let mut argv = tool.argv.clone();
        match (tool.arguments, reader.words("arguments")?) {
            (Arguments::Append, arguments) => argv.extend(arguments.unwrap_or_default()),
            (Arguments::None, None) => {}
            (Arguments::None, Some(given)) if given.is_empty() => {}
            (Arguments::None, Some(_)) => return Err(reader.invalid("this tool takes no `arguments`")),
        }
        let on_refused = tool.on_refused;
        Ok(Self {
            argv,
            cwd: reader.cwd()?.or_else(|| tool.cwd.clone()),
            env: tool.env.clone(),
            stdin: reader.stdin()?,
            timeout: reader.timeout()?.map_or(tool.timeout, |timeout| timeout.min(tool.timeout)),
            network: match &tool.allow {
                Some(allow) => Need::Asks { allow: Some(allow.clone()), on_refused },
                None => Need::None,
            },
            idempotent: tool.idempotent,
            read_only: tool.read_only.clone(),
            writable: tool.writable.clone(),
            memory_bytes: tool.memory_bytes,
        })
    }
}

impl Wanted {
    /// How long it may take.
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The hosts it may ask for, when it named them.
    pub(crate) fn hosts(&self) -> Option<Arc<[DomainPattern]>> {
        match &self.network {
            Need::Asks { allow, .. } => allow.clone(),
            Need::None => None,
        }
    }
}

impl<'a> Reader<'a> {
    fn of(tool: &'a str, input: &'a Value, known: &[&str]) -> Result<Self, Failure> {
        let Some(members) = input.as_object() else { return Err(invalid(tool, "the tool takes an object")) };
        let reader = Self { tool, members };
        if members.keys().any(|name| !known.contains(&name.as_str())) {
            return Err(reader.invalid(&format!("the tool takes only {}", known.join(", "))));
        }
        if holds_marker(input) {
            // What ran would not be what was meant.
            let message = "The input held a credential, which is not kept: a process is not given one this way";
            return Err(Failure::coded("plan", "input_redacted", message, tool));
        }
        Ok(reader)
    }

    fn invalid(&self, message: &str) -> Failure {
        invalid(self.tool, message)
    }

    fn given(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn words(&self, name: &str) -> Result<Option<Vec<String>>, Failure> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let words = texts(value).filter(|words| words.len() <= WORDS_MAX && words.iter().all(|word| is_word(word)));
        let message = format!("`{name}` is a list of at most {WORDS_MAX} texts without zero bytes");
        words.map(Some).ok_or_else(|| self.invalid(&message))
    }

    fn cwd(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(value) = self.given("cwd") else { return Ok(None) };
        let path = value.as_str().filter(|text| is_word(text) && !text.is_empty()).map(PathBuf::from);
        path.filter(|path| is_plain(path))
            .map(Some)
            .ok_or_else(|| self.invalid("`cwd` is a path without `..`, beneath the run's folder or absolute"))
    }

    fn env(&self) -> Result<Vec<(String, String)>, Failure> {
        let Some(value) = self.given("env") else { return Ok(Vec::new()) };
        let members = value.as_object().filter(|members| members.len() <= VARIABLES_MAX);
        let members = members.ok_or_else(|| self.invalid("`env` is an object of at most 256 texts"))?;
        members
            .iter()
            .map(|(name, value)| match value.as_str() {
                Some(value) if is_variable(name) && is_word(value) => Ok((name.clone(), value.to_owned())),
                _ => {
                    Err(self.invalid("`env` has a name that is none, one of this program's own, or no text as a value"))
                }
            })
            .collect()
    }

    fn stdin(&self) -> Result<Vec<u8>, Failure> {
        let bytes = match (self.given("stdin"), self.given("stdin_base64")) {
            (None, None) => Vec::new(),
            (Some(text), None) => text.as_str().ok_or_else(|| self.invalid("`stdin` is a text"))?.as_bytes().to_vec(),
            (None, Some(text)) => {
                let text = text.as_str().map(str::trim).unwrap_or_default();
                let bytes = base64::engine::general_purpose::STANDARD.decode(text);
                bytes.map_err(|_| self.invalid("`stdin_base64` is not base64"))?
            }
            (Some(_), Some(_)) => return Err(self.invalid("only one of `stdin` and `stdin_base64` can be given")),
        };
        if bytes.len() > STDIN_BYTES_MAX {
            return Err(self.invalid("`stdin` has at most 1 MiB"));
        }
        Ok(bytes)
    }

    fn timeout(&self) -> Result<Option<Duration>, Failure> {
        let Some(value) = self.given("timeout_ms") else { return Ok(None) };
        let most = u64::try_from(TIMEOUT_MAX.as_millis()).unwrap_or(u64::MAX);
        let ms = value.as_u64().filter(|ms| (1..=most).contains(ms));
        ms.map(|ms| Some(Duration::from_millis(ms)))
            .ok_or_else(|| self.invalid("`timeout_ms` is a whole number from 1 to 86400000"))
    }

    fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.given(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.invalid(&format!("`{name}` is true or false"))),
        }
    }

    fn network(&self) -> Result<Need, Failure> {
        let Some(value) = self.given("network") else { return Ok(Need::None) };
        let wrong = || self.invalid("`network` is an object with `allow`, a list of hosts, and `on_refused`");
        let members = value.as_object().ok_or_else(wrong)?;
        if members.keys().any(|name| !["allow", "on_refused"].contains(&name.as_str())) {
            return Err(wrong());
        }
        let allow = match members.get("allow") {
            None | Some(Value::Null) => None,
            Some(hosts) => {
                let hosts = texts(hosts).filter(|hosts| hosts.len() <= HOSTS_MAX);
                let hosts = hosts.and_then(|hosts| hosts.iter().map(|host| DomainPattern::parse(host).ok()).collect());
                Some(hosts.ok_or_else(|| {
                    self.invalid(
                        "`network.allow` is a list of at most 256 hosts such as `example.com` or `*.example.com`",
                    )
                })?)
            }
        };
        let on_refused = match members.get("on_refused") {
            None | Some(Value::Null) => OnRefused::default(),
            Some(text) => text
                .as_str()
                .and_then(on_refused)
                .ok_or_else(|| self.invalid("`network.on_refused` is `fail` or `continue`"))?,
        };
        Ok(Need::Asks { allow, on_refused })
    }
}

fn invalid(tool: &str, message: &str) -> Failure {
    Failure::coded("plan", "invalid_process", message, tool)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Whether the kernel takes it as an argument.
pub(super) fn is_word(text: &str) -> bool {
    text.len() <= WORD_BYTES_MAX && !text.contains('\0')
}

/// Whether it is the name of a variable that is not this program's own.
pub(super) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    let goes_on = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    begins && goes_on && name.len() <= 255 && !name.to_ascii_uppercase().starts_with("EXEAT_")
}

/// Whether a path leads nowhere but down.
pub(super) fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::RootDir | Component::CurDir))
}

pub(super) fn on_refused(text: &str) -> Option<OnRefused> {
    match text {
        "fail" => Some(OnRefused::Fail),
        "continue" => Some(OnRefused::Continue),
        _ => None,
    }
}

fn holds_marker(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARKER),
        Value::Array(items) => items.iter().any(holds_marker),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains(MARKER) || holds_marker(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
