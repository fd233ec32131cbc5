//! How long it takes to start a guarded command, beside one that is not guarded and one that bubblewrap holds.
//!
//! Everything is measured in turns, so that whatever else the machine does falls on all of them alike.
//! `cargo bench -p guard --bench start -- [ROUNDS]`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table is what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio as ProcessStdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use guard::attempt::{Seen, Unrecorded, Witness};
use guard::door::Origin;
use guard::launch::{Jail, Launcher, Stdio};
use guard::plan::{Command, Exit, Limits, Plan, View};
use guard::rung::Rung;
use guard::spawner;
use guard::supervise::{Supervision, supervise};

type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 200;
/// How many are started at once, and by each of them in turn.
const PARALLEL: usize = 4;
const EACH: usize = 50;

fn main() -> Done<()> {
    spawner::run_if_asked();
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let launcher = Launcher::start()?;
    let mut times = Times::default();
    let bwrap = run(&mut bubblewrap()).is_ok();
    for round in 0..rounds + 10 {
        let mut taken = vec![("fork, exec, wait".to_owned(), timed(|| run(&mut Process::new("/bin/true")))?)];
        if bwrap {
            taken.push(("bwrap --unshare-all".to_owned(), timed(|| run(&mut bubblewrap()))?));
        }
        for rung in [Rung::A, Rung::B] {
            taken.extend(guarded(&launcher, rung)?);
        }
        // The first ones warm what is warm in a server.
        if round >= 10 {
            taken.into_iter().for_each(|(name, time)| times.add(name, time));
        }
    }
    times.print(rounds);
    if !bwrap {
        println!("bwrap is not installed: apt-get install bubblewrap");
    }
    for rung in [Rung::A, Rung::B] {
        println!("rung {rung}, {PARALLEL} at once: {:.0} guards/s", rate(&launcher, rung)?);
    }
    Ok(())
}

fn bubblewrap() -> Process {
    let mut command = Process::new("bwrap");
    command.args(["--unshare-all", "--ro-bind", "/", "/", "true"]);
    command
}

fn run(command: &mut Process) -> Done<()> {
    let status =
        command.stdin(ProcessStdio::null()).stdout(ProcessStdio::null()).stderr(ProcessStdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn timed<T>(what: impl FnOnce() -> Done<T>) -> Done<Duration> {
    let start = Instant::now();
    what()?;
    Ok(start.elapsed())
}

/// One whole life of a jail with `/bin/true` in it, and its parts.
fn guarded(launcher: &Launcher, rung: Rung) -> Done<Vec<(String, Duration)>> {
    let names = ["guarded", "  jail made", "  command runs", "  command ends", "  jail gone"];
    let start = Instant::now();
    let jail = Arc::new(launcher.launch(&plan(rung))?);
    let made = start.elapsed();
    let process = started(&jail)?;
    let runs = start.elapsed();
    let stages: Vec<_> =
        jail.stages.iter().chain(&process.stages).map(|stage| (stage.name.clone(), stage.time)).collect();
    let exit = process.wait();
    let ends = start.elapsed();
    jail.kill();
    drop(jail);
    let gone = start.elapsed();
    if exit != Exit::Code(0) {
        return Err(format!("{exit:?}").into());
    }
    let parts = [gone, made, runs.saturating_sub(made), ends.saturating_sub(runs), gone.saturating_sub(ends)];
    let whole = names.into_iter().map(|name| format!("{name}{}", of(rung))).zip(parts);
    Ok(whole.chain(stages.into_iter().map(|(name, time)| (format!("    {name}{}", of(rung)), time))).collect())
}

const fn of(rung: Rung) -> &'static str {
    match rung {
        Rung::A => ", A",
        Rung::B => ", B",
    }
}

fn started(jail: &Arc<Jail>) -> Done<guard::launch::Process> {
    let (process, notify) = jail.spawn(&command(), Stdio::null()?)?;
    let with = Supervision {
        rung: jail.rung,
        diag: jail.diag.clone(),
        redirects: redirects(jail),
        exposed: Vec::new(),
        given: jail.given.clone(),
        witness: Arc::new(Nobody),
        kill: {
            let jail = Arc::clone(jail);
            Box::new(move || jail.kill())
        },
    };
    thread::spawn(move || supervise(notify, with));
    Ok(process)
}

type Redirects = (Arc<guard::door::Redirects>, std::net::SocketAddrV4, Option<std::net::SocketAddrV6>);

fn redirects(jail: &Jail) -> Option<Redirects> {
    let (mut noted, mut v4, mut v6) = (None, None, None);
    for door in &jail.doors {
        let Origin::Noted(redirects) = &door.origin else { continue };
        noted = Some(Arc::clone(redirects));
        match door.listener.local_addr().ok()? {
            SocketAddr::V4(address) => v4 = Some(address),
            SocketAddr::V6(address) => v6 = Some(address),
        }
    }
    Some((noted?, v4?, v6))
}

/// Jails per second when several threads make them.
fn rate(launcher: &Launcher, rung: Rung) -> Done<f64> {
    let start = Instant::now();
    thread::scope(|scope| {
        let all: Vec<_> = (0..PARALLEL)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        guarded(launcher, rung)?;
                    }
                    Done::Ok(())
                })
            })
            .collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| io::Error::other("a thread ended early"))?)
    })?;
    Ok((PARALLEL * EACH) as f64 / start.elapsed().as_secs_f64())
}

fn plan(rung: Rung) -> Plan {
    Plan {
        rung,
        view: View { scratch_bytes: 64 << 20, ..View::default() },
        limits: Limits::default(),
        exposed_ports: Vec::new(),
        host_name: "bench".to_owned(),
    }
}

fn command() -> Command {
    Command {
        argv: vec![b"/bin/true".to_vec()],
        env: Vec::new(),
        cwd: PathBuf::from("/"),
        timeout: None,
        grace: Duration::ZERO,
        terminal: None,
    }
}

struct Nobody;

impl Witness for Nobody {
    fn saw(&self, _: Seen) -> Result<(), Unrecorded> {
        Ok(())
    }
}

/// What was measured, by name, in the order in which names came up.
#[derive(Default)]
struct Times {
    order: Vec<String>,
    taken: BTreeMap<String, Vec<Duration>>,
}

impl Times {
    fn add(&mut self, name: String, time: Duration) {
        if !self.order.contains(&name) {
            self.order.push(name.clone());
        }
        self.taken.entry(name).or_default().push(time);
    }

    fn print(&mut self, rounds: usize) {
        println!("{:<34} {:>9} {:>9} {:>9}   ms, {rounds} rounds", "", "p10", "p50", "p90");
        for name in &self.order {
            let Some(taken) = self.taken.get_mut(name) else { continue };
            taken.sort_unstable();
            let at = |part: usize| taken.get(taken.len() * part / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
            println!("{name:<34} {:>9.2} {:>9.2} {:>9.2}", at(10), at(50), at(90));
        }
    }
}
