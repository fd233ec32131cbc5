//! The command that a person types: `exeat exec`, with its own gate and nothing allowed.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use super::{Access, Cell, PROCESSES, Runner, SCRATCH, binary};
use crate::ground::Ground;
use crate::outcome::{Outcome, Told};

pub struct Exec {
    binary: PathBuf,
    reports: PathBuf,
}

impl Exec {
    /// With a copy of the binary that everybody may run.
    pub fn new(ground: &Ground) -> Self {
        Self { binary: binary(ground), reports: ground.make("reports") }
    }
}

impl Runner for Exec {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn run(&self, cell: Cell<'_>) -> Outcome {
        let Cell { program, rung, access, scene } = cell;
        let reports = self.reports.join(scene.who.name().split(',').next().unwrap());
        fs::create_dir_all(&reports).unwrap();
        scene.who.own(&reports);
        let report = reports.join("report.json");
        let _ = fs::remove_file(&report);
        let mut command = scene.who.command(&self.binary);
        command.args(["exec", "--local", "--rung", rung.name(), "--timeout", "60s"]);
        command.args(["--processes", PROCESSES, "--scratch", SCRATCH, "--report"]).arg(&report);
        match access {
            // Without --rw the working directory is given to be written to: here it is one that has nothing in it.
            Access::Read => command.arg("--ro").arg(&scene.workspace).current_dir(&scene.nothing),
            Access::Write | Access::Own => command.arg("--rw").arg(&scene.workspace).current_dir(&scene.workspace),
        };
        command.arg("--ro").arg(&scene.probes).arg("--").args(self.words(cell));
        command.env_clear().env("HOME", &scene.home).env("PATH", "/usr/local/bin:/usr/bin:/bin").stdin(Stdio::null());
        command.env("EXEAT_HMAC_KEY_FILE", scene.home.join("hmac.key"));
        command.envs(std::env::var_os("EXEAT_WEAKEN").map(|names| ("EXEAT_WEAKEN", names)));
        let output = scene.give_away(|| command.output().unwrap());
        let (said, talked) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let exit = output.status.code().unwrap_or_else(|| panic!("{}: {} {talked}", program.name, output.status));
        let mut outcome = Outcome::read(&program.name, &said, exit, &talked);
        let report = fs::read_to_string(&report).unwrap_or_else(|error| panic!("no report: {error}; {talked}"));
        outcome.told = Some(told(serde_json::from_str(&report).unwrap()));
        outcome
    }
}

/// Reads a report.
fn told(report: Value) -> Told {
    let count = |kind: &str| report[kind].as_array().map_or(0, Vec::len);
    let attempts = report["violations"]["attempts"].as_array().cloned().unwrap_or_default();
    Told {
        notices: report["notices"].as_u64().unwrap(),
        refused: u64::try_from(count("blocked") + count("asked")).unwrap(),
        tainted: !attempts.is_empty(),
        whole: true,
        attempts,
        report,
    }
}
