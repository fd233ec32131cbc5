//! A kept connection that waits for its permit.

use gate::Permit;

use super::{Idle, Pool, Reusable};
use crate::dial::approach::{EnterError, is_for};
use crate::dial::error::DialError;
use crate::dial::line::{Crossing, Place};

/// A kept connection, held while a decision is being recorded. Dropping it puts it back.
pub struct Reserved<T: Reusable> {
    pool: Pool<T>,
    idle: Option<Idle<T>>,
}

impl<T: Reusable> Reserved<T> {
    pub(super) fn new(pool: Pool<T>, idle: Idle<T>) -> Self {
        Self { pool, idle: Some(idle) }
    }

    /// Goes in.
    ///
    /// # Errors
    /// [`EnterError`] when the permit is for another place or workspace; nothing was sent.
    #[expect(clippy::result_large_err, reason = "it gives the execution back, whose outcome is to be recorded")]
    pub fn enter(mut self, permit: Permit) -> Result<(T, Crossing), EnterError> {
        let fits = self.idle.as_ref().is_some_and(|idle| fits(&permit, idle));
        match self.idle.take_if(|_| fits) {
            Some(Idle { carrier, place, .. }) => {
                Ok((carrier, Crossing { execution: permit.execute(), place, reused: true }))
            }
            None => Err(EnterError { execution: permit.execute(), fault: DialError::PermitMismatch }),
        }
    }

    /// Where it leads.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.idle.as_ref().map(|idle| &idle.place)
    }
}

fn fits<T>(permit: &Permit, idle: &Idle<T>) -> bool {
    idle.owner.is_in(permit.workspace_id()) && is_for(permit, &idle.place)
}

impl<T: Reusable> Drop for Reserved<T> {
    fn drop(&mut self) {
        if let Some(idle) = self.idle.take() {
            self.pool.put(idle);
        }
    }
}
