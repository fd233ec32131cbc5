//! `exeat exec`: a command that has no way out but the gate.
//!
//! The gate is a server's as soon as there is one ([`which`]); otherwise it is in this process, and what may
//! leave is what `--allow` names: without it, nothing. The command's own output stays its own; what is said
//! about it goes to standard error or to `--report`.

mod amounts;
mod environment;
mod files;
mod folders;
mod local;
mod masks;
mod place;
mod plan;
mod remote;
mod report;
mod run;
mod signals;
mod stdio;
mod summary;
mod terminal;
mod toolchains;
mod which;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use confine::Rung;

use self::amounts::{Allowed, Variable};
use self::folders::Asked;
use self::plan::{SCRATCH_BYTES, Wanted};
use crate::duration;

pub use self::run::{Around, run};

/// How long an approval is waited for when `--wait` has no value.
const WAIT: &str = "60s";

/// What to run, and what it may do.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat exec -- ./agent.sh\n  exeat exec --allow pypi.org --allow files.pythonhosted.org -- pip install -r requirements.txt\n  exeat exec --allow github.com --timeout 10m --report out.json -- git clone https://github.com/acme/app\n  exeat exec --agent coder --wait -- npm test",
    after_help = "It sees the working directory (and may change it), the system's programs, your toolchains, and nothing else of your files.\nWith EXEAT_URL, a key, or a running `exeat dev`, that server decides; otherwise only what --allow names may leave.\nExit codes: the command's own; 124 out of time, 125 not isolated or not recorded, 126/127 not executable or not found, 128+N by signal; 3 with --strict when something was blocked; 8 when the server does not answer."
)]
pub struct Args {
    /// Let it out to this host, or *.suffix; with :PORT for another port than 80 and 443, and any protocol there
    #[arg(long, value_name = "DOMAIN", value_parser = amounts::allowed, help_heading = "The way out")]
    allow: Vec<Allowed>,
    /// As this agent of the server: its id, or its name
    #[arg(long, value_name = "AGENT", help_heading = "The way out")]
    agent: Option<String>,
    /// As a part of this run of the server
    #[arg(long, value_name = "RUN_ID", help_heading = "The way out")]
    run: Option<String>,
    /// The zone: sandbox, supervised or high_stakes
    #[arg(long, value_parser = ["sandbox", "supervised", "high_stakes"], help_heading = "The way out")]
    zone: Option<String>,
    /// Wait for an approval where one is needed
    #[arg(long, value_name = "SPAN", num_args = 0..=1, require_equals = true, default_missing_value = WAIT, value_parser = duration::parse, help_heading = "The way out")]
    wait: Option<Duration>,
    /// Decide in this process, whatever server there is
    #[arg(long, help_heading = "The way out")]
    local: bool,
    /// The server's proxy, when it cannot be found: http://HOST:PORT
    #[arg(long, value_name = "URL", help_heading = "The way out", conflicts_with = "local")]
    proxy: Option<String>,
    /// A folder it may change, instead of the working directory
    #[arg(long, value_name = "PATH", help_heading = "What it sees")]
    rw: Vec<PathBuf>,
    /// A folder or file it may read
    #[arg(long, value_name = "PATH", help_heading = "What it sees")]
    ro: Vec<PathBuf>,
    /// Give a folder with --rw that is refused otherwise
    #[arg(long, requires = "rw", help_heading = "What it sees")]
    force: bool,
    /// A variable: NAME=VALUE, or NAME as it is here
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = amounts::variable, help_heading = "What it sees")]
    env: Vec<Variable>,
    /// Reach a port it listens on, at the same port of 127.0.0.1
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "What it sees")]
    publish: Vec<u16>,
    /// Let it reach a port of this machine's 127.0.0.1
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "What it sees")]
    expose_host: Vec<u16>,
    /// End it after this time
    #[arg(id = "timeout", long = "timeout", value_name = "SPAN", help_heading = "How much")]
    timeout: Option<String>,
    /// How much memory it may have
    #[arg(long, value_name = "SIZE", value_parser = amounts::bytes, help_heading = "How much")]
    memory: Option<u64>,
    /// How many processes and threads it may have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "How much")]
    processes: Option<u64>,
    /// How much it may write to /tmp and its home
    #[arg(long, value_name = "SIZE", value_parser = amounts::bytes, help_heading = "How much")]
    scratch: Option<u64>,
    /// Hold it in just this way: A (namespaces) or B (supervised sockets)
    #[arg(long, value_name = "RUNG", conflicts_with = "min_rung", help_heading = "How it is held and told")]
    rung: Option<Rung>,
    /// Run nothing that is held less strongly
    #[arg(long, value_name = "RUNG", help_heading = "How it is held and told")]
    min_rung: Option<Rung>,
    /// Exit with 3 when anything was blocked, whatever the command says
    #[arg(long, help_heading = "How it is held and told")]
    strict: bool,
    /// Write the report, as JSON, to a file or to descriptor fd:N
    #[arg(long, value_name = "FILE|fd:N", help_heading = "How it is held and told")]
    report: Option<report::Place>,
    /// What to run
    #[arg(value_name = "CMD", required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Args {
    /// What the guard is to be told.
    fn wanted(&self) -> Result<Wanted, crate::failure::Failure> {
        let timeout = self.timeout.as_deref().map(duration::parse).transpose();
        let timeout = timeout
            .map_err(|error| crate::failure::Failure::usage("--timeout cannot be used").why(error.to_string()))?;
        Ok(Wanted {
            command: self.command.clone(),
            folders: Asked { writable: self.rw.clone(), read_only: self.ro.clone(), force: self.force },
            variables: self.env.clone(),
            timeout,
            memory_bytes: self.memory,
            processes: self.processes,
            scratch_bytes: self.scratch.unwrap_or(SCRATCH_BYTES),
            exposed_ports: self.expose_host.clone(),
            terminal: stdio::terminal(),
            run: self.run.clone(),
        })
    }
}
