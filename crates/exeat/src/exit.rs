//! Exit codes: what scripts branch on. One list for all commands.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or allowed.
    Ok,
    /// It failed.
    Failure,
    /// It was asked for wrongly.
    Usage,
    /// The gate says no.
    Denied,
    /// The gate wants a human to say yes first.
    ApprovalPending,
    /// No key, a bad key, or a key that may not do this.
    NotAuthorised,
    /// There is no such thing.
    NotFound,
    /// It is in another state than the command needs.
    Conflict,
    /// No server answers.
    Unreachable,
    /// The record does not verify.
    Integrity,
    /// It could not be isolated or recorded, so nothing of it ran to an end.
    Isolation,
    /// As the command ended that was run.
    Command(u8),
}

impl Exit {
    /// The number the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::ApprovalPending => 4,
            Self::NotAuthorised => 5,
            Self::NotFound => 6,
            Self::Conflict => 7,
            Self::Unreachable => 8,
            Self::Integrity => 9,
            Self::Isolation => 125,
            Self::Command(code) => code,
        }
    }

    /// What an HTTP status that is not a success means for the caller of a command.
    ///
    /// A value that only the server could find wrong (400) is still the caller's usage.
    #[must_use]
    pub const fn from_status(status: u16) -> Self {
        match status {
            400 | 422 => Self::Usage,
            401 | 403 | 407 => Self::NotAuthorised,
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
            _ => Self::Failure,
        }
    }

    /// What the outcome of a decision means for the caller; `None` for a word that is not one.
    #[must_use]
    pub fn from_outcome(outcome: &str) -> Option<Self> {
        match model::Outcome::parse(outcome)? {
            model::Outcome::Allow => Some(Self::Ok),
            model::Outcome::RequireApproval => Some(Self::ApprovalPending),
            model::Outcome::Deny => Some(Self::Denied),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_map_to_the_published_codes() {
        let cases = [
            (400, 2),
            (422, 2),
            (401, 5),
            (403, 5),
            (404, 6),
            (405, 1),
            (409, 7),
            (413, 1),
            (429, 1),
            (500, 1),
            (503, 1),
        ];
        for (status, code) in cases {
            assert_eq!(Exit::from_status(status).code(), code, "{status}");
        }
    }

    #[test]
    fn outcomes_map_to_the_published_codes() {
        let code = |outcome| Exit::from_outcome(outcome).map(Exit::code);
        assert_eq!(code("allow"), Some(0));
        assert_eq!(code("deny"), Some(3));
        assert_eq!(code("require_approval"), Some(4));
        assert_eq!(code("perhaps"), None);
    }
}
