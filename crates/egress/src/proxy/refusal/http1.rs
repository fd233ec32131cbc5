//! A refusal as an answer of HTTP/1, and its fields for HTTP/2.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PROXY_AUTHENTICATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::http::Head;

use super::Refusal;
use super::page::prefers_page;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const DECISION: HeaderName = HeaderName::from_static("exeat-decision");
const APPROVAL: HeaderName = HeaderName::from_static("exeat-approval");

/// In which form the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Form {
    Problem,
    Page,
}

impl Form {
    /// What the sender of a head would rather read.
    pub(in crate::proxy) fn for_head(head: &Head) -> Self {
        Self::by(head.values("accept"))
    }

    /// What the sender of these `Accept` values would rather read.
    pub(in crate::proxy) fn by<'a>(accept: impl Iterator<Item = &'a [u8]>) -> Self {
        if prefers_page(accept) { Self::Page } else { Self::Problem }
    }
}

impl Refusal {
    /// Its body and type.
    pub(in crate::proxy) fn body(&self, form: Form) -> (Bytes, &'static str) {
        if let Some(decided) = &self.decided {
            return (decided.body.clone(), "application/problem+json");
        }
        match form {
            Form::Problem => (self.problem().into(), "application/problem+json"),
            Form::Page => (self.page().into(), "text/html; charset=utf-8"),
        }
    }

    /// Its fields, without those that frame the body.
    pub(in crate::proxy) fn fields(&self, content_type: &'static str) -> HeaderMap {
        if let Some(decided) = &self.decided {
            return decided.fields.clone();
        }
        let mut fields = HeaderMap::with_capacity(8);
        let mut put = |name: HeaderName, value: &str| {
            // Ids and codes only: always a value.
            if let Ok(value) = HeaderValue::from_str(value) {
                fields.insert(name, value);
            }
        };
        put(PROXY_STATUS, &self.proxy_status());
        if let Some(record) = &self.record {
            put(DECISION, record.id.as_str());
            if let Some(approval) = &record.approval_id {
                put(APPROVAL, approval.as_str());
            }
        }
        if let Some(seconds) = self.retry_after_s {
            put(RETRY_AFTER, &seconds.to_string());
        }
        if self.challenge {
            put(PROXY_AUTHENTICATE, "Basic realm=\"exeat\"");
        }
        put(CONTENT_TYPE, content_type);
        put(CACHE_CONTROL, "no-store");
        fields
    }

    /// The whole answer. `head_only` leaves the body out, as HEAD wants it.
    pub(in crate::proxy) fn answer_http1(&self, form: Form, keep: bool, head_only: bool) -> Bytes {
        let (body, content_type) = self.body(form);
        let mut out = BytesMut::with_capacity(512 + body.len());
        out.put_slice(b"HTTP/1.1 ");
        out.put_slice(self.status.to_string().as_bytes());
        out.put_u8(b' ');
        out.put_slice(self.phrase().as_bytes());
        out.put_slice(b"\r\n");
        for (name, value) in &self.fields(content_type) {
            out.put_slice(name.as_str().as_bytes());
            out.put_slice(b": ");
            out.put_slice(value.as_bytes());
            out.put_slice(b"\r\n");
        }
        out.put_slice(b"content-length: ");
        out.put_slice(body.len().to_string().as_bytes());
        out.put_slice(if keep { b"\r\nconnection: keep-alive\r\n\r\n" } else { b"\r\nconnection: close\r\n\r\n" });
        if !head_only {
            out.put_slice(&body);
        }
        out.freeze()
    }
}
