//! What a probe said, and what the guard said of it.

use std::fmt;

/// The first word of a probe's only line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Refused.
    Blocked,
    /// It got out, or at something it must not.
    Leaked,
    /// It is meant to work inside, and did.
    Works,
    /// It was killed before it could say anything, by this signal.
    Killed(i32),
}

/// How one run of a probe ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub verdict: Verdict,
    /// The line of the probe.
    pub said: String,
    /// The exit code, as a shell shows it.
    pub exit: i32,
    /// What the guard tells of it; `None` outside.
    pub told: Option<Told>,
}

/// What the guard told of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Violations: attempts around the gate, canonically, in order.
    pub attempts: Vec<serde_json::Value>,
    /// How many notices there were.
    pub notices: u64,
    /// What the gate itself was asked and refused.
    pub refused: u64,
    /// Whether the call failed for what was tried.
    pub tainted: bool,
    /// Whether all of it is told: what taints nothing is counted, not told, where nobody asked for a report.
    pub whole: bool,
    /// The whole report, for the eyes of whoever reads a failure.
    pub report: serde_json::Value,
}

impl Outcome {
    /// Reads what a probe printed and how it ended. A program that says nothing, or anything else, is a broken test.
    pub fn read(name: &str, stdout: &str, exit: i32, stderr: &str) -> Self {
        let line = stdout.lines().next_back().unwrap_or_default().to_owned();
        let verdict = match line.split(' ').next() {
            Some("blocked") => Verdict::Blocked,
            Some("leaked") => Verdict::Leaked,
            Some("works") => Verdict::Works,
            _ if exit > 128 => Verdict::Killed(exit - 128),
            _ => panic!("{name} says nothing that is a verdict: {stdout:?}, exit {exit}, stderr {stderr:?}"),
        };
        Self { verdict, said: line, exit, told: None }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (exit {})", self.said, self.exit)
    }
}
