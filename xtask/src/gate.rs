//! The gates: named groups of tests, each of which says how many cases it ran and fails when one is left out.
//!
//! A gate is its tests by name; what they are to prove stands beside them. A gate that finds no test, or a test that is
//! ignored, is red: nothing passes by not being there.

mod mutation;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use testkit::exeat::BINARY_VARIABLE;
use testkit::postgres::{Cluster, URL_VARIABLE};

use crate::cargo::{For, WEAKEN, build_binary, cargo, output};

/// What a gate proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Gate {
    /// Nothing leaves but by the gate: every attack, by every way a program is started
    NoEgress,
    /// Nobody does anything without the credential for it
    AuthCoverage,
    /// What cannot be recorded does not happen
    EventLogFailClosed,
    /// Each protection taken away is noticed
    Mutation,
}

impl Gate {
    pub(crate) const ALL: [Self; 4] = [Self::NoEgress, Self::AuthCoverage, Self::EventLogFailClosed, Self::Mutation];

    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoEgress => "gate no-egress",
            Self::AuthCoverage => "gate auth-coverage",
            Self::EventLogFailClosed => "gate event-log-fail-closed",
            Self::Mutation => "gate mutation",
        }
    }
}

/// Tests of a gate.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// What their names contain.
    filter: &'static str,
    /// Only in the test target of this name.
    target: Option<&'static str>,
    ground: Ground,
}

/// Where tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// As they are.
    Here,
    /// In a network that has nothing.
    Unconnected,
}

const NO_EGRESS: Group = Group { filter: "", target: Some("guard"), ground: Ground::Unconnected };
const AUTH_COVERAGE: Group = Group { filter: "gate_auth_coverage", target: None, ground: Ground::Here };
const EVENT_LOG: Group = Group { filter: "gate_event_log", target: None, ground: Ground::Here };

/// How many tests ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs a gate to its end.
pub(crate) fn run(gate: Gate) -> Result<()> {
    let group = match gate {
        Gate::NoEgress => NO_EGRESS,
        Gate::AuthCoverage => AUTH_COVERAGE,
        Gate::EventLogFailClosed => EVENT_LOG,
        Gate::Mutation => return mutation::run(),
    };
    let world = World::make(For::Tests)?;
    let listed = world.list(group)?;
    ensure!(listed > 0, "no test is named `{}`: the gate is open", group.filter);
    let (count, said) = world.run(group, None)?;
    println!(
        "{}: {} of {listed} tests passed, {} failed, {} ignored",
        gate.name(),
        count.passed,
        count.failed,
        count.ignored
    );
    for line in said.lines().filter(|line| line.starts_with("cells: ")) {
        println!("  {line}");
    }
    ensure!(count.failed == 0, "{} tests failed", count.failed);
    ensure!(count.ignored == 0, "{} tests are ignored: a gate has no exceptions", count.ignored);
    ensure!(count.passed == listed, "only {} of {listed} tests ran", count.passed);
    Ok(())
}

/// What tests are run with: a database, a binary, and what both are built for.
struct World {
    cluster: Cluster,
    binary: PathBuf,
    built_for: For,
}

impl World {
    fn make(built_for: For) -> Result<Self> {
        let cluster = Cluster::create(&[]).context("the tests need a PostgreSQL of their own")?;
        // Built before anything is taken away from the network.
        let binary = build_binary(built_for)?;
        Ok(Self { cluster, binary, built_for })
    }

    /// The tests of a group, with arguments for their runner.
    fn command(&self, group: Group, runner: &[&str]) -> Command {
        let mut cargo = cargo(["test", "--workspace", "--locked", "--offline", "--no-fail-fast"]);
        if self.built_for == For::Mutations {
            cargo.args(WEAKEN);
        }
        match group.target {
            Some(target) => cargo.args(["--test", target]),
            None => cargo.arg("--tests"),
        };
        cargo.arg("--").arg(group.filter).args(runner);
        cargo
    }

    /// How many tests there are.
    fn list(&self, group: Group) -> Result<u64> {
        let listed = output(&mut self.command(group, &["--list", "--format=terse"]))?;
        Ok(u64::try_from(listed.lines().filter(|line| line.ends_with(": test")).count())?)
    }

    /// Runs them; what they counted, and all they said. `weakness`: the protection that is taken away meanwhile.
    fn run(&self, group: Group, weakness: Option<&str>) -> Result<(Count, String)> {
        let mut runner = vec!["--show-output"];
        if group.ground == Ground::Unconnected {
            // Each has a network of its own, and waits more than it works.
            runner.push("--test-threads=4");
        }
        let mut command = self.command(group, &runner);
        if group.ground == Ground::Unconnected {
            command = unconnected(&command);
        }
        command.env(URL_VARIABLE, self.cluster.url("postgres")).env(BINARY_VARIABLE, &self.binary);
        command.env("EXEAT_SLOW_TESTS", "1");
        command.envs(weakness.map(|name| ("EXEAT_WEAKEN", name)));
        let output = command.output().context("starting the tests")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = counted(&said);
        if weakness.is_none() && (!output.status.success() || count.passed == 0) {
            println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
        }
        if count == Count::default() {
            bail!("no test ran: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok((count, said))
    }
}

/// The same command in a network namespace without any interface that is up.
fn unconnected(command: &Command) -> Command {
    let mut unshare = Command::new("unshare");
    if !is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--net", "--"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        unshare.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    unshare
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Adds up what the runners of all test targets counted.
fn counted(said: &str) -> Count {
    let mut all = Count::default();
    for line in said.lines().filter(|line| line.starts_with("test result: ")) {
        let number = |word: &str| {
            let before = line.split_once(word).map_or("", |(before, _)| before.trim_end());
            before.rsplit(' ').next().and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0)
        };
        all.passed += number(" passed");
        all.failed += number(" failed");
        all.ignored += number(" ignored");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Count, counted};

    #[test]
    fn counts_what_every_target_says() {
        let said = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; in 1s\n\
            test result: FAILED. 10 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
        assert_eq!(counted(said), Count { passed: 12, failed: 3, ignored: 1 });
        assert_eq!(counted("nothing"), Count::default());
    }
}
