//! What the way out must survive: slow and silent clients, silent origins, masses of connections, streams larger than
//! memory, sudden death, and a change of mind while it is under way.
//!
//! Every name begins with `survives_`, so that the quick tier can leave them out.

mod approvals;
mod crash;
mod cutting;
mod idlers;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::bed::{ANYWHERE, Bed};
use crate::carrier::Way;
use crate::dns::Answer;

fn bed() -> Bed {
    let bed = Bed::make(ANYWHERE);
    bed.world.names.otherwise(Answer::of(&["45.79.8.1"]));
    bed
}

/// The memory that the server holds, in KiB.
fn rss(bed: &Bed) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bed.server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Somebody else, who asks all the time and must not notice anything.
struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Duration)>,
}

/// A request of a bystander that takes longer was not slow but stood still: what is done to the server here takes longer
/// by far. How fast it is, benches say; a machine that is busy with other things makes no test fail.
const PATIENCE: Duration = Duration::from_secs(15);

impl Bystander {
    fn start(bed: &Bed) -> Self {
        let (way, stop): (Way, Arc<AtomicBool>) = (bed.way.clone(), Arc::default());
        let asked_to = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut asked, mut longest) = (0, Duration::ZERO);
            while !asked_to.load(Ordering::SeqCst) {
                let began = Instant::now();
                let answer = way.get("http://bystander.test/once").unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                longest = longest.max(began.elapsed());
                asked += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
            (asked, longest)
        });
        Self { stop, thread }
    }

    /// Asserts that it was served all the time.
    fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        let (asked, longest) = self.thread.join().unwrap();
        println!("{asked} requests of a bystander, the longest took {longest:?}");
        assert!(asked > 5 && longest < PATIENCE, "{asked} requests, the longest took {longest:?}");
    }
}

/// Runs something while the memory of the server is looked at; returns how much more it held at most, in KiB.
fn growth<T>(bed: &Bed, run: impl FnOnce() -> T) -> (u64, T) {
    let before = rss(bed);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = before;
            while !done.load(Ordering::SeqCst) {
                most = most.max(rss(bed));
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        // Also when it panics, so that nobody waits for the watcher.
        let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        done.store(true, Ordering::SeqCst);
        let value = value.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (watching.join().unwrap() - before, value)
    })
}
