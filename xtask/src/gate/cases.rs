//! Tests of a gate, each in a process of its own: no two share a state, and what one prints is known to be its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use testkit::exeat::BINARY_VARIABLE;
use testkit::postgres::{Cluster, URL_VARIABLE};

use super::{Ground, Group};
use crate::cargo::{Built, For, Suite, build, output};

/// What tests are run with: a database, a binary, and the programs that they are in.
pub(super) struct World {
    cluster: Cluster,
    built: Built,
}

/// One test, and how it is to be run.
#[derive(Debug, Clone)]
pub(super) struct Case {
    suite: Suite,
    name: String,
    ground: Ground,
    /// The protection that is taken away meanwhile.
    weakness: Option<&'static str>,
}

/// How a test went.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) name: String,
    pub(super) passed: bool,
    pub(super) took: Duration,
    pub(super) said: String,
    pub(super) complained: String,
}

/// Tests that run at once: they wait more than they work.
const AT_ONCE: usize = 4;
/// A test that takes longer than this, in seconds, has failed.
const LONGEST: &str = "600";

impl World {
    pub(super) fn make(built_for: For) -> Result<Self> {
        let cluster = Cluster::create(&[]).context("the tests need a PostgreSQL of their own")?;
        // Built before anything is taken away from the network.
        Ok(Self { cluster, built: build(built_for)? })
    }

    /// The tests of a group, the longest first; and how many are ignored.
    pub(super) fn cases(&self, group: Group) -> Result<(Vec<Case>, usize)> {
        let (mut cases, mut ignored) = (Vec::new(), 0);
        let suites = self.built.suites.iter().filter(|suite| group.target.is_none_or(|name| suite.is(name)));
        for suite in suites {
            let names = |more: &[&str]| -> Result<Vec<String>> {
                let mut list = suite.command();
                list.args([group.filter, "--list", "--format=terse"]).args(more);
                let names = output(&mut list)?;
                Ok(names.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
            };
            ignored += names(&["--ignored"])?.len();
            let case = |name| Case { suite: suite.clone(), name, ground: group.ground, weakness: None };
            cases.extend(names(&[])?.into_iter().map(case));
        }
        cases.sort_by_key(|case| !case.name.contains("slow_"));
        Ok((cases, ignored))
    }

    /// Runs them, several at once, and tells of each as soon as it ended, with its place among them.
    pub(super) fn run(&self, cases: &[Case], mut tell: impl FnMut(usize, Ran)) -> Result<()> {
        let next = AtomicUsize::new(0);
        let (ended, ends) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(cases.len()) {
                let (next, ended) = (&next, ended.clone());
                scope.spawn(move || {
                    while let Some((index, case)) = nth(cases, next.fetch_add(1, Ordering::Relaxed)) {
                        if ended.send((index, self.run_one(case))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(ended);
            ends.iter().try_for_each(|(index, ran)| ran.map(|ran| tell(index, ran)))
        })
    }

    fn run_one(&self, case: &Case) -> Result<Ran> {
        let mut command = case.command();
        command.env(URL_VARIABLE, self.cluster.url("postgres")).env(BINARY_VARIABLE, &self.built.binary);
        command.env("EXEAT_SLOW_TESTS", "1");
        command.envs(case.weakness.map(|name| ("EXEAT_WEAKEN", name)));
        let started = Instant::now();
        let output = command.output().with_context(|| format!("starting {}", case.name))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout);
        // A test that runs itself again elsewhere has more than one result; the last is its own.
        let result = said.lines().rfind(|line| line.starts_with("test result: ")).unwrap_or_default();
        let passed = output.status.success() && result.starts_with("test result: ok. 1 passed; 0 failed; 0 ignored;");
        let complained = text(&output.stderr);
        Ok(Ran { name: case.name.clone(), passed, took: started.elapsed(), said, complained })
    }
}

fn nth(cases: &[Case], index: usize) -> Option<(usize, &Case)> {
    cases.get(index).map(|case| (index, case))
}

impl Suite {
    fn is(&self, target: &str) -> bool {
        self.target.as_deref() == Some(target)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }
}

impl Case {
    /// The same with a protection taken away, or with none.
    pub(super) fn with(&self, weakness: Option<&'static str>) -> Self {
        Self { weakness, ..self.clone() }
    }

    /// The test in a process of its own, ended when it takes too long; where its ground says so, in a network without
    /// any interface that is up.
    fn command(&self) -> Command {
        let mut words: Vec<PathBuf> = ["timeout", "--kill-after=5", LONGEST].map(PathBuf::from).into();
        if self.ground == Ground::Unconnected {
            words.push("unshare".into());
            if !is_root() {
                words.extend(["--user", "--map-root-user"].map(PathBuf::from));
            }
            words.extend(["--net", "--"].map(PathBuf::from));
        }
        words.push(self.suite.executable.clone());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args([&self.name, "--exact", "--nocapture"]);
        command.current_dir(&self.suite.folder).stdin(Stdio::null());
        command
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
