//! Which gate decides: a server as soon as there is any word of one, this process only when there is none.
//!
//! A server that was named and does not answer is an error and never a reason to decide alone: otherwise whoever
//! can stop the server could choose the rules.

use crate::client::DevFile;
use crate::config::{ClientConfig, Environment, Places};

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// A server, because of this.
    Server(&'static str),
    /// This process.
    Alone,
}

/// Decides it. `local` is `--local`.
pub(super) fn which(local: bool, config: &ClientConfig, environment: &Environment) -> Which {
    let set = |name: &str| environment.raw(name).is_some_and(|value| !value.is_empty());
    if local {
        Which::Alone
    } else if config.url.is_some() {
        Which::Server("a server is named")
    } else if set("EXEAT_KEY") || config.key_file.is_some() {
        Which::Server("a key is set")
    } else if Places::from_environment(environment).dev_dirs().iter().any(|dir| dir.join(DevFile::NAME).exists()) {
        Which::Server("`exeat dev` runs, or left its file")
    } else {
        Which::Alone
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn any_word_of_a_server_is_enough() {
        let none = ClientConfig { url: None, workspace: None, timeout: Duration::from_secs(1), key_file: None };
        let named = ClientConfig { url: Some("http://h".to_owned()), ..none.clone() };
        let keyed = ClientConfig { key_file: Some("/k".into()), ..none.clone() };
        let home = tempfile::tempdir().unwrap();
        let left = tempfile::tempdir().unwrap();
        let state = left.path().join(".local/state/exeat");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join(DevFile::NAME), "{}").unwrap();
        let env = |home: &tempfile::TempDir, key: &str| -> Environment {
            [("HOME", home.path().to_str().unwrap()), ("EXEAT_KEY", key)].into_iter().collect()
        };
        for (config, environment, alone) in [
            (&none, env(&home, ""), true),
            (&named, env(&home, ""), false),
            (&keyed, env(&home, ""), false),
            (&none, env(&home, "exk_1"), false),
            (&none, env(&left, ""), false),
        ] {
            assert_eq!(which(false, config, &environment) == Which::Alone, alone, "{config:?}");
            assert_eq!(which(true, config, &environment), Which::Alone, "--local");
        }
    }
}
