//! Attempts, made by one process under the filter and the supervisor alone: no namespaces but those the rung
//! cannot be without, no gate but one that says who came for what.
//!
//! ```text
//! guard-attempts [--unrecorded|--panics] none|A|B|B-held ATTEMPT…
//! ```
//!
//! It prints how each attempt went, as the process sees it, and then what was seen of it. For tests: they compare
//! both, and what happens without the guard (`none`). `B-held` is rung B where the kernel hands out no copies of
//! descriptors, as in some containers.

mod attempts;
mod host;
mod races;
mod supervised;

use std::process::ExitCode;

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// How the attempts are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Not at all.
    Free,
    /// By rung A.
    Namespaces,
    /// By rung B.
    Supervised,
    /// By rung B, without copies of descriptors.
    Held,
}

/// What who is told does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    Records,
    CannotRecord,
    Panics,
}

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let witness = match words.first().map(String::as_str) {
        Some("--unrecorded") => Witness::CannotRecord,
        Some("--panics") => Witness::Panics,
        _ => Witness::Records,
    };
    if witness != Witness::Records {
        words.remove(0);
    }
    let Some((how, attempts)) = words.split_first() else { return ExitCode::from(2) };
    let how = match how.as_str() {
        "none" => How::Free,
        "A" => How::Namespaces,
        "B" => How::Supervised,
        "B-held" => How::Held,
        _ => return ExitCode::from(2),
    };
    let done = match how {
        How::Free => attempts::all(attempts),
        _ => supervised::run(how, attempts, witness),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            host::say(&format!("trouble: {trouble}"));
            ExitCode::FAILURE
        }
    }
}
