//! The gates: named groups of tests, each of which says how many cases it ran and fails when one is left out.
//!
//! A gate is its tests by name; what they are to prove stands beside them. A gate that finds no test, or a test that is
//! ignored, is red: nothing passes by not being there.

mod cases;
mod mutation;

use std::fmt;

use anyhow::{Result, ensure};

use crate::cargo::For;
use cases::World;

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

    /// Those whose tests are part of the test command.
    pub(crate) const OF_TESTS: [Self; 3] = [Self::NoEgress, Self::AuthCoverage, Self::EventLogFailClosed];

    /// How a line begins in which one of its tests counts its cases.
    const fn counts(self) -> &'static str {
        match self {
            Self::NoEgress | Self::Mutation => "cells: ",
            Self::AuthCoverage => "auth-coverage: ",
            Self::EventLogFailClosed => "event-log-fail-closed: ",
        }
    }

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// How a group of tests came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    passed: usize,
    failed: usize,
    /// Those that are never run, because they say so.
    ignored: usize,
}

impl Count {
    /// All passed, and there were some.
    fn is_sound(self) -> bool {
        self.passed > 0 && self.failed == 0 && self.ignored == 0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, ignored } = self;
        write!(f, "{} tests: {passed} passed, {failed} failed, {ignored} ignored", passed + failed + ignored)
    }
}

/// Runs a gate to its end; returns what it counted, in a line.
pub(crate) fn run(gate: Gate) -> Result<String> {
    let group = match gate {
        Gate::NoEgress => NO_EGRESS,
        Gate::AuthCoverage => AUTH_COVERAGE,
        Gate::EventLogFailClosed => EVENT_LOG,
        Gate::Mutation => return mutation::run(),
    };
    let world = World::make(For::Tests)?;
    let (cases, ignored) = world.cases(group)?;
    ensure!(!cases.is_empty(), "no test is named `{}`: the gate is open", group.filter);
    let mut count = Count { ignored, ..Count::default() };
    world.run(&cases, |_, ran| {
        println!("  {:<6} {:>6.1} s  {}", if ran.passed { "ok" } else { "FAILED" }, ran.took.as_secs_f64(), ran.name);
        let counts = |line: &&str| line.starts_with(gate.counts());
        for line in ran.said.lines().filter(counts) {
            println!("           {line}");
        }
        if ran.passed {
            count.passed += 1;
        } else {
            count.failed += 1;
            println!("{}\n{}", ran.said, ran.complained);
        }
    })?;
    let line = format!("{}: {count}", gate.name());
    println!("{line}");
    ensure!(count.is_sound(), "a gate has no exceptions: {count}");
    ensure!(count.passed == cases.len(), "only {} of {} tests ran", count.passed, cases.len());
    Ok(line)
}
