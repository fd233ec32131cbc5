//! Which server, which workspace, which key: from the environment, a file, or a running `exeat dev`.
//! Never from a flag, because flags are seen by every process of the machine.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::DevFile;
use crate::config::{ClientConfig, Environment, Places};
use crate::exit::Exit;
use crate::failure::Failure;

/// The server when nobody names one.
const DEFAULT_URL: &str = "http://127.0.0.1:7070";

/// A key. It does not print itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Takes the text of a key; blank is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The whole key: for the one place that shows it on purpose.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The header's value.
    pub(super) fn header(&self) -> Result<http::HeaderValue, Failure> {
        let mut value = http::HeaderValue::from_str(&format!("Bearer {}", self.0)).map_err(|_| {
            Failure::new(Exit::NotAuthorised, "invalid_key", "the key has characters that no key has")
                .next("check EXEAT_KEY or EXEAT_KEY_FILE")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// What a client speaks with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The server.
    pub url: String,
    /// The workspace to name; without one the key's own.
    pub workspace: Option<String>,
    /// The key, when one was found.
    pub key: Option<Key>,
}

impl Credentials {
    /// Finds them, and what should be said about them (a key file that others can read, say).
    ///
    /// `EXEAT_KEY`, then the key file, then a running `exeat dev`. The key of `exeat dev` is
    /// offered to its own address only.
    ///
    /// # Errors
    /// A key file that was named and cannot be read.
    pub fn find(config: &ClientConfig, environment: &Environment) -> Result<(Self, Vec<String>), Failure> {
        let mut remarks = Vec::new();
        let named = match environment.text("EXEAT_KEY")?.and_then(Key::parse) {
            Some(key) => Some(key),
            None => config.key_file.as_deref().map(|path| from_file(path, &mut remarks)).transpose()?,
        };
        let dev = dev_note(environment, &mut remarks);
        let url = config
            .url
            .clone()
            .or_else(|| dev.as_ref().map(|dev| dev.url.clone()))
            .unwrap_or_else(|| DEFAULT_URL.to_owned());
        let dev = dev.filter(|dev| dev.url.trim_end_matches('/') == url.trim_end_matches('/'));
        let own_workspace = match (&named, &dev) {
            (None, Some(dev)) => Some(dev.workspace_id.clone()),
            _ => None,
        };
        let key = named.or_else(|| dev.map(|dev| dev.key));
        if key.is_some() && in_the_clear(&url) {
            remarks.push(format!("the key travels to {url} unencrypted; use https beyond this machine"));
        }
        Ok((Self { workspace: config.workspace.clone().or(own_workspace), url, key }, remarks))
    }
}

fn from_file(path: &Path, remarks: &mut Vec<String>) -> Result<Key, Failure> {
    let shown = path.display();
    let unreadable = |why: String| {
        Failure::new(Exit::NotAuthorised, "key_file_unreadable", format!("cannot take the key from `{shown}`"))
            .why(why)
            .next("check EXEAT_KEY_FILE")
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    remark_on_mode(path, remarks);
    Key::parse(&text).ok_or_else(|| unreadable("it is empty".to_owned()))
}

fn remark_on_mode(path: &Path, remarks: &mut Vec<String>) {
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    if open {
        let shown = path.display();
        remarks.push(format!("others can read the key in `{shown}`; chmod 600 {shown}"));
    }
}

fn dev_note(environment: &Environment, remarks: &mut Vec<String>) -> Option<DevFile> {
    for dir in Places::from_environment(environment).dev_dirs() {
        let path = dir.join(DevFile::NAME);
        match DevFile::read(&dir) {
            Ok(None) => {}
            Ok(Some(note)) => {
                remark_on_mode(&path, remarks);
                return Some(note);
            }
            Err(error) => remarks.push(format!("`{}` is left out: {error}", path.display())),
        }
    }
    None
}

/// Whether a key sent to this address could be read on the way.
fn in_the_clear(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !local
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    fn config(url: Option<&str>, key_file: Option<&Path>) -> ClientConfig {
        ClientConfig {
            url: url.map(str::to_owned),
            workspace: None,
            timeout: Duration::from_secs(1),
            key_file: key_file.map(Path::to_owned),
        }
    }

    fn note(dir: &Path) {
        let dir = dir.join("exeat");
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(DevFile::NAME);
        std::fs::write(&path, r#"{"url":"http://127.0.0.1:9","key":"exk_dev_s","workspace_id":"ws_dev","pid":1}"#)
            .unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn exposed(found: &Credentials) -> Option<&str> {
        found.key.as_ref().map(Key::expose)
    }

    #[test]
    fn the_variable_wins_over_the_file_over_the_running_dev() {
        let dir = tempfile::tempdir().unwrap();
        note(dir.path());
        let file = dir.path().join("key");
        std::fs::write(&file, "exk_file_s\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let runtime = dir.path().to_str().unwrap();
        let with_key: Environment = [("XDG_RUNTIME_DIR", runtime), ("EXEAT_KEY", " exk_env_s ")].into_iter().collect();
        let without: Environment = [("XDG_RUNTIME_DIR", runtime)].into_iter().collect();

        let (found, _) = Credentials::find(&config(None, Some(&file)), &with_key).unwrap();
        assert_eq!(
            (exposed(&found), found.url.as_str(), found.workspace.as_deref()),
            (Some("exk_env_s"), "http://127.0.0.1:9", None)
        );
        let (found, remarks) = Credentials::find(&config(None, Some(&file)), &without).unwrap();
        assert_eq!((exposed(&found), remarks), (Some("exk_file_s"), vec![]));
        let (found, _) = Credentials::find(&config(None, None), &without).unwrap();
        assert_eq!((exposed(&found), found.workspace.as_deref()), (Some("exk_dev_s"), Some("ws_dev")));
    }

    #[test]
    fn the_key_of_dev_goes_to_no_other_server() {
        let dir = tempfile::tempdir().unwrap();
        note(dir.path());
        let environment: Environment = [("XDG_STATE_HOME", dir.path().to_str().unwrap())].into_iter().collect();
        let (found, _) = Credentials::find(&config(Some("http://127.0.0.1:9"), None), &environment).unwrap();
        assert_eq!(exposed(&found), Some("exk_dev_s"));
        let (found, _) = Credentials::find(&config(Some("https://gate.test"), None), &environment).unwrap();
        assert_eq!((exposed(&found), found.workspace.as_deref()), (None, None));
    }

    #[test]
    fn says_when_others_can_read_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "k").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let (_, remarks) = Credentials::find(&config(None, Some(&file)), &Environment::default()).unwrap();
        assert!(remarks.iter().any(|remark| remark.contains("chmod 600")), "{remarks:?}");
    }

    #[test]
    fn says_when_the_key_would_travel_in_the_clear() {
        for (url, clear) in [
            ("http://127.0.0.1:7070", false),
            ("http://localhost", false),
            ("http://[::1]:1", false),
            ("https://gate.test", false),
            ("http://gate.test", true),
            ("http://10.0.0.1", true),
        ] {
            assert_eq!(in_the_clear(url), clear, "{url}");
        }
    }

    #[test]
    fn an_empty_or_missing_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let refused = |file: &Path| Credentials::find(&config(None, Some(file)), &Environment::default()).unwrap_err();
        assert_eq!(refused(&file).exit, Exit::NotAuthorised);
        std::fs::write(&file, "\n").unwrap();
        assert_eq!(refused(&file).why.as_deref(), Some("it is empty"));
    }

    #[test]
    fn a_key_does_not_print_itself() {
        assert_eq!(format!("{:?}", Key::parse("exk_a_secret")), "Some(Key(…))");
    }
}
