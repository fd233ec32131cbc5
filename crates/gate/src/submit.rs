//! Recording what a caller changes: decided on a view, checked against the heads in the batch, and
//! decided again when policy moved meanwhile.

use std::time::{Duration, Instant};

use model::ApprovalId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Command, DbError, IdempotencyKey, IdempotentRefusal, SubmitError};

use crate::ask::Trouble;
use crate::{Answered, Caller, Gate, GateError, Refusal};

/// How long a change is tried again while policy keeps moving under it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bounds how long a change is decided again.
pub struct Patience {
    started: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

impl Patience {
    /// From now on.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// Fails once policy has moved under the caller for too long.
    pub(crate) fn spend(&self) -> Result<(), GateError> {
        metrics::counter!("exeat_gate_redecided_total").increment(1);
        if self.started.elapsed() < PATIENCE {
            return Ok(());
        }
        Err(GateError::Unavailable(DbError::Conflict("the policy keeps moving".to_owned())))
    }
}

impl Gate {
    /// The caller to try again with, when trying again can help. A refusal is only told to a caller
    /// whose key is still good.
    pub(crate) async fn recover(
        &self,
        caller: &Caller,
        trouble: Trouble,
        patience: &Patience,
    ) -> Result<Caller, GateError> {
        match trouble {
            Trouble::Stale => {
                patience.spend()?;
                self.again(caller).await
            }
            Trouble::Final(error @ GateError::Refused(_)) => {
                self.again(caller).await?;
                Err(error)
            }
            Trouble::Final(error) => Err(error),
        }
    }

    /// Lets this process forget `once` approvals that are used up, so that no later ask rests on
    /// them first. Without this the batch would still find out; a failure is no matter.
    pub async fn forget_used(&self, once: &[ApprovalId]) {
        for id in once {
            if let Err(error) = self.store().learn_approval(id.as_str()).await {
                tracing::debug!(%error, "a used approval could not be read");
            }
        }
    }

    /// Records the command that `make` builds for the caller, and builds it anew on a fresh view
    /// (with the caller's key checked again) as often as policy moved meanwhile.
    ///
    /// The command must declare the heads it was decided under, as [`crate::change::By::expects`] does.
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn submit<C, F>(
        &self,
        caller: &Caller,
        once: Option<IdempotencyKey>,
        mut make: F,
    ) -> Result<Answered<C::Output>, GateError>
    where
        C: Command<Refusal = Refusal>,
        C::Output: Serialize + DeserializeOwned,
        F: FnMut(&Caller) -> Result<C, GateError>,
    {
        let patience = Patience::new();
        let mut again: Option<Caller> = None;
        loop {
            let command = make(again.as_ref().unwrap_or(caller))?;
            match self.store().submit_once(command, once.clone()).await {
                Ok(recorded) => {
                    let answer = recorded.into_inner();
                    return Ok(Answered { value: answer.value, replayed: answer.replayed });
                }
                Err(error) => again = Some(self.try_again(caller, error, &patience).await?),
            }
        }
    }

    /// The caller to build a command for anew, after policy moved under the one that was submitted.
    ///
    /// # Errors
    /// What the submission ended in, when it did not end in that.
    pub async fn try_again(
        &self,
        caller: &Caller,
        error: SubmitError<IdempotentRefusal<Refusal>>,
        patience: &Patience,
    ) -> Result<Caller, GateError> {
        if !matches!(error, SubmitError::Stale) {
            return Err(final_error(error));
        }
        patience.spend()?;
        self.again(caller).await
    }

    /// As [`Gate::submit`], for a command that takes no idempotency key and whose output is not kept.
    ///
    /// # Errors
    /// See [`GateError`].
    pub async fn record<C, F>(&self, caller: &Caller, mut make: F) -> Result<C::Output, GateError>
    where
        C: Command<Refusal = Refusal>,
        F: FnMut(&Caller) -> Result<C, GateError>,
    {
        let patience = Patience::new();
        let mut again: Option<Caller> = None;
        loop {
            match self.store().submit(make(again.as_ref().unwrap_or(caller))?).await {
                Ok(recorded) => return Ok(recorded.into_inner()),
                Err(SubmitError::Stale) => {
                    patience.spend()?;
                    again = Some(self.again(caller).await?);
                }
                Err(error) => return Err(plain_error(error)),
            }
        }
    }
}

/// What a submission that is not tried again ends in.
pub(crate) fn final_error(error: SubmitError<IdempotentRefusal<Refusal>>) -> GateError {
    match error {
        SubmitError::Refused(IdempotentRefusal::Refused(refusal)) => GateError::Refused(refusal),
        SubmitError::Refused(IdempotentRefusal::Reused) => GateError::KeyReused,
        SubmitError::Unavailable(error) => GateError::Unavailable(error),
        SubmitError::Failed(error) => GateError::Failed(error),
        SubmitError::Stale => GateError::Unavailable(DbError::Conflict("the policy moved".to_owned())),
    }
}

/// The same for a command without idempotency key.
pub(crate) fn plain_error(error: SubmitError<Refusal>) -> GateError {
    match error {
        SubmitError::Refused(refusal) => GateError::Refused(refusal),
        SubmitError::Unavailable(error) => GateError::Unavailable(error),
        SubmitError::Failed(error) => GateError::Failed(error),
        SubmitError::Stale => GateError::Unavailable(DbError::Conflict("the policy moved".to_owned())),
    }
}
