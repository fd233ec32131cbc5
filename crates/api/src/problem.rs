//! Errors on the wire: `application/problem+json` (RFC 9457) with a stable `error` code.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;

use axum::body::Body;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// What a handler answers.
pub(crate) type Reply = Result<Response<Body>, Problem>;

/// What else an error says, by name.
type Members = Vec<(&'static str, Value)>;

/// An error as the caller sees it.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    field: Option<String>,
    retry_after_s: Option<u32>,
    allow: Option<Box<str>>,
    members: Option<Box<Members>>,
    /// For the log only.
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The body of an error answer.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// `/problems/<error>`: names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What was wrong with this request. Never a secret, never text of the database.
    detail: &'a str,
    /// The stable code, lower_snake.
    error: &'a str,
    /// The id of the request, as in the `x-request-id` header.
    request_id: &'a str,
    /// What is at fault: a JSON pointer into the body, or the name of a query parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// What else there is to say, by the kind of problem.
    #[serde(flatten)]
    #[schema(ignore)]
    members: BTreeMap<&'static str, &'a Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, field: None, retry_after_s: None, allow: None, members: None, source: None }
    }

    /// 400 `invalid_request` for one part of the request.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail).at(field)
    }

    /// The one answer to every bad credential.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "authentication_required", "a valid key is required")
    }

    pub(crate) fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(crate) fn not_found(code: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 404 of a path that is no route.
    pub(crate) fn no_route() -> Self {
        Self::not_found("not_found", "there is nothing at this path")
    }

    /// 405 naming what is allowed.
    pub(crate) fn wrong_method(allow: String) -> Self {
        let mut problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not know the method");
        problem.allow = Some(allow.into());
        problem
    }

    /// 500: a fault of ours.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the request failed by a fault of the server")
    }

    /// 503 that may pass.
    pub(crate) fn event_log(source: impl Error + Send + Sync + 'static) -> Self {
        let detail = "the event log cannot be reached or written; nothing is known to have changed";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "event_log_failure", detail);
        problem.retry_after_s = Some(1);
        problem.source = Some(Box::new(source));
        problem
    }

    pub(crate) fn with(mut self, members: Members) -> Self {
        self.members = (!members.is_empty()).then(|| Box::new(members));
        self
    }

    pub(crate) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Renders the answer, and logs it once when it is ours.
    pub(crate) fn render(self, request_id: &str) -> Response<Body> {
        if self.status.is_server_error() {
            let cause = self.source.as_deref().map(chain).unwrap_or_default();
            tracing::error!(request_id, status = self.status.as_u16(), code = self.code, cause, "request failed");
        }
        let body = ProblemBody {
            kind: format!("/problems/{}", self.code),
            title: title(self.code),
            status: self.status.as_u16(),
            detail: &self.detail,
            error: self.code,
            request_id,
            field: self.field.as_deref(),
            members: self.members.iter().flat_map(|some| some.iter()).map(|(name, value)| (*name, value)).collect(),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

/// The code as words.
fn title(code: &str) -> String {
    let mut words = code.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// An error and what caused it, on one line.
fn chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
