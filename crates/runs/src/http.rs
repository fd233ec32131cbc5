//! What `http.request` is asked to send, read strictly: a mistake in it is told, never guessed at.
//!
//! ```json
//! {"url": "https://api.example.com/v1/things", "method": "POST", "headers": {"accept": "application/json"},
//!  "json": {"name": "a"}, "timeout_s": 30, "max_bytes": 1048576, "follow_redirects": true,
//!  "idempotent": false, "fail_on_status": false}
//! ```
//!
//! The body is one of `body` (text), `json` (any value) and `body_base64`. Fields that the way out sets
//! itself cannot be given.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use model::TargetUrl;
use serde_json::Value;

use crate::machine::Failure;
use crate::plan::Tool;

/// LIMIT: the longest a request may take, redirects included.
const TIMEOUT_MAX: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(30);
/// LIMIT: how much of an answer is read.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
const BYTES: u64 = 4 * 1024 * 1024;
/// LIMIT: how many fields a request may name.
const FIELDS_MAX: usize = 64;
/// How often a redirect is followed.
pub(crate) const REDIRECTS_MAX: usize = 5;
/// What the way out sets, or what is between two hops only.
const RESERVED: [&str; 15] = [
    "connection",
    "content-length",
    "exeat-attempt",
    "expect",
    "forwarded",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct HttpRequest {
    pub(crate) target: TargetUrl,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How long it may take, redirects included.
    pub(crate) timeout: Duration,
    /// How much of the answer is read.
    pub(crate) bytes_max: u64,
    pub(crate) follow_redirects: bool,
    /// Whether sending it twice does no more than sending it once: the other side honours the key.
    pub(crate) idempotent: bool,
    /// Whether a status of 400 and above fails the tool.
    pub(crate) fail_on_status: bool,
}

/// What comes of a redirect.
#[derive(Debug)]
pub(crate) enum Redirect {
    /// There is none to follow.
    None,
    /// To be asked for and sent next.
    To(Box<HttpRequest>),
    /// It leads where it must not: a code and a sentence.
    Refused(&'static str, &'static str),
}

fn invalid(message: &str) -> Failure {
    Failure::coded("plan", "invalid_http_request", message, Tool::HttpRequest.name())
}

impl HttpRequest {
    /// Reads the tool's input.
    pub(crate) fn read(input: &Value) -> Result<Self, Failure> {
        let Some(members) = input.as_object() else {
            return Err(invalid("`http.request` takes an object with a `url`"));
        };
        let known = [
            "url",
            "method",
            "headers",
            "body",
            "json",
            "body_base64",
            "timeout_s",
            "max_bytes",
            "follow_redirects",
            "idempotent",
            "fail_on_status",
        ];
        if members.keys().any(|name| !known.contains(&name.as_str())) {
            return Err(invalid("The input of `http.request` has a member that it does not know"));
        }
        let url = members.get("url").and_then(Value::as_str).ok_or_else(|| invalid("`url` is missing"))?;
        let target = TargetUrl::parse(url).map_err(|e| invalid(&format!("`url`: {e}")))?;
        let method = match members.get("method") {
            None | Some(Value::Null) => Method::GET,
            Some(method) => read_method(method).ok_or_else(|| {
                invalid("`method` is a method such as GET or POST; CONNECT and TRACE are none that can be sent")
            })?,
        };
        let mut headers = match members.get("headers") {
            None | Some(Value::Null) => HeaderMap::new(),
            Some(fields) => read_headers(fields)?,
        };
        let body = read_body(members, &mut headers)?;
        let flag = |name: &str, default: bool| match members.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(invalid(&format!("`{name}` is true or false"))),
        };
        let timeout = match members.get("timeout_s") {
            None | Some(Value::Null) => TIMEOUT,
            Some(value) => {
                let seconds = value.as_f64().filter(|s| *s > 0.0 && *s <= TIMEOUT_MAX.as_secs_f64());
                Duration::from_secs_f64(seconds.ok_or_else(|| invalid("`timeout_s` is more than 0 and at most 300"))?)
            }
        };
        let bytes_max = match members.get("max_bytes") {
            None | Some(Value::Null) => BYTES,
            Some(value) => value
                .as_u64()
                .filter(|bytes| *bytes <= BYTES_MAX)
                .ok_or_else(|| invalid("`max_bytes` is a whole number of at most 67108864"))?,
        };
        Ok(Self {
            target,
            idempotent: flag("idempotent", false)?,
            follow_redirects: flag("follow_redirects", true)?,
            fail_on_status: flag("fail_on_status", false)?,
            method,
            headers,
            body,
            timeout,
            bytes_max,
        })
    }

    /// Whether sending it again after an attempt whose end nobody saw can do no harm.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.idempotent
            || [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].contains(&self.method)
    }

    /// Where an answer leads to.
    pub(crate) fn redirect(&self, status: u16, location: Option<&str>) -> Redirect {
        let (Some(location), true) = (location, [301, 302, 303, 307, 308].contains(&status)) else {
            return Redirect::None;
        };
        let Some(target) = self.target.join(location) else {
            return Redirect::Refused(
                "redirect_invalid",
                "The answer redirects to something that is no http or https URL",
            );
        };
        if self.target.scheme() == "https" && target.scheme() == "http" {
            return Redirect::Refused("redirect_downgrade", "The answer redirects from https to http");
        }
        let mut next = Self { target, ..self.clone() };
        let becomes_get = status == 303 || [301, 302].contains(&status) && self.method == Method::POST;
        if becomes_get && self.method != Method::HEAD {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.remove(header::CONTENT_TYPE);
            next.headers.remove(header::CONTENT_ENCODING);
        }
        let same =
            |a: &TargetUrl, b: &TargetUrl| (a.scheme(), a.domain(), a.port()) == (b.scheme(), b.domain(), b.port());
        if !same(&self.target, &next.target) {
            // What was meant for one origin is not another's.
            for name in [header::AUTHORIZATION, header::COOKIE, header::ORIGIN, header::REFERER] {
                next.headers.remove(name);
            }
        }
        Redirect::To(Box::new(next))
    }
}

fn read_method(value: &Value) -> Option<Method> {
    let text = value.as_str()?.trim().to_ascii_uppercase();
    let method = Method::from_bytes(text.as_bytes()).ok().filter(|method| method.as_str().len() <= 32)?;
    (method != Method::CONNECT && method != Method::TRACE).then_some(method)
}

fn read_headers(fields: &Value) -> Result<HeaderMap, Failure> {
    let fields = fields.as_object().ok_or_else(|| invalid("`headers` is an object of texts"))?;
    if fields.len() > FIELDS_MAX {
        return Err(invalid("`headers` has more than 64 members"));
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid("`headers` has a name that is no field name"))?;
        if RESERVED.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            return Err(invalid("`headers` names a field that the way out sets itself"));
        }
        let text = value.as_str().ok_or_else(|| invalid("`headers` is an object of texts"))?;
        let value =
            HeaderValue::from_str(text).map_err(|_| invalid("`headers` has a value with control characters"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn read_body(members: &serde_json::Map<String, Value>, headers: &mut HeaderMap) -> Result<Bytes, Failure> {
    let given = |name: &str| members.get(name).filter(|value| name == "json" || !value.is_null());
    match (given("body"), given("json"), given("body_base64")) {
        (None, None, None) => Ok(Bytes::new()),
        (Some(body), None, None) => {
            let text = body.as_str().ok_or_else(|| invalid("`body` is a text; for other values there is `json`"))?;
            Ok(Bytes::copy_from_slice(text.as_bytes()))
        }
        (None, Some(value), None) => {
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Ok(Bytes::from(value.to_string()))
        }
        (None, None, Some(body)) => {
            let text = body.as_str().ok_or_else(|| invalid("`body_base64` is a text"))?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim());
            bytes.map(Bytes::from).map_err(|_| invalid("`body_base64` is not base64"))
        }
        _ => Err(invalid("only one of `body`, `json` and `body_base64` can be given")),
    }
}

#[cfg(test)]
mod tests;
