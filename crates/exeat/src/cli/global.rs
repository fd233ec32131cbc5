//! Flags that every command understands.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::config::{Flags, Key};
use crate::output::{Format, Output, Talk};

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` and its like say otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The global flags.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The server to talk to [env: EXEAT_URL] [default: a running `exeat dev`, or http://127.0.0.1:7070]
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// The workspace to work in [env: EXEAT_WORKSPACE] [default: the key's own]
    #[arg(long, global = true, value_name = "ID")]
    pub workspace: Option<String>,
    /// Print one JSON object (one per line for streams) to standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but data, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more about what is being done
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    pub verbose: bool,
    /// Never ask anything on the terminal
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Colour the output
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
    /// How long one request may take [env: EXEAT_TIMEOUT] [default: 30s]
    #[arg(long, global = true, value_name = "SPAN")]
    pub timeout: Option<String>,
    /// Read this configuration file and no other [env: EXEAT_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl GlobalArgs {
    /// The streams as asked for.
    #[must_use]
    pub fn output(&self) -> Output {
        let talk = match (self.quiet, self.verbose) {
            (true, _) => Talk::Quiet,
            (false, false) => Talk::Normal,
            (false, true) => Talk::Verbose,
        };
        Output::new(if self.json { Format::Json } else { Format::Text }, talk)
    }

    /// Their share of the configuration.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let all = [
            (Key::ClientUrl, "--server", &self.server),
            (Key::ClientWorkspace, "--workspace", &self.workspace),
            (Key::ClientTimeout, "--timeout", &self.timeout),
        ];
        all.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value.clone()?))).collect()
    }

    /// Sets the colour of this process. `FORCE_COLOR` counts as `--color always` unless `NO_COLOR`
    /// is set; the rest of the conventions is the stream's own doing.
    pub(super) fn set_color(&self) {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let choice = match self.color {
            ColorWhen::Always => anstream::ColorChoice::Always,
            ColorWhen::Never => anstream::ColorChoice::Never,
            ColorWhen::Auto if set("FORCE_COLOR") && !set("NO_COLOR") => anstream::ColorChoice::Always,
            ColorWhen::Auto => anstream::ColorChoice::Auto,
        };
        choice.write_global();
    }
}
