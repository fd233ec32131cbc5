//! What another exeat answered instead of a tunnel: kept as it is, to be passed on.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Its fields that are passed on.
const KEPT: [&str; 6] =
    ["proxy-status", "exeat-decision", "exeat-approval", "retry-after", "content-type", "cache-control"];

/// An answer that is no tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub phrase: Box<str>,
    /// The fields that say something about the decision.
    pub fields: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Decided {
    /// Keeps of an answer what is passed on. `None` when it is not one of exeat's.
    pub(crate) fn of(status: u16, phrase: &str, fields: &HeaderMap, body: Bytes) -> Option<Self> {
        fields.get("proxy-status").filter(|value| value.as_bytes().starts_with(b"exeat"))?;
        let kept = KEPT.into_iter().filter_map(|name| {
            let name = HeaderName::from_static(name);
            fields.get(&name).map(|value| (name, value.clone()))
        });
        Some(Self { status, phrase: phrase.into(), fields: kept.collect(), body })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(|value: &HeaderValue| value.to_str().ok())
    }

    /// The recorded decision.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.text("exeat-decision")
    }

    /// The approval that is asked for, while it is.
    #[must_use]
    pub fn approval(&self) -> Option<&str> {
        self.text("exeat-approval")
    }

    /// The stable code of the reason, out of `Proxy-Status`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        let (_, details) = self.text("proxy-status")?.split_once("details=\"")?;
        details.split([' ', '"']).next().filter(|code| !code.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_exeat_says_what_was_decided() {
        let mut fields = HeaderMap::new();
        fields.insert("exeat-decision", HeaderValue::from_static("egr_1"));
        fields.insert("set-cookie", HeaderValue::from_static("a=b"));
        assert_eq!(Decided::of(403, "Forbidden", &fields, Bytes::new()), None, "of somebody else");
        fields.insert(
            "proxy-status",
            HeaderValue::from_static("exeat; error=http_request_denied; details=\"policy_denies egr_1\""),
        );
        let decided = Decided::of(403, "Blocked by exeat egr_1", &fields, Bytes::from_static(b"{}")).unwrap();
        assert_eq!((decided.id(), decided.code(), decided.approval()), (Some("egr_1"), Some("policy_denies"), None));
        assert!(!decided.fields.contains_key("set-cookie"));
    }
}
