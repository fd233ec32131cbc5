//! Searches for bytes that break what must hold for any bytes, one test per reader.
//!
//! Every run begins at the same seeds (`corpus/<target>/` and the same generator state), mutates them, keeps what
//! was read in a new way, and goes on for `EXEAT_FUZZ_SECONDS` per target: without it one minute in the full test
//! command, three seconds otherwise. A finding is repeated by putting its bytes, which the failure shows, into
//! the corpus. `fuzz/` of the repository searches with the same functions for longer, guided by coverage.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what a search did is part of its result")]

#[path = "../oracle/check.rs"]
mod check;
#[path = "../oracle/feed.rs"]
mod feed;
mod mutate;
#[path = "../oracle/naive.rs"]
mod naive;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use mutate::Mutator;

/// Inputs kept because they were read in a new way, beside the seeds.
const KEPT_MAX: usize = 512;
/// Kept per way of reading.
const KEPT_PER_WORD_MAX: usize = 16;

fn duration() -> Duration {
    let seconds = match std::env::var("EXEAT_FUZZ_SECONDS") {
        Ok(text) => text.parse().unwrap(),
        Err(_) if std::env::var_os("EXEAT_SLOW_TESTS").is_some() => 60,
        Err(_) => 3,
    };
    Duration::from_secs(seconds)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The order of a folder is not the same everywhere; that of the search is to be.
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(seeds.len() > 20, "the corpus is gone");
    seeds
}

fn search(target: &str, check: fn(&[u8]) -> &'static str, words_min: usize) {
    let until = Instant::now() + duration();
    let mut inputs = seeds(target);
    let seeded = inputs.len();
    let mut words = BTreeMap::<&str, usize>::new();
    for seed in &inputs {
        *words.entry(run(check, seed)).or_default() += 1;
    }
    let mut mutator = Mutator::new(mutate::words_of(target));
    let mut executions = seeded;
    while Instant::now() < until {
        for _ in 0..64 {
            let input = mutator.next(&inputs);
            let count = words.entry(run(check, &input)).or_default();
            *count += 1;
            if *count <= KEPT_PER_WORD_MAX && inputs.len() < seeded + KEPT_MAX {
                inputs.push(input);
            }
        }
        executions += 64;
    }
    println!("{target}: {executions} executions, {} ways of reading, {} inputs: {words:?}", words.len(), inputs.len());
    assert!(words.len() >= words_min, "the search reaches too little: {words:?}");
}

fn run(check: fn(&[u8]) -> &'static str, input: &[u8]) -> &'static str {
    catch_unwind(AssertUnwindSafe(|| check(input))).unwrap_or_else(|cause| {
        println!("found: {}", input.escape_ascii());
        resume_unwind(cause)
    })
}

#[test]
fn http_holds_for_any_bytes() {
    search("http", check::http, 30);
}

#[test]
fn hello_holds_for_any_bytes() {
    search("hello", check::hello, 10);
}

#[test]
fn socks_holds_for_any_bytes() {
    search("socks", check::socks, 14);
}

#[test]
fn target_holds_for_any_bytes() {
    search("target", check::target, 13);
}
