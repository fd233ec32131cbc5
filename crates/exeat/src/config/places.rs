//! The directories of a good Unix citizen, as XDG names them, from the environment alone.

use std::path::PathBuf;

use super::Environment;

/// Where this user's files belong.
#[derive(Debug, Clone, Default)]
pub struct Places {
    config: Option<PathBuf>,
    data: Option<PathBuf>,
    state: Option<PathBuf>,
    runtime: Option<PathBuf>,
}

impl Places {
    /// Reads `XDG_*` and `HOME`. A relative path counts as unset.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Self {
        let home = environment.absolute_path("HOME");
        let under = |variable: &str, fallback: &str| {
            environment
                .absolute_path(variable)
                .or_else(|| home.as_ref().map(|home| home.join(fallback)))
                .map(|dir| dir.join("exeat"))
        };
        Self {
            config: under("XDG_CONFIG_HOME", ".config"),
            data: under("XDG_DATA_HOME", ".local/share"),
            state: under("XDG_STATE_HOME", ".local/state"),
            runtime: environment.absolute_path("XDG_RUNTIME_DIR").map(|dir| dir.join("exeat")),
        }
    }

    /// The user's configuration file.
    #[must_use]
    pub fn user_config(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|dir| dir.join("config.toml"))
    }

    /// Where durable data goes.
    #[must_use]
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.data.clone()
    }

    /// Where a running `exeat dev` leaves its address and keys: the runtime directory, which ends
    /// with the session, or else the state directory. In the order they are looked at.
    #[must_use]
    pub fn dev_dirs(&self) -> Vec<PathBuf> {
        [&self.runtime, &self.state].into_iter().flatten().cloned().collect()
    }
}
