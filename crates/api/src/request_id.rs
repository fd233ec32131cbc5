//! The id of a request: the caller's own when it is a plain one, else a new one.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) static HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// LIMIT: characters of an id that a caller chose.
const CHARS_MAX: usize = 128;

/// Reads `x-request-id` (1 to 128 visible ASCII characters), or makes an id.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(&HEADER).and_then(|value| value.to_str().ok()).filter(|text| is_plain(text));
    match given {
        Some(text) => text.to_owned(),
        None => format!("req_{}", uuid::Uuid::now_v7().simple()),
    }
}

/// Puts the id on an answer.
pub(crate) fn put(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(HEADER.clone(), value);
    }
}

/// Reads a `traceparent` of version 00 (W3C Trace Context), lower-case hex as the standard demands.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let hex = |part: Option<&str>, chars: usize| {
        part.is_some_and(|p| p.len() == chars && p.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    };
    let good = parts.next() == Some("00")
        && hex(parts.next(), 32)
        && hex(parts.next(), 16)
        && hex(parts.next(), 2)
        && parts.next().is_none();
    good.then_some(text)
}

fn is_plain(text: &str) -> bool {
    (1..=CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_plain_ids_and_replaces_others() {
        for (given, kept) in [("abc-1", true), ("", false), ("a b", false), ("é", false), (&"x".repeat(129), false)] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER.clone(), HeaderValue::from_bytes(given.as_bytes()).unwrap());
            assert_eq!(of(&headers) == given, kept, "{given}");
            assert!(is_plain(&of(&headers)));
        }
        assert!(of(&HeaderMap::new()).starts_with("req_"));
    }

    #[test]
    fn reads_trace_parents_of_version_00() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let upper = good.to_ascii_uppercase();
        for (text, read) in [(good, true), ("00-x", false), (upper.as_str(), false), ("", false)] {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_str(text).unwrap());
            assert_eq!(traceparent(&headers).is_some(), read, "{text}");
        }
    }
}
