//! The shape of the code base, as far as the compiler does not keep it.

mod layers;
mod sources;
mod traceability;
mod weaken;

use anyhow::{Result, ensure};

/// A check with its name in the report.
pub(crate) type Check = (&'static str, fn() -> Result<()>);

pub(crate) const CHECKS: [Check; 7] = [
    ("layers", layers::one_way),
    ("unsafe", sources::no_unsafe),
    ("file-length", sources::short_files),
    ("unfinished", sources::nothing_unfinished),
    ("machine-paths", sources::no_machine_paths),
    ("weaken", weaken::off_by_default),
    ("traceability", traceability::names_tests_that_are_there),
];

pub(crate) fn run() -> Result<()> {
    let mut failures = Vec::new();
    for (name, check) in CHECKS {
        let failure = check().err().map(|error| format!("{error:#}"));
        println!("{name:<22} {}", if failure.is_none() { "ok" } else { "FAILED" });
        failures.extend(failure);
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Fails with all findings at once, one per line.
fn none(rule: &str, findings: &[String]) -> Result<()> {
    ensure!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
    Ok(())
}
