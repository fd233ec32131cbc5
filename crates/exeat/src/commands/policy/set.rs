//! Which set is meant: a folder or file on this machine, or one of the server's.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rules::{Loaded, Problem, Source};
use serde_json::{Value, json};

use crate::client::Client;
use crate::commands::App;
use crate::commands::wire::{list, object};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, DIM, clean, field};

/// LIMIT: bytes of one file, as the set's own limit.
const FILE_BYTES_MAX: u64 = rules::load::SET_BYTES_MAX as u64;

/// A set by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    /// The one that holds.
    Active,
    /// The one that is tried beside it.
    Candidate,
    /// A version of the server.
    Version(u64),
    /// A folder of `*.toml` files, or one file.
    Path(PathBuf),
}

impl FromStr for Which {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let version = text.strip_prefix('v').and_then(|number| number.parse().ok());
        Ok(match (text, version) {
            ("active", _) => Self::Active,
            ("candidate", _) => Self::Candidate,
            (_, Some(version)) => Self::Version(version),
            (path, None) => Self::Path(PathBuf::from(path)),
        })
    }
}

/// A set that holds on the server.
pub(super) struct Held {
    /// 0 = there is none.
    pub(super) version: u64,
    pub(super) files: Vec<Source>,
}

/// The set that holds.
pub(super) async fn held(client: &Client) -> Result<Held, Failure> {
    let answer = client.get(&["v1", "policies"], &[]).await?;
    let set = object(&answer, "policy_set");
    Ok(Held { version: set.get("version").and_then(Value::as_u64).unwrap_or(0), files: files(set) })
}

impl Which {
    /// The texts of the set.
    pub(super) async fn files(&self, app: &App) -> Result<Vec<Source>, Failure> {
        match self {
            Self::Active => Ok(held(&app.client()?).await?.files),
            Self::Candidate => {
                let answer = app.client()?.get(&["v1", "policies"], &[]).await?;
                let set = object(&answer, "policy_set");
                let candidate = set.get("candidate").filter(|candidate| candidate.is_object());
                let candidate = candidate.ok_or_else(|| {
                    Failure::new(Exit::NotFound, "candidate_not_found", "no candidate is tried here")
                        .next("exeat policy candidate set DIR")
                })?;
                Ok(files(candidate))
            }
            Self::Version(version) => {
                let answer = app.client()?.get(&["v1", "policies", "versions", &version.to_string()], &[]).await?;
                Ok(files(object(&answer, "version")))
            }
            Self::Path(path) => read(path),
        }
    }

    /// The set, loaded. `name` says which in what is told.
    pub(super) async fn load(&self, app: &App) -> Result<Loaded, Failure> {
        let files = self.files(app).await?;
        rules::load(&files).map_err(|problems| broken(app, &problems))
    }
}

fn files(set: &Value) -> Vec<Source> {
    list(set, "files").iter().map(|file| Source { name: field(file, "name"), text: raw(file, "text") }).collect()
}

/// A member as it is; [`field`] is for showing.
fn raw(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A set as a request carries it.
pub(super) fn body(files: &[Source]) -> Value {
    json!({ "files": files })
}

/// The files of a folder in the order of their names, or one file.
pub(super) fn read(path: &Path) -> Result<Vec<Source>, Failure> {
    let told = |error: &std::io::Error| {
        Failure::new(Exit::Usage, "unreadable", format!("`{}` cannot be read", path.display()))
            .why(error.to_string())
            .next("name a folder with *.toml files, a file, `active`, `candidate` or a version such as v3")
    };
    let mut paths = vec![path.to_owned()];
    if std::fs::metadata(path).map_err(|error| told(&error))?.is_dir() {
        paths.clear();
        for entry in std::fs::read_dir(path).map_err(|error| told(&error))? {
            let file = entry.map_err(|error| told(&error))?.path();
            if file.extension().is_some_and(|end| end == "toml") {
                paths.push(file);
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(Failure::new(Exit::Usage, "no_policies", format!("`{}` has no *.toml file", path.display()))
                .next("write one: see docs/guide/policies.md"));
        }
    }
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<Source, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let told = |what: String| Failure::new(Exit::Usage, "unreadable", what);
    let size = std::fs::metadata(path).map_err(|error| told(format!("`{name}` cannot be read: {error}")))?.len();
    if size > FILE_BYTES_MAX {
        return Err(told(format!("`{name}` has {size} bytes, the limit of a set is {FILE_BYTES_MAX}")));
    }
    let bytes = std::fs::read(path).map_err(|error| told(format!("`{name}` cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let lines = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        told(format!("`{name}` is not UTF-8: byte {good}, in line {lines}")).next("save the file as UTF-8")
    })?;
    Ok(Source { name, text })
}

/// A set that does not load: every problem on a line of its own, then the failure.
pub(super) fn broken(app: &App, problems: &[Problem]) -> Failure {
    if app.output.is_json() {
        let listed: Vec<Value> = problems.iter().filter_map(|problem| serde_json::to_value(problem).ok()).collect();
        app.output.json_line(&json!({ "valid": false, "problems": listed })).ok();
    } else {
        for problem in problems {
            app.output.tell(&shown(problem));
        }
    }
    let count = problems.len();
    let many = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
    Failure::new(Exit::Failure, "invalid_policy", format!("the rules do not load: {many}"))
}

/// A problem for a person.
pub(super) fn shown(problem: &Problem) -> String {
    let at = match problem.line {
        0 => problem.file.clone(),
        line => format!("{}:{line}:{}", problem.file, problem.column),
    };
    let hint = problem.hint.as_ref().map(|hint| format!("\n    {DIM}{}{DIM:#}", clean(hint))).unwrap_or_default();
    format!("{BAD}{}{BAD:#} {}{hint}", clean(&at), clean(&problem.message))
}
