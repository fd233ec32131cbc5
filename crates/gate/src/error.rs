//! What an operation of the gate can end in besides its answer.
//!
//! A decision that says no is an answer, not an error. A [`Refusal`] is the caller's to mend; the
//! other errors are ours.

use serde_json::Value;
use store::DbError;

/// Whose fault a refusal is, in the words of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// What was sent is not valid (400).
    Invalid,
    /// It does not exist, or not for this workspace (404).
    NotFound,
    /// It is not in a state for this (409).
    Conflict,
    /// This caller may not (403).
    Forbidden,
    /// It is not what the caller says it is (412).
    PreconditionFailed,
    /// The caller must say what it expects to find (428).
    PreconditionRequired,
    /// It reads well and says something that cannot be done (422).
    Unprocessable,
}

/// A request that was not carried out; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// Whose fault it is.
    pub kind: RefusalKind,
    /// The stable code, lower_snake.
    pub code: &'static str,
    /// JSON pointer to the member at fault.
    pub field: Option<String>,
    /// One sentence for humans; never a secret, never what the caller sent.
    pub detail: String,
    /// What else the answer says, by name.
    pub members: Vec<(&'static str, Value)>,
}

impl Refusal {
    fn new(kind: RefusalKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, code, field: None, detail: detail.into(), members: Vec::new() }
    }

    /// A 400 with a code of its own.
    #[must_use]
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, code, detail)
    }

    /// A 400 `invalid_request` for the member at `field`, a JSON pointer.
    #[must_use]
    pub fn invalid_field(field: &str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, "invalid_request", detail).at(field)
    }

    /// A 404.
    #[must_use]
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, code, detail)
    }

    /// A 409.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::Conflict, code, detail)
    }

    /// A 403.
    #[must_use]
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::Forbidden, code, detail)
    }

    /// A 412.
    #[must_use]
    pub fn precondition_failed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::PreconditionFailed, code, detail)
    }

    /// A 428 `precondition_required`.
    #[must_use]
    pub fn precondition_required(detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::PreconditionRequired, "precondition_required", detail)
    }

    /// A 422.
    #[must_use]
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::Unprocessable, code, detail)
    }

    /// The same, saying something more. A value without JSON form cannot come from our own types.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl serde::Serialize) -> Self {
        self.members.push((name, serde_json::to_value(value).unwrap_or(Value::Null)));
        self
    }

    /// The same, naming the member at fault by a JSON pointer.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }
}

/// Why an operation gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GateError {
    /// The caller has to change something.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The caller's key died meanwhile.
    #[error("the key is no longer good")]
    Unauthenticated,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The event log cannot be reached now; trying again later may help.
    #[error("the event log cannot be reached")]
    Unavailable(#[source] DbError),
    /// The event log cannot be written; nothing changed.
    #[error("the event log cannot be written")]
    Failed(#[source] DbError),
}

impl From<DbError> for GateError {
    /// A failed read: nothing can be decided on what cannot be read.
    fn from(error: DbError) -> Self {
        if error.is_passing() { Self::Unavailable(error) } else { Self::Failed(error) }
    }
}

/// An answer, and whether it is the first one again (an idempotency key was used before).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// Whether nothing was recorded now.
    pub replayed: bool,
}

impl<T> Answered<T> {
    /// An answer given for the first time.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value, replayed: false }
    }

    /// The same with its value changed.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answered<U> {
        Answered { value: change(self.value), replayed: self.replayed }
    }
}
