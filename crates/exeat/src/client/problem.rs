//! What the server refuses with (problem+json), as a failure with the next step.

use http::HeaderMap;
use serde_json::Value;

use super::Key;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::clean;

/// Turns a refusal into a failure. A body that is not problem+json gives one with the status alone.
pub(super) fn failure(status: u16, headers: &HeaderMap, body: &[u8], key: Option<&Key>) -> Failure {
    let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let member = |name: &str| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(clean);
    let code = member("error").unwrap_or_else(|| format!("http_{status}"));
    let title = member("title").unwrap_or_else(|| format!("the server answered with status {status}"));
    let field = member("field").map(|field| format!(" (`{field}`)")).unwrap_or_default();
    let mut failure = Failure::new(Exit::from_status(status), &code, format!("{title}{field}"));
    failure.why = member("detail").filter(|detail| *detail != title);
    failure.request_id = member("request_id").map(String::into_boxed_str);
    failure.next = next(&code, status, key.is_some(), headers);
    failure
}

/// What to do about a refusal, by its stable code and then by its status.
fn next(code: &str, status: u16, has_key: bool, headers: &HeaderMap) -> Option<String> {
    let text = match (code, status) {
        (_, 401) if has_key => {
            "the key was refused: check EXEAT_KEY or EXEAT_KEY_FILE, or make one with `exeat keys create --role operator`"
        }
        (_, 401) => {
            "no key was found: set EXEAT_KEY or EXEAT_KEY_FILE, or make one with `exeat keys create --role operator`"
        }
        ("self_approval", _) => "somebody else has to decide: `exeat keys create --role approver` makes them a key",
        ("identity_not_permitted", _) => "leave out who it is for, or use a key with role gateway",
        ("forbidden", _) => "use a key whose role may do this: `exeat keys create --role …`",
        ("approval_not_found", _) => "exeat approvals list",
        ("approval_already_decided", _) => "exeat approvals get ID   (shows who decided what)",
        ("token_not_found" | "parent_token_not_found", _) => "exeat capabilities list",
        ("agent_not_found", _) => "exeat agents list",
        ("room_not_found", _) => "exeat rooms list",
        ("run_not_found", _) => "exeat runs list",
        ("run_already_ended", _) => "exeat runs get ID   (shows how it ended)",
        ("decision_not_found", _) => "exeat egress list   (shows recent decisions)",
        ("unreviewed_would_blocks", _) => "exeat shadow report --open   (or repeat with --reason)",
        ("policy_version_mismatch", _) => "exeat policy diff active DIR, then publish again",
        ("policy_set_managed", _) => "edit the folder that the server watches, or repeat with --take-over",
        ("policy_version_not_found", _) => "exeat policy versions",
        ("event_log_failure", _) => "nothing was changed; see the server's log and `exeat status`",
        (_, 404) => "check the id, and the workspace with --workspace",
        (_, 429 | 503) => {
            let seconds = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            return Some(
                seconds.map_or_else(|| "try again in a moment".to_owned(), |s| format!("try again in {} s", clean(s))),
            );
        }
        (_, 500..) => "see the server's log for the request id",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Failure {
        failure(status, &HeaderMap::new(), body.as_bytes(), None)
    }

    #[test]
    fn a_problem_becomes_what_why_and_next() {
        let failure = told(
            403,
            r#"{"type":"/problems/self_approval","title":"You asked for this yourself","status":403,"detail":"principal p1 raised it","error":"self_approval","request_id":"r1"}"#,
        );
        assert_eq!(
            (failure.exit, failure.code.as_str(), failure.what.as_str()),
            (Exit::NotAuthorised, "self_approval", "You asked for this yourself")
        );
        assert_eq!(failure.why.as_deref(), Some("principal p1 raised it"));
        assert!(failure.next.unwrap().contains("approver"));
        assert_eq!(failure.request_id.as_deref(), Some("r1"));
    }

    #[test]
    fn a_field_is_named_and_a_foreign_body_is_survived() {
        assert_eq!(
            told(400, r#"{"title":"Invalid request","error":"invalid_request","field":"/limit"}"#).what,
            "Invalid request (`/limit`)"
        );
        let failure = told(502, "<html>bad gateway</html>");
        assert_eq!((failure.code.as_str(), failure.exit), ("http_502", Exit::Failure));
        assert_eq!(told(404, "[]").exit, Exit::NotFound);
    }

    #[test]
    fn waits_as_long_as_the_server_says() {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, http::HeaderValue::from_static("7"))]);
        assert_eq!(failure(503, &headers, b"{}", None).next.as_deref(), Some("try again in 7 s"));
    }

    #[test]
    fn a_refusal_cannot_steer_the_terminal() {
        let failure = told(400, "{\"title\":\"\\u001b[2Jgone\"}");
        assert!(!failure.to_text().contains('\u{1b}'));
    }
}
