//! The operator's tools: commands with a name, read from a file at the start.
//!
//! ```toml
//! [tools."git.status"]
//! argv = ["git", "status"]
//! arguments = "append"          # or "none", the default
//! cwd = "/srv/checkout"
//! read_only = ["/srv/checkout"]
//! writable = []
//! env = { GIT_PAGER = "cat" }
//! allow = ["github.com", "*.githubusercontent.com"]
//! on_refused = "continue"       # or "fail"
//! timeout = "60s"
//! memory = "2GiB"
//! idempotent = true
//! ```
//! `allow` opens nothing: it names the hosts the tool may ask the policy for. Without it the tool says that
//! it needs no network. A file that cannot be read whole is an error at the start, with its line: a worker
//! must not find out at the first use that a tool is not what its operator meant.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use confine::OnRefused;
use model::{Action, DomainPattern};
use serde::Deserialize;
use toml::Spanned;

use super::wanted::{HOSTS_MAX, MEMORY_BYTES, TIMEOUT, TIMEOUT_MAX, VARIABLES_MAX, is_plain, is_variable, is_word};
use super::{size, wanted};
use crate::plan::Tool;

/// LIMIT: how much of a tools file is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// LIMIT: the longest name of a tool, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// Why a tools file is refused. Nothing of it is taken.
#[derive(Debug, thiserror::Error)]
pub enum ToolFileError {
    /// The file cannot be read.
    #[error("the tools file `{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What.
        what: String,
    },
}

/// Whether a tool takes arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Arguments {
    /// They follow the operator's own.
    Append,
    /// It takes none.
    #[default]
    None,
}

/// A tool of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(super) name: Arc<str>,
    pub(super) argv: Vec<String>,
    pub(super) arguments: Arguments,
    pub(super) cwd: Option<PathBuf>,
    pub(super) read_only: Vec<PathBuf>,
    pub(super) writable: Vec<PathBuf>,
    pub(super) env: Vec<(String, String)>,
    pub(super) allow: Option<Arc<[DomainPattern]>>,
    pub(super) on_refused: OnRefused,
    pub(super) timeout: Duration,
    pub(super) memory_bytes: u64,
    pub(super) idempotent: bool,
}

/// The tools of a file. Cloning gives another handle to the same ones.
#[derive(Debug, Clone, Default)]
pub struct Toolbox {
    tools: Arc<BTreeMap<Arc<str>, Registered>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tools: BTreeMap<Spanned<String>, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    argv: Spanned<Vec<String>>,
    #[serde(default)]
    arguments: Arguments,
    cwd: Option<Spanned<PathBuf>>,
    #[serde(default)]
    read_only: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    writable: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    env: BTreeMap<Spanned<String>, Spanned<String>>,
    allow: Option<Spanned<Vec<String>>>,
    on_refused: Option<Spanned<String>>,
    timeout: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    #[serde(default)]
    idempotent: bool,
}

/// Where something is wrong, in bytes, and what.
struct Fault(Range<usize>, String);

impl Toolbox {
    /// Reads a tools file.
    ///
    /// # Errors
    /// [`ToolFileError`], with the line.
    pub fn load(path: &Path) -> Result<Self, ToolFileError> {
        let unreadable = |source| ToolFileError::Unreadable { path: path.to_owned(), source };
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|Fault(span, what)| {
            let before = text.get(..span.start).unwrap_or(&text);
            ToolFileError::Wrong { path: path.to_owned(), line: before.matches('\n').count() + 1, what }
        })
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let file: File = toml::from_str(text)
            .map_err(|error| Fault(error.span().unwrap_or_default(), error.message().to_owned()))?;
        let tools = file.tools.into_iter().map(|(name, entry)| {
            let tool = Registered::read(&name, entry)?;
            Ok((Arc::clone(&tool.name), tool))
        });
        Ok(Self { tools: Arc::new(tools.collect::<Result<_, Fault>>()?) })
    }

    /// The names of its tools, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(AsRef::as_ref)
    }

    /// The folders and files of the machine that its tools see, for who has to check them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.tools.values().flat_map(|tool| tool.read_only.iter().chain(&tool.writable)).map(PathBuf::as_path)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Registered> {
        self.tools.get(name)
    }

    /// The tool of this name, as a plan names it.
    pub(crate) fn tool(&self, name: &str) -> Option<Tool> {
        self.get(name).map(|tool| Tool::Registered(Arc::clone(&tool.name)))
    }
}

impl Registered {
    fn read(name: &Spanned<String>, entry: Entry) -> Result<Self, Fault> {
        let text = name.get_ref().as_str();
        let good = text.len() <= NAME_BYTES_MAX && text.trim() == text && Action::tool_call(text).is_ok();
        if !good {
            return Err(at(name, format!("`{text}` cannot be the name of a tool")));
        }
        if Tool::built_in(text).is_some() || text.starts_with("runtime.") {
            return Err(at(name, format!("`{text}` is the name of a tool that is built in")));
        }
        let argv = entry.argv.get_ref();
        let whole = argv.first().is_some_and(|program| !program.is_empty()) && argv.iter().all(|word| is_word(word));
        if !whole {
            return Err(at(&entry.argv, "`argv` is the program and its arguments, at least one text".to_owned()));
        }
        let paths = |list: &[Spanned<PathBuf>]| list.iter().map(path).collect::<Result<Vec<_>, _>>();
        let writable = paths(&entry.writable)?;
        if let Some(root) = entry.writable.iter().find(|path| path.get_ref().parent().is_none()) {
            return Err(at(root, "`/` cannot be writable".to_owned()));
        }
        Ok(Self {
            name: text.into(),
            arguments: entry.arguments,
            cwd: entry.cwd.as_ref().map(path).transpose()?,
            read_only: paths(&entry.read_only)?,
            writable,
            env: variables(entry.env)?,
            allow: entry.allow.as_ref().map(hosts).transpose()?,
            on_refused: match &entry.on_refused {
                None => OnRefused::default(),
                Some(text) => wanted::on_refused(text.get_ref())
                    .ok_or_else(|| at(text, "`on_refused` is `fail` or `continue`".to_owned()))?,
            },
            timeout: match &entry.timeout {
                None => TIMEOUT,
                Some(text) => size::span(text.get_ref())
                    .filter(|timeout| *timeout <= TIMEOUT_MAX)
                    .ok_or_else(|| at(text, "`timeout` is a time such as `60s` or `5m`, at most 24h".to_owned()))?,
            },
            memory_bytes: match &entry.memory {
                None => MEMORY_BYTES,
                Some(text) => size::bytes(text.get_ref())
                    .ok_or_else(|| at(text, "`memory` is a size such as `512MiB` or `2GiB`".to_owned()))?,
            },
            idempotent: entry.idempotent,
            argv: entry.argv.into_inner(),
        })
    }
}

fn at<T>(spanned: &Spanned<T>, what: String) -> Fault {
    Fault(spanned.span(), what)
}

/// A path as the guard takes it: it is there, and links in it are followed now, not at each call.
fn path(given: &Spanned<PathBuf>) -> Result<PathBuf, Fault> {
    let path = given.get_ref();
    if !path.is_absolute() || !is_plain(path) {
        return Err(at(given, format!("`{}` is no absolute path without `..`", path.display())));
    }
    path.canonicalize().map_err(|error| at(given, format!("`{}`: {error}", path.display())))
}

fn variables(given: BTreeMap<Spanned<String>, Spanned<String>>) -> Result<Vec<(String, String)>, Fault> {
    if let Some((name, _)) = given.iter().nth(VARIABLES_MAX) {
        return Err(at(name, format!("more than {VARIABLES_MAX} variables")));
    }
    let variable = |(name, value): (Spanned<String>, Spanned<String>)| match is_variable(name.get_ref()) {
        false => Err(at(&name, format!("`{}` cannot be set for a tool", name.get_ref()))),
        true if !is_word(value.get_ref()) => Err(at(&value, "the value has a zero byte or is too long".to_owned())),
        true => Ok((name.into_inner(), value.into_inner())),
    };
    given.into_iter().map(variable).collect()
}

fn hosts(given: &Spanned<Vec<String>>) -> Result<Arc<[DomainPattern]>, Fault> {
    let wrong = || at(given, "`allow` is a list of hosts such as `example.com` or `*.example.com`".to_owned());
    if given.get_ref().len() > HOSTS_MAX {
        return Err(wrong());
    }
    given.get_ref().iter().map(|host| DomainPattern::parse(host).map_err(|_| wrong())).collect()
}

#[cfg(test)]
mod tests;
