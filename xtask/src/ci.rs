//! Everything that a change must pass, one item after the other, with a verdict for each.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cargo::{cargo, run as run_command};
use crate::gate::Gate;
use crate::{deny, gate, hygiene, test};

pub(crate) fn fmt_check() -> Result<()> {
    run_command(&mut cargo(["fmt", "--all", "--check"]))
}

pub(crate) fn lint() -> Result<()> {
    run_command(&mut cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

struct Verdict {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

/// Runs all items even when one fails. With arguments that leave tests out, the gates are left out too.
pub(crate) fn run(arguments: &test::Arguments) -> Result<()> {
    let started = Instant::now();
    let mut verdicts = Vec::new();
    let mut closing = Vec::new();
    let mut item = |name: &'static str, check: &mut dyn FnMut() -> Result<()>| {
        println!("\n──── {name}");
        let started = Instant::now();
        let failure = check().err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            println!("{failure}");
        }
        verdicts.push(Verdict { name, took: started.elapsed(), failure });
    };
    item("fmt-check", &mut fmt_check);
    for (name, mut check) in hygiene::CHECKS {
        item(name, &mut check);
    }
    item("lint", &mut lint);
    item("deny", &mut deny::run);
    item("test", &mut || {
        closing = test::run(arguments)?;
        Ok(())
    });
    if arguments.is_whole() {
        for which in Gate::ALL {
            item(which.name(), &mut || gate::run(which).map(|said| closing.push(said)));
        }
    }

    println!("\n──── summary");
    for Verdict { name, took, failure } in &verdicts {
        let result = if failure.is_none() { "ok" } else { "FAILED" };
        println!("{name:<26} {result:<6} {:>7.1} s", took.as_secs_f64());
    }
    let failed: Vec<&str> = verdicts.iter().filter(|v| v.failure.is_some()).map(|v| v.name).collect();
    let total = started.elapsed().as_secs_f64();
    println!("{} items, {} failed, {total:.1} s in all", verdicts.len(), failed.len());
    closing.iter().for_each(|line| println!("{line}"));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}
