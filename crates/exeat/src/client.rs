//! The client of a running server: one connection per request, the key in a header, the answer as
//! JSON or as a [`Failure`] with the next step.
//!
//! Proxy variables are ignored on purpose: the key goes to the server that was named and to nobody
//! else. A creating request carries an `Idempotency-Key`, so a repeat by a person's up-arrow is the
//! only way to do it twice. Nothing is retried here.

mod connection;
mod dev_file;
mod key;
mod problem;
mod sse;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;

pub use dev_file::{DevFile, InvalidDevFile};
pub use key::{Credentials, Key};
pub use sse::{EventStream, Message};

use crate::exit::Exit;
use crate::failure::Failure;

/// The largest answer that is read.
// LIMIT: 64 MiB; a page of a list is far below.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Speaks to one server with one key.
#[derive(Debug, Clone)]
pub struct Client {
    base: url::Url,
    workspace: Option<String>,
    key: Option<Key>,
    timeout: Duration,
}

/// Parameters of a query; those without a value are left out.
pub type Query<'a> = &'a [(&'a str, Option<String>)];

impl Client {
    /// A client for what [`Credentials`] found.
    ///
    /// # Errors
    /// An address that is not one.
    pub fn new(credentials: Credentials, timeout: Duration) -> Result<Self, Failure> {
        let Credentials { url, workspace, key } = credentials;
        let base = url::Url::parse(&url).map_err(|error| {
            Failure::usage(format!("`{url}` is not the address of a server")).why(error.to_string())
        })?;
        Ok(Self { base, workspace, key, timeout })
    }

    /// The server's address.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Reads something.
    ///
    /// # Errors
    /// Whatever the server refuses with, or that it does not answer.
    pub async fn get(&self, path: &[&str], query: Query<'_>) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, path, query, None, None)?).await
    }

    /// Changes something, or asks; repeating it is harmless.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::POST, path, &[], Some(body), None)?).await
    }

    /// Creates something, under a fresh idempotency key.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn create(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        let once = uuid::Uuid::new_v4().to_string();
        self.json(self.request(Method::POST, path, &[], Some(body), Some(&once))?).await
    }

    /// Sets something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::PUT, path, &[], Some(body), None)?).await
    }

    /// Sets something that must still be at `version`; 0 = that must not be there yet.
    ///
    /// # Errors
    /// As [`Client::get`]; `policy_version_mismatch` when somebody was faster.
    pub async fn put_at(&self, path: &[&str], body: &Value, version: u64) -> Result<Value, Failure> {
        let mut request = self.request(Method::PUT, path, &[], Some(body), None)?;
        request.headers_mut().insert(http::header::IF_MATCH, header(&format!("\"{version}\""))?);
        self.json(request).await
    }

    /// Removes something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        self.json(self.request(Method::DELETE, path, &[], None, None)?).await
    }

    /// Whether a route answers with success; what it says does not matter. For probes, which may
    /// answer in plain text.
    ///
    /// # Errors
    /// The server does not answer at all.
    pub async fn answers_well(&self, path: &[&str]) -> Result<bool, Failure> {
        let request = self.request(Method::GET, path, &[], None, None)?;
        Ok(self.within(self.send(request)).await?.status().is_success())
    }

    /// Opens a stream of events, after `last_event_id` when there is one.
    ///
    /// The time limit covers the answer's head, not the stream.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn stream(
        &self,
        path: &[&str],
        query: Query<'_>,
        last_event_id: Option<&str>,
    ) -> Result<EventStream, Failure> {
        let mut request = self.request(Method::GET, path, query, None, None)?;
        request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event_id {
            request.headers_mut().insert("last-event-id", header(id)?);
        }
        let answer = self.within(self.send(request)).await?;
        if answer.status().is_success() {
            return Ok(EventStream::new(answer.into_body()));
        }
        self.within(self.read(answer)).await.and(Err(Failure::new(
            Exit::Failure,
            "unexpected_answer",
            "the server did not open a stream",
        )))
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: Query<'_>,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let url = self.url(path, query)?;
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::USER_AGENT, concat!("exeat/", env!("CARGO_PKG_VERSION")))
            .header("x-request-id", format!("cli_{}", uuid::Uuid::new_v4().simple()));
        if let Some(key) = &self.key {
            request = request.header(http::header::AUTHORIZATION, key.header()?);
        }
        if let Some(workspace) = &self.workspace {
            request = request.header("x-workspace-id", header(workspace)?);
        }
        if let Some(once) = once {
            request = request.header("idempotency-key", once);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(http::header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request
            .body(Full::new(bytes))
            .map_err(|error| Failure::usage("the request cannot be written down").why(error.to_string()))
    }

    /// The address of a route. Each part of the path is escaped, so an id cannot leave its place.
    fn url(&self, path: &[&str], query: Query<'_>) -> Result<url::Url, Failure> {
        let mut url = self.base.clone();
        if path.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(Failure::usage("an id must not be empty or made of dots"));
        }
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().extend(path);
            }
            Err(()) => return Err(Failure::usage(format!("`{}` is not the address of a server", self.base))),
        }
        let set: Vec<(&str, &str)> =
            query.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        if !set.is_empty() {
            url.query_pairs_mut().extend_pairs(set);
        }
        Ok(url)
    }

    async fn json(&self, request: Request<Full<Bytes>>) -> Result<Value, Failure> {
        self.within(async { self.read(self.send(request).await?).await }).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        connection::send(&self.base, request).await.map_err(|error| self.unreachable(&error.to_string()))
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<Value, Failure> {
        let (head, body) = answer.into_parts();
        let bytes = Limited::new(body, ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| self.unreachable(&format!("the answer broke off: {error}")))?
            .to_bytes();
        if !head.status.is_success() {
            return Err(problem::failure(head.status.as_u16(), &head.headers, &bytes, self.key.as_ref()));
        }
        serde_json::from_slice(&bytes).map_err(|_| {
            Failure::new(
                Exit::Failure,
                "unexpected_answer",
                format!("{} answered with something that is not JSON", self.base()),
            )
            .why("another program may be listening there")
            .next("check --server or EXEAT_URL")
        })
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(done) => done,
            Err(_) => Err(self.unreachable(&format!("no answer within {}", crate::duration::show(self.timeout)))),
        }
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::new(Exit::Unreachable, "server_unreachable", format!("no exeat server answers at {}", self.base()))
            .why(why)
            .next("start one with `exeat dev`, or name another with --server or EXEAT_URL")
    }
}

fn header(text: &str) -> Result<http::HeaderValue, Failure> {
    http::HeaderValue::from_str(text)
        .map_err(|_| Failure::usage(format!("`{}` cannot be sent in a header", crate::output::clean(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Client {
        Client::new(Credentials { url: url.to_owned(), workspace: None, key: None }, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_the_path() {
        let url = client("http://h/base")
            .url(&["v1", "approvals", "a/../b?x#y"], &[("limit", Some("1 0".to_owned())), ("cursor", None)])
            .unwrap();
        assert_eq!(url.as_str(), "http://h/base/v1/approvals/a%2F..%2Fb%3Fx%23y?limit=1+0");
        for id in ["", ".", ".."] {
            assert!(client("http://h").url(&["v1", "approvals", id], &[]).is_err(), "{id}");
        }
    }
}
