//! The commands of the repository: `cargo xtask test`, `ci`, `bench http` and the single checks.
//!
//! Everything that a change must pass is here and nowhere else; `.ci/run` only calls `cargo xtask ci`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking to a terminal is what these commands do")]

mod bench;
mod cargo;
mod ci;
mod deny;
mod gate;
mod hygiene;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Test, check and bench commands of this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs every test against both stores, on a throw-away PostgreSQL
    Test(test::Arguments),
    /// Checks the formatting
    FmtCheck,
    /// Runs clippy on everything; a warning fails
    Lint,
    /// Checks licences, banned crates and sources of the dependencies
    Deny,
    /// Checks the shape of the code base: layers, sizes, words
    Hygiene,
    /// Runs one of the gates; each says how many cases it ran
    Gate {
        /// Which
        #[arg(value_enum)]
        gate: gate::Gate,
    },
    /// Runs all of the above
    Ci(test::Arguments),
    /// Measures the running product
    #[command(subcommand)]
    Bench(bench::Command),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test(arguments) => test::all(&arguments),
        Command::FmtCheck => ci::fmt_check(),
        Command::Lint => ci::lint(),
        Command::Deny => deny::run(),
        Command::Hygiene => hygiene::run(),
        Command::Gate { gate } => gate::run(gate).map(drop),
        Command::Ci(arguments) => ci::run(&arguments),
        Command::Bench(command) => bench::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
