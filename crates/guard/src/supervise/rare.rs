//! What is refused whatever it is about.

use super::{Early, Outcome, Stepped, Supervisor};
use crate::attempt::{Attempt, Class, Destination, Seen};
use crate::filter::calls::Rare;
use crate::filter::sockets::Kind;
use crate::notify::Answer;
use crate::weaken;

impl Supervisor {
    /// Tells of a refused call, and refuses it.
    pub(super) fn refuse(&self, rare: &Rare) -> Stepped<Outcome> {
        self.tell(Seen { attempt: rare.attempt, class: rare.class, subject: None })?;
        Ok(Outcome::fails(rare.errno.into()))
    }

    /// Tells of a socket that is not to be had, and refuses it.
    pub(super) fn refuse_socket(&self, kind: Kind) -> Stepped<Outcome> {
        let refused = kind.refused();
        self.tell(Seen { attempt: refused.attempt, class: refused.class, subject: None })?;
        Ok(Outcome::fails(refused.errno))
    }

    /// Tells of a call that could not be looked at, and refuses it.
    pub(super) fn refuse_unreadable(&self) -> Early {
        if weaken::asked("continue_on_unreadable") {
            return Early::Decided(Outcome::Answer(Answer::Continues));
        }
        let attempt = Attempt::call("unreadable_call", Destination::None);
        match self.tell(Seen { attempt, class: Class::Violation, subject: None }) {
            Ok(()) => Early::fails(libc::EACCES),
            Err(early) => early,
        }
    }
}
