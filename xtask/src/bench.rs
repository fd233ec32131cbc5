//! Measurements of the running product, as a user would see it: the release binary, real stores, real sockets.

mod commits;
mod guard;
mod http;
mod load;
mod meter;
mod policy;
mod proxy;
mod replay;
mod report;
mod runs;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Drives the API with keep-alive connections and prints rates, latencies and what they cost
    Http(http::Arguments),
    /// Lets workers at a backlog of runs and prints how fast they are driven and how soon one begins
    Runs(runs::Arguments),
    /// Times decisions under rules beside Cedar and CEL, and loading, diff and replay
    Policy(policy::Arguments),
    /// Replays millions of decisions from a store on disk, as the command does it
    Replay(replay::Arguments),
    /// Measures the forward proxy beside Squid and tinyproxy
    Proxy(proxy::Arguments),
    /// Times the start of guarded commands, part by part, beside bubblewrap, and the way out through the guard
    Guard(guard::Arguments),
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Http(arguments) => http::run(arguments),
        Command::Runs(arguments) => runs::run(arguments),
        Command::Policy(arguments) => policy::run_all(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Proxy(arguments) => proxy::run(arguments),
        Command::Guard(arguments) => guard::run_all(arguments),
    }
}
