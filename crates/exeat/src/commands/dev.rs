//! `exeat dev`: the arguments of the throw-away server, what it prints, and the files it leaves for
//! the other commands while it runs.

pub mod banner;
pub mod files;
mod run;
mod site;

pub use run::run;
pub(super) use run::{demo, folder, key, open};

/// Run everything in one process, in memory
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat dev\n  exeat dev --port 8080\n  exeat dev --json")]
pub struct Args {
    /// Where the API listens; 0 takes a free one [env: PORT] [default: 7070]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Where the proxy listens; 0 takes a free one [default: the API's and one more]
    #[arg(long, value_name = "N")]
    pub proxy_port: Option<u16>,
}
