//! One request past the door: who calls, what they sent, and how it is answered.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams};
use gate::policies::Expect;
use gate::{Answered, Caller, Gate};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use model::{PrincipalId, Role};
use runs::Runs;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use store::{IdempotencyKey, Store};

use crate::api::Api;
use crate::body;
use crate::problem::{Problem, Reply};
use crate::query::Query;
use crate::routes::Route;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// LIMIT: characters of an idempotency key.
const KEY_CHARS_MAX: usize = 255;

/// An authenticated and entitled request.
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) caller: Arc<Caller>,
    route: &'static Route,
    parts: Parts,
    /// Locked never: it only makes this shareable between threads.
    body: Mutex<Body>,
    /// The one parameter of the path, decoded; none where it is not UTF-8.
    parameter: Option<String>,
}

impl Call {
    pub(crate) async fn new(
        api: Api,
        caller: Arc<Caller>,
        route: &'static Route,
        mut parts: Parts,
        body: Body,
    ) -> Self {
        let mut parameter = None;
        if route.path.contains('{')
            && let Ok(parameters) = RawPathParams::from_request_parts(&mut parts, &()).await
        {
            parameter = parameters.iter().next().map(|(_, value)| value.to_owned());
        }
        Self { api, caller, route, parts, body: Mutex::new(body), parameter }
    }

    pub(crate) fn gate(&self) -> &Gate {
        self.api.gate()
    }

    pub(crate) fn runs(&self) -> &Runs {
        self.api.runs()
    }

    pub(crate) fn store(&self) -> &Store {
        self.api.gate().store()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn query(&self) -> Result<Query<'_>, Problem> {
        Query::parse(self.parts.uri.query())
    }

    /// The path's parameter as text; empty, which is no id, where it is not UTF-8.
    pub(crate) fn parameter(&self) -> &str {
        self.parameter.as_deref().unwrap_or_default()
    }

    /// The path's id. Text that is no id names nothing, as an id that is not there.
    pub(crate) fn id<T: TryFrom<String>>(&self) -> Option<T> {
        self.parameter.clone().and_then(|text| T::try_from(text).ok())
    }

    /// Whether the caller may see what `owner` asked for: an agent sees its own only.
    pub(crate) fn sees(&self, owner: Option<&PrincipalId>) -> bool {
        self.caller.role != Role::Agent || owner == Some(&self.caller.principal_id)
    }

    /// The body of a request that must have one.
    pub(crate) async fn body<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let bytes = self.bytes().await?;
        body::check_type(&self.parts.headers)?;
        body::parse(&bytes)
    }

    /// The body of a request that carries a whole policy set.
    pub(crate) async fn policy_body<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let bytes = self.bytes_up_to(body::POLICY_BYTES_MAX).await?;
        body::check_type(&self.parts.headers)?;
        body::parse(&bytes)
    }

    /// Which version the caller expects to replace: `If-Match`, one tag or `*`.
    pub(crate) fn expected_version(&self) -> Result<Expect, Problem> {
        let mut given = self.parts.headers.get_all(IF_MATCH).iter();
        let Some(value) = given.next() else { return Ok(Expect::Nothing) };
        let text = value.to_str().ok().map(str::trim).filter(|_| given.next().is_none());
        let number = |text: &str| {
            // A tag of ours; quotes are easily lost on a command line.
            let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
            bare.bytes().all(|b| b.is_ascii_digit()).then(|| bare.parse().ok()).flatten()
        };
        match text {
            Some("*") => Ok(Expect::Any),
            Some(text) => number(text).map(Expect::Version).ok_or_else(|| {
                Problem::invalid("if-match", "one version is wanted, as the `etag` of /v1/policies has it")
            }),
            None => Err(Problem::invalid("if-match", "one version is wanted")),
        }
    }

    /// The body of a request that may come without: nothing at all counts as `{}`.
    pub(crate) async fn optional_body<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() {
            return body::parse(b"{}");
        }
        body::check_type(&self.parts.headers)?;
        body::parse(&bytes)
    }

    /// The body of a request that creates, and its idempotency key when it has one.
    pub(crate) async fn creation<T: DeserializeOwned>(&mut self) -> Result<(T, Option<IdempotencyKey>), Problem> {
        let bytes = self.bytes().await?;
        body::check_type(&self.parts.headers)?;
        let once = self.once(&bytes)?;
        Ok((body::parse(&bytes)?, once))
    }

    /// Reads past the body of a request that needs none. An object is let through, as clients send one.
    pub(crate) async fn no_body(&mut self) -> Result<(), Problem> {
        self.optional_body::<serde_json::Map<String, serde_json::Value>>().await.map(|_| ())
    }

    async fn bytes(&mut self) -> Result<bytes::Bytes, Problem> {
        self.bytes_up_to(body::BYTES_MAX).await
    }

    async fn bytes_up_to(&mut self, bytes_max: usize) -> Result<bytes::Bytes, Problem> {
        let body = std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner));
        body::read(&self.parts.headers, body, bytes_max).await
    }

    fn once(&self, body: &[u8]) -> Result<Option<IdempotencyKey>, Problem> {
        let mut given = self.parts.headers.get_all(&IDEMPOTENCY_KEY).iter();
        let Some(value) = given.next() else { return Ok(None) };
        let plain = value
            .to_str()
            .ok()
            .filter(|text| (1..=KEY_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()));
        let (Some(key), None) = (plain, given.next()) else {
            return Err(Problem::invalid("idempotency-key", "one key of 1 to 255 visible ASCII characters is wanted"));
        };
        Ok(Some(IdempotencyKey {
            workspace_id: self.caller.workspace_id.clone(),
            key_id: self.caller.key_id.clone(),
            route: format!("{} {}", self.route.method, self.route.path),
            key: key.to_owned(),
            body_digest: data_encoding::HEXLOWER.encode(&Sha256::digest(body)),
        }))
    }
}

/// 200 with `value` as JSON.
pub(crate) fn ok<T: Serialize>(value: &T) -> Reply {
    json(StatusCode::OK, value)
}

/// 200 with `value` as JSON, and the version it is.
pub(crate) fn ok_version<T: Serialize>(value: &T, version: u64) -> Reply {
    let mut response = json(StatusCode::OK, value)?;
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// 201, marked when it is the first answer again.
pub(crate) fn created<T: Serialize>(answer: &Answered<T>) -> Reply {
    answered(StatusCode::CREATED, answer)
}

/// Any status, marked when it is the first answer again.
pub(crate) fn answered<T: Serialize>(status: StatusCode, answer: &Answered<T>) -> Reply {
    let mut response = json(status, &answer.value)?;
    if answer.replayed {
        response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Any status with `value` as JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Reply {
    let bytes = serde_json::to_vec(value).map_err(|_| Problem::internal())?;
    Ok(with_type(status, "application/json", bytes))
}

/// Any body of a fixed type.
pub(crate) fn with_type(status: StatusCode, kind: &'static str, bytes: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
