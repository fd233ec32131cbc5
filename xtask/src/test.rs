//! The test command: one PostgreSQL and one binary for all tests, then the runner.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use testkit::postgres::{Cluster, URL_VARIABLE};

use crate::cargo::{For, build_binary, cargo, has_subcommand};
use crate::gate;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leaves out the tests that take long: those named `survives_…` and `slow_…`
    #[arg(long)]
    quick: bool,
    /// Runs only the tests whose name contains this
    filter: Option<String>,
}

impl Arguments {
    /// Whether nothing is left out.
    pub(crate) fn is_whole(&self) -> bool {
        !self.quick && self.filter.is_none()
    }
}

/// Slow tests say so in their name, so that no list of them has to be kept.
const SLOW: [&str; 2] = ["survives_", "slow_"];

/// The tests of the gates, for the runner.
const GATES: &str = "binary_id(exeat::guard) | test(/(^|::)gate_/)";
/// The same by what their names contain, as far as they are many.
const OF_GATES: [&str; 4] = ["gate_", "slow_exec_", "slow_worker_", "slow_route_"];

/// Runs all tests: those of the gates by their gates, each of which says how many cases there were.
pub(crate) fn all(arguments: &Arguments) -> Result<()> {
    let mut closing = run(arguments)?;
    if arguments.is_whole() {
        for gate in gate::Gate::OF_TESTS {
            println!("\n──── {}", gate.name());
            closing.push(gate::run(gate)?);
        }
    }
    closing.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Runs all tests but those of the gates, or those that are asked for; returns the closing lines of the runner, to be
/// repeated at the very end.
pub(crate) fn run(arguments: &Arguments) -> Result<Vec<String>> {
    let started = Instant::now();
    let cluster = Cluster::create(&[]).context("the tests need a PostgreSQL of their own")?;
    println!("PostgreSQL for tests: {}", cluster.url("postgres"));
    let mut environment: Vec<(&str, OsString)> = vec![
        (URL_VARIABLE, cluster.url("postgres").into()),
        (testkit::exeat::BINARY_VARIABLE, build_binary(For::Tests)?.into()),
    ];
    if !arguments.quick {
        // Tests that generate their cases generate all of them.
        environment.push(("EXEAT_SLOW_TESTS", "1".into()));
    }

    let mut runs = vec![if has_subcommand("nextest") { nextest(arguments) } else { built_in(arguments) }];
    if runs.iter().all(|run| run.runner == "nextest") && arguments.filter.is_none() {
        // Examples in the documentation are tests too; nextest leaves them to cargo.
        runs.push(doc_tests());
    }
    let (mut closing, mut failed) = (Vec::new(), Vec::new());
    for Run { runner, mut command } in runs {
        let (success, summary) = watch(command.envs(environment.clone()))?;
        closing.extend(summary);
        if !success {
            failed.push(runner);
        }
    }
    let which = if arguments.quick { "quick tests" } else { "tests" };
    if !failed.is_empty() {
        closing.iter().for_each(|line| println!("{line}"));
        bail!("{which} of {} failed", failed.join(" and "));
    }
    closing.push(format!("{which} passed in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(closing)
}

struct Run {
    runner: &'static str,
    command: Command,
}

fn nextest(arguments: &Arguments) -> Run {
    let color = if std::io::stderr().is_terminal() { "--color=always" } else { "--color=never" };
    let mut command = cargo(["nextest", "run", "--workspace", "--locked", "--no-fail-fast", color]);
    let without = match (arguments.quick, &arguments.filter) {
        (true, _) => Some(format!("not test(/(^|::)({})/)", SLOW.join("|"))),
        (false, None) => Some(format!("not ({GATES})")),
        (false, Some(_)) => None,
    };
    if let Some(without) = without {
        command.arg("-E").arg(without);
    }
    command.args(&arguments.filter);
    Run { runner: "nextest", command }
}

fn built_in(arguments: &Arguments) -> Run {
    let mut command = cargo(["test", "--workspace", "--locked", "--no-fail-fast", "--"]);
    command.args(&arguments.filter);
    if arguments.quick {
        command.args(SLOW.iter().flat_map(|name| ["--skip", name]));
    } else if arguments.is_whole() {
        command.args(OF_GATES.iter().flat_map(|name| ["--skip", name]));
    }
    Run { runner: "cargo test", command }
}

fn doc_tests() -> Run {
    Run { runner: "documentation", command: cargo(["test", "--workspace", "--locked", "--doc", "--no-fail-fast"]) }
}

/// Runs a test runner, passing its output on, and keeps the lines that sum it up: from nextest's `Summary` on, and
/// each `test result:` of cargo that ran anything.
fn watch(command: &mut Command) -> Result<(bool, Vec<String>)> {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("starting the test runner")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stderr = std::thread::spawn(move || {
        let mut summary: Vec<String> = Vec::new();
        for line in stderr.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')).map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            eprintln!("{line}");
            if !summary.is_empty() || line.contains("Summary") {
                summary.push(line);
            }
        }
        summary
    });
    let mut summary = Vec::new();
    for line in stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        if line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed;") {
            summary.push(line);
        }
    }
    let said = stderr.join().unwrap_or_default();
    summary.extend(said.into_iter().filter(|line| !line.trim().is_empty()));
    Ok((child.wait().context("waiting for the test runner")?.success(), summary))
}
