//! A refusal as problem+json (RFC 9457), for programs.

use serde::Serialize;

use super::Refusal;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    error: &'a str,
    reason_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<&'a str>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Refusal {
    /// What kind of no it is, in a few words.
    pub(super) fn title(&self) -> &'static str {
        match self.status {
            _ if self.record.as_ref().is_some_and(|record| record.approval_id.is_some()) => "Approval required",
            403 => "Blocked by exeat",
            407 => "Proxy authentication required",
            408 => "Request timeout",
            429 => "Too many requests",
            502 => "Not reached",
            503 => "Cannot be recorded",
            504 => "No answer in time",
            _ => "Refused as ambiguous or malformed",
        }
    }

    /// The body for programs.
    pub(in crate::proxy) fn problem(&self) -> Vec<u8> {
        let id = self.record.as_ref().map(|record| record.id.as_str());
        let body = Body {
            kind: format!("/problems/{}", self.code),
            title: self.title(),
            status: self.status,
            detail: &self.detail,
            error: self.code,
            reason_code: self.code,
            decision_id: id,
            approval_id: self.record.as_ref().and_then(|record| record.approval_id.as_ref()).map(|id| id.as_str()),
            retryable: self.retryable,
            next: self.next.as_deref(),
            why: id.map(|id| format!("exeat why {id}")),
        };
        // Texts and numbers only: it always has a form in JSON.
        let mut bytes = serde_json::to_vec(&body).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}
