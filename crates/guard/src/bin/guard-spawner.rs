//! A spawner and nothing else: what the tests and benches of this crate start, whose own program is not theirs.
//!
//! As `guard-spawner hold RUNG FOLDER SCRIPT…` it is a whole supervisor, to be killed: it runs each script in a jail of
//! its own, with the folder to write to, says `ready`, and waits; with `hold-early` its own spawner is a copy of it. As `guard-spawner report` it probes the machine and
//! prints what it found.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use guard::launch::{Launcher, Stdio};
use guard::plan::{Command, Limits, Plan, View};
use guard::probe;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    guard::spawner::run_if_asked();
    guard::spawner::prepare_if_asked("hold-early");
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next(), words.next()) {
        (Some("hold" | "hold-early"), Some(rung), Some(folder)) => hold(&rung, Path::new(&folder), words),
        (Some("report"), None, None) => report(),
        _ => Err("it is started by others".into()),
    }
}

fn report() -> Result<(), Failed> {
    let report = match Launcher::start() {
        Ok(launcher) => probe::probe(&launcher),
        Err(error) => probe::without_launcher(&error),
    };
    Ok(std::io::stdout().write_all(&serde_json::to_vec_pretty(&report)?)?)
}

fn hold(rung: &str, folder: &Path, scripts: impl Iterator<Item = String>) -> Result<(), Failed> {
    let launcher = Launcher::start()?;
    let plan = Plan {
        rung: rung.parse()?,
        view: View { writable: vec![folder.to_owned()], scratch_bytes: 1 << 20, ..View::default() },
        limits: Limits::default(),
        exposed_ports: Vec::new(),
        host_name: "held".to_owned(),
    };
    let mut held = Vec::new();
    for script in scripts {
        let jail = launcher.launch(&plan)?;
        let command = Command {
            argv: ["sh", "-c", &script].map(|word| word.as_bytes().to_vec()).into(),
            env: vec![(b"PATH".to_vec(), b"/usr/bin:/bin".to_vec())],
            cwd: folder.to_owned(),
            timeout: None,
            grace: Duration::ZERO,
            terminal: None,
        };
        held.push((jail.spawn(&command, Stdio::null()?)?, jail));
    }
    let mut stdout = std::io::stdout();
    stdout.write_all(b"ready\n")?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(held);
    Ok(())
}
