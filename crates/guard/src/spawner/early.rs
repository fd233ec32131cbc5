//! The spawner as a copy of a process that has done nothing yet.
//!
//! For a program that is about to confine one command: to execute itself anew costs it more than all the namespaces.
//! At the first line of `main` there is one thread, and what is in memory is the program, its words and its
//! environment. The copy has the last two overwritten before it does anything else, so that it knows as little as one
//! that was executed with an empty environment; one thing it shares with its original is where things lie in memory.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use super::serve;
use crate::sys::fd;
use crate::sys::process::{self, Made, Words};

/// LIMIT: one that nobody has taken yet.
static EARLY: Mutex<Option<Early>> = Mutex::new(None);

/// A spawner that was made early, and the socket that it serves.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) socket: OwnedFd,
    pub(crate) process: Made,
}

/// Makes the process that starts jails now, when one of this program's words, up to `--`, is `word`. The first
/// [`crate::launch::Launcher::start`] takes it; where it cannot be made that starts one as it would have.
///
/// To be called in `main` before anything has a thread: once there is a second one, nothing is made.
pub fn prepare_if_asked(word: &str) {
    // What is missed is time.
    let _ = prepare(word);
}

fn prepare(word: &str) -> io::Result<()> {
    let words = Words::own()?;
    if words.threads != 1 || !words.any_up_to_dashes(word) {
        return Ok(());
    }
    let (socket, theirs) = fd::packet_pair()?;
    // SAFETY: this process has one thread.
    match unsafe { process::clone(0) }? {
        Some(process) => {
            *EARLY.lock().unwrap_or_else(PoisonError::into_inner) = Some(Early { socket, process });
            Ok(())
        }
        None => {
            let _end = process::End;
            #[cfg(feature = "weaken")]
            let weaken = std::env::var_os("EXEAT_WEAKEN");
            words.forget(&[b"exeat", super::ARGUMENT.as_bytes()]);
            #[cfg(feature = "weaken")]
            process::set_variable(c"EXEAT_WEAKEN", weaken.as_deref());
            drop(socket);
            serve(&theirs)
        }
    }
}

/// The one that was made, once.
pub(crate) fn take() -> Option<Early> {
    EARLY.lock().unwrap_or_else(PoisonError::into_inner).take()
}
