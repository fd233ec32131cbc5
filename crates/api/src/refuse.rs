//! What the gate and the store end in, as problems. HTTP status codes of refusals live here only.

use gate::{AuthError, GateError, Refusal, RefusalKind};
use http::StatusCode;
use store::DbError;

use crate::problem::Problem;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            RefusalKind::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            RefusalKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, refusal.code, refusal.detail).with(refusal.members);
        match refusal.field {
            Some(field) => problem.at(field),
            None => problem,
        }
    }
}

impl From<GateError> for Problem {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Refused(refusal) => refusal.into(),
            GateError::Unauthenticated => Self::unauthenticated(),
            GateError::KeyReused => Self::new(
                StatusCode::CONFLICT,
                "idempotency_key_reused",
                "the idempotency key was used for another request within the last 24 hours",
            ),
            GateError::Unavailable(source) | GateError::Failed(source) => source.into(),
        }
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        Self::event_log(error)
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unauthenticated => Self::unauthenticated(),
            AuthError::Forbidden => Self::forbidden("the key is not for this workspace"),
            AuthError::InvalidWorkspace => {
                Self::invalid("x-workspace-id", "a workspace is 1 to 200 visible ASCII characters and not `*`")
            }
            AuthError::Unavailable(source) => source.into(),
        }
    }
}
