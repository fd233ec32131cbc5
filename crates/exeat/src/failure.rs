//! Why a command ended without doing its work: what, why, and the next command to try.

use serde_json::{Value, json};

use crate::exit::Exit;

/// A failed command, as it is told to a person or, with `--json`, to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// A stable lower_snake word: the server's `error` member, or one of the client's own.
    pub code: String,
    /// What went wrong, one line.
    pub what: String,
    /// Why, one line.
    pub why: Option<String>,
    /// What to do about it: a command wherever there is one.
    pub next: Option<String>,
    /// The server's id of the request, for finding it in the server's log.
    pub request_id: Option<Box<str>>,
}

impl Failure {
    /// A failure with its three necessary parts.
    #[must_use]
    pub fn new(exit: Exit, code: &str, what: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), what: what.into(), why: None, next: None, request_id: None }
    }

    /// The same with its reason.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The same with what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// A wrong argument that the argument parser could not see.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", what)
    }

    /// The lines for a person, without colour and without a last line end.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("error: {}", self.what);
        if let Some(why) = &self.why {
            text.push_str(&format!("\n  why:  {why}"));
        }
        if let Some(next) = &self.next {
            text.push_str(&format!("\n  next: {next}"));
        }
        if let Some(id) = &self.request_id {
            text.push_str(&format!("\n  request id: {id}"));
        }
        text
    }

    /// The one object for a program.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = json!({ "error": self.code, "message": self.what, "exit_code": self.exit.code() });
        for (name, value) in [
            ("detail", self.why.as_deref()),
            ("next", self.next.as_deref()),
            ("request_id", self.request_id.as_deref()),
        ] {
            if let (Some(value), Some(members)) = (value, object.as_object_mut()) {
                members.insert(name.to_owned(), Value::from(value));
            }
        }
        object
    }
}

/// The code of a failure that nobody is told: the reader of the output has seen enough.
const CLOSED_PIPE: &str = "closed_pipe";

impl Failure {
    /// Whether the reader closed the pipe, as `head` does. That is no failure.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        self.code == CLOSED_PIPE
    }
}

impl From<std::io::Error> for Failure {
    fn from(source: std::io::Error) -> Self {
        let code = if source.kind() == std::io::ErrorKind::BrokenPipe { CLOSED_PIPE } else { "io_failed" };
        Self::new(Exit::Failure, code, "reading or writing failed").why(source.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_why_and_next_in_both_forms() {
        let failure = Failure::new(Exit::NotFound, "approval_not_found", "no approval `appr_1`")
            .why("it does not exist in this workspace")
            .next("exeat approvals list");
        insta::assert_snapshot!(failure.to_text(), @r"
        error: no approval `appr_1`
          why:  it does not exist in this workspace
          next: exeat approvals list
        ");
        insta::assert_snapshot!(failure.to_json(), @r#"{"detail":"it does not exist in this workspace","error":"approval_not_found","exit_code":6,"message":"no approval `appr_1`","next":"exeat approvals list"}"#);
    }
}
