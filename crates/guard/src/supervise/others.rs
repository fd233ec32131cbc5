//! Processes of the same user that are not of the call, where no namespace hides them (rung B). Landlock keeps signals
//! and tracing from them; their limits, and where and when they run, the supervisor does.

use super::{Outcome, Stepped, Supervisor, descriptor};
use crate::filter::calls;
use crate::notify::{Answer, Call};

impl Supervisor {
    /// A call about a process that it names. Its own it may change, by all their names; of others it may only read.
    /// What is decided on are registers, and threads of a process that stands still: the call goes on.
    pub(super) fn about_a_process(&self, call: &Call) -> Stepped<Outcome> {
        let [first, second, third, ..] = call.args;
        let number = libc::c_long::from(call.number);
        let named = match calls::OF_ONE.iter().find(|(known, _)| *known == number) {
            None => Some(first),
            Some((_, one)) => (first & 0xffff_ffff == *one).then_some(second),
        };
        let reads = number == libc::SYS_prlimit64 && third == 0;
        if reads || named.is_some_and(|named| is_own(named as u32, call.thread)) {
            return Ok(Outcome::Answer(Answer::Continues));
        }
        self.refuse(&calls::find(call.number))
    }
}

/// Whether a thread is of the same process as another.
fn is_own(named: u32, thread: u32) -> bool {
    let process = |thread| descriptor::first_thread(thread).ok();
    named == thread || process(named).is_some_and(|named| process(thread) == Some(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_process_belong_together() {
        let me = std::process::id();
        // SAFETY: takes nothing.
        let thread = || u32::try_from(unsafe { libc::gettid() }).unwrap_or(0);
        let here = thread();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (say, said) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _ = say.send(thread());
            let _ = ended.recv();
        });
        let there = said.recv().unwrap_or(0);
        assert!(is_own(me, here) && is_own(there, here) && is_own(here, there) && is_own(here, here));
        assert!(!is_own(1, here) && !is_own(0, here));
        drop(end);
        assert!(other.join().is_ok());
    }
}
