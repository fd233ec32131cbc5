//! The layers laid over each other, each value with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{self, Presence};
use super::parse::{self, Read};
use super::{ConfigError, DatabaseUrl, Environment, Key, Places, UpstreamProxyUrl};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of this command.
    Flag(&'static str),
    /// A variable.
    Variable(&'static str),
    /// A file.
    File {
        /// Which.
        path: PathBuf,
        /// Its name there.
        key: &'static str,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File { path, key } => write!(f, "file {} ({key})", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as text with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The text, unread.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Values given by flags: the key, the flag's name, the text.
pub type Flags = Vec<(Key, &'static str, String)>;

/// One line of `exeat config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in a file.
    pub key: &'static str,
    /// Its variable.
    pub variable: &'static str,
    /// Its value, without secrets; `None` when it has none.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// All values that are set or have a default.
#[derive(Debug, Clone)]
pub struct Layers(BTreeMap<Key, Found>);

impl Layers {
    /// Lays the flags over the environment over the files over the defaults.
    ///
    /// `project` is where `exeat.toml` is looked for, `system` is the last file. A file named by
    /// `--config` (`named`) or `EXEAT_CONFIG` replaces all three.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key, a variable that is not text.
    pub fn load(
        flags: Flags,
        environment: &Environment,
        named: Option<&Path>,
        project: &Path,
        system: &Path,
    ) -> Result<Self, ConfigError> {
        let places = Places::from_environment(environment);
        let mut values = BTreeMap::new();
        for key in Key::ALL {
            if let Some(text) = key.default_text(&places) {
                values.insert(*key, Found { text, origin: Origin::Default });
            }
        }
        lay_files(&mut values, environment, &places, named, project, system)?;
        for key in Key::ALL {
            if let Some(text) = variable(environment, *key)? {
                values.insert(*key, Found { text, origin: Origin::Variable(key.variable()) });
            }
        }
        lay_port(&mut values, environment)?;
        for (key, flag, text) in flags {
            values.insert(key, Found { text, origin: Origin::Flag(flag) });
        }
        fill_from_data_dir(&mut values);
        Ok(Self(values))
    }

    /// The layers of this process: its environment, its directory, `/etc/exeat`.
    ///
    /// # Errors
    /// As [`Layers::load`].
    pub fn of_process(flags: Flags, environment: &Environment, named: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load(flags, environment, named, Path::new("exeat.toml"), Path::new("/etc/exeat/config.toml"))
    }

    /// As [`Self::of_process`], without the file of the working directory.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_user(flags: Flags, environment: &Environment, named: Option<&Path>) -> Result<Self, ConfigError> {
        // No file has an empty path.
        Self::load(flags, environment, named, Path::new(""), Path::new("/etc/exeat/config.toml"))
    }

    /// The value of a key that must have one.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] with the variable to set.
    pub fn required(&self, key: Key) -> Result<Found, ConfigError> {
        match self.0.get(&key) {
            Some(found) if found.text.trim().is_empty() => {
                Err(invalid(key, found, "a value; unset it to get the default"))
            }
            Some(found) => Ok(found.clone()),
            None => Err(ConfigError::Missing { key: key.path(), variable: key.variable() }),
        }
    }

    /// Reads the value of a key that must have one.
    ///
    /// # Errors
    /// [`ConfigError::Missing`], or [`ConfigError::Invalid`] naming its origin.
    pub(super) fn read<T>(&self, key: Key, reader: fn(&str) -> Read<T>) -> Result<T, ConfigError> {
        let found = match self.0.get(&key) {
            Some(found) => found,
            None => return Err(ConfigError::Missing { key: key.path(), variable: key.variable() }),
        };
        reader(&found.text).map_err(|expects| invalid(key, found, expects))
    }

    /// Reads the value of a key that may have none.
    pub(super) fn optional<T>(&self, key: Key, reader: fn(&str) -> Read<T>) -> Result<Option<T>, ConfigError> {
        match self.0.get(&key) {
            Some(found) => reader(&found.text).map(Some).map_err(|expects| invalid(key, found, expects)),
            None => Ok(None),
        }
    }

    /// Every key with its value and origin, for showing.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |key: &Key| {
            let found = self.0.get(key);
            Entry {
                key: key.path(),
                variable: key.variable(),
                value: found.map(|found| shown(*key, &found.text)),
                origin: found.map_or(Origin::Default, |found| found.origin.clone()),
            }
        };
        Key::ALL.iter().map(entry).collect()
    }
}

fn lay_files(
    values: &mut BTreeMap<Key, Found>,
    environment: &Environment,
    places: &Places,
    named: Option<&Path>,
    project: &Path,
    system: &Path,
) -> Result<(), ConfigError> {
    let named = match named {
        Some(path) => Some(path.to_owned()),
        None => environment.text("EXEAT_CONFIG")?.filter(|text| !text.is_empty()).map(PathBuf::from),
    };
    // Weakest first: a later file overwrites an earlier one.
    let files: Vec<(PathBuf, Presence)> = match named {
        Some(path) => vec![(path, Presence::Required)],
        None => [Some(system.to_owned()), places.user_config(), Some(project.to_owned())]
            .into_iter()
            .flatten()
            .map(|path| (path, Presence::Optional))
            .collect(),
    };
    for (path, presence) in files {
        for (key, text) in file::read(&path, presence)? {
            if presence == Presence::Optional && path == project && !key.allowed_in_project() {
                return Err(ConfigError::NotInProject { path, key: key.path(), variable: key.variable() });
            }
            values.insert(key, Found { text, origin: Origin::File { path: path.clone(), key: key.path() } });
        }
    }
    Ok(())
}

/// The text of a key's variable. `DATABASE_URL_FILE` and the like name a file with the value, so that a
/// password need not be in the environment.
fn variable(environment: &Environment, key: Key) -> Result<Option<String>, ConfigError> {
    let text = environment.text(key.variable())?.map(str::to_owned);
    let Some(in_file) = key.file_variable().filter(|_| text.is_none()) else { return Ok(text) };
    match environment.text(in_file)? {
        None => Ok(None),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(source) => Err(ConfigError::Unreadable { path: PathBuf::from(path), source }),
        },
    }
}

/// `PORT` replaces the port of the API's address, whatever named the address, except a flag.
fn lay_port(values: &mut BTreeMap<Key, Found>, environment: &Environment) -> Result<(), ConfigError> {
    let Some(text) = environment.text("PORT")? else { return Ok(()) };
    let origin = Origin::Variable("PORT");
    let port = match parse::port(text) {
        Ok(port) => port,
        Err(expects) => return Err(ConfigError::Invalid { origin, value: text.to_owned(), expects }),
    };
    if let Some(found) = values.get_mut(&Key::Listen)
        && let Ok(mut address) = parse::listen(&found.text)
    {
        address.set_port(port);
        *found = Found { text: address.to_string(), origin };
    }
    Ok(())
}

/// The store, the install secret and the folders of runs are in the data directory unless somebody says otherwise.
fn fill_from_data_dir(values: &mut BTreeMap<Key, Found>) {
    let Some(dir) = values.get(&Key::DataDir).map(|found| PathBuf::from(&found.text)) else { return };
    let store = format!("sqlite:{}", dir.join("exeat.db").display());
    let secret = dir.join("hmac.key").display().to_string();
    let work = dir.join("work").display().to_string();
    for (key, text) in [(Key::DatabaseUrl, store), (Key::HmacKeyFile, secret), (Key::WorkDir, work)] {
        values.entry(key).or_insert(Found { text, origin: Origin::Default });
    }
}

fn invalid(key: Key, found: &Found, expects: &'static str) -> ConfigError {
    ConfigError::Invalid { origin: found.origin.clone(), value: shown(key, &found.text), expects }
}

/// A value without its secret.
fn shown(key: Key, text: &str) -> String {
    match key {
        Key::DatabaseUrl => DatabaseUrl::parse(text).map_or_else(|| "(not shown)".to_owned(), |url| url.to_string()),
        Key::UpstreamProxy => {
            UpstreamProxyUrl::parse(text).map_or_else(|| "(not shown)".to_owned(), |url| url.to_string())
        }
        _ => text.to_owned(),
    }
}
