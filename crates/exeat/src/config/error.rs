//! What can be wrong with the configuration. Every case names the place.

use std::path::PathBuf;

use super::Origin;
use crate::exit::Exit;
use crate::failure::Failure;

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is there but cannot be read, or was named and is not there.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not TOML.
    #[error("`{}` is not valid TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what, one line.
        detail: String,
    },
    /// A key that does not exist.
    #[error("no setting `{key}` (in `{}`)", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as written, with its table.
        key: String,
        /// The nearest one.
        suggestion: Option<&'static str>,
    },
    /// A key that this file may not set.
    #[error("`{key}` may not be set in `{}`", path.display())]
    NotInProject {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// The variable to use in its place.
        variable: &'static str,
    },
    /// A value that cannot be read.
    #[error("{origin}: `{value}` is not {expects}")]
    Invalid {
        /// Where it came from.
        origin: Origin,
        /// The value; for a secret only that there is one.
        value: String,
        /// What would have been good.
        expects: &'static str,
    },
    /// A variable that is not UTF-8.
    #[error("variable `{variable}` is not text")]
    NotText {
        /// The variable.
        variable: String,
    },
    /// A setting that says nothing without another.
    #[error("variable {given} is set, but not {missing}")]
    Alone {
        /// The variable of the one that is set.
        given: &'static str,
        /// The variable of the one that is needed.
        missing: &'static str,
    },
    /// No value, and no default can be made.
    #[error("no value for `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
        /// The variable that would set it.
        variable: &'static str,
    },
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let failure = Self::new(Exit::Usage, "invalid_configuration", error.to_string());
        match &error {
            ConfigError::Unreadable { source, .. } => failure.why(source.to_string()),
            ConfigError::Syntax { detail, .. } => failure.why(detail.as_str()),
            ConfigError::UnknownKey { suggestion: Some(near), .. } => failure.next(format!("did you mean `{near}`?")),
            ConfigError::UnknownKey { .. } => failure.next("exeat config show   (lists every setting)"),
            ConfigError::NotInProject { variable, .. } => failure
                .why("a project's file may come from somebody else, and the key would go where it says")
                .next(format!("set `{variable}`, or put it into your own configuration file")),
            ConfigError::Invalid { .. } | ConfigError::NotText { .. } => failure.next("exeat config show --origin"),
            ConfigError::Alone { given, missing } => {
                failure.why("one is of no use without the other").next(format!("set {missing}, or unset {given}"))
            }
            ConfigError::Missing { variable, .. } => failure
                .why("it has no default, because neither HOME nor the XDG directories are set")
                .next(format!("set `{variable}`")),
        }
    }
}
