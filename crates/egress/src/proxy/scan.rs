//! Credentials that are seen leaving: in the URL and the fields of a plain request before it is decided, in
//! its body while it goes up. One that goes to its home is nobody's business.
//!
//! Of a body nothing of a credential leaves where that is enforced: what may be the beginning of one is kept
//! back until the next bytes say. In shadow everything goes, and the outcome says what was seen.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use redact::credential::is_home;
use redact::stream::{Exposure, Stream, in_header_value, scan};

/// Why an execution ended, or what it is noted with.
pub(super) const CODE: &str = "dlp_secret_detected";

/// Which kinds of credentials are at home where.
#[derive(Clone)]
pub(crate) struct Homes(Arc<[(String, String)]>);

impl Homes {
    pub(crate) fn new(named: &[(String, String)]) -> Self {
        Self(named.into())
    }

    /// The first of `found` that is not at home at `host`.
    pub(crate) fn stray(&self, host: &str, found: &[Exposure]) -> Option<&'static str> {
        if found.is_empty() {
            return None;
        }
        let extra: Vec<(&str, &str)> = self.0.iter().map(|(kind, host)| (kind.as_str(), host.as_str())).collect();
        found.iter().map(|exposure| exposure.kind).find(|kind| !is_home(kind, host, &extra))
    }

    /// The kinds of credentials in a URL and the values of fields that are not at home at `host`. `room` is
    /// only for use in here.
    pub(crate) fn strays<'a>(
        &self,
        host: &str,
        url: &str,
        fields: impl Iterator<Item = (&'a str, &'a [u8])>,
        room: &mut Vec<u8>,
    ) -> Vec<&'static str> {
        room.clear();
        room.extend_from_slice(url.as_bytes());
        let mut found = Vec::new();
        for (name, value) in fields {
            // No credential contains a line end.
            room.push(b'\n');
            room.extend_from_slice(value);
            if name.eq_ignore_ascii_case("authorization") {
                found.extend(self.stray(host, &in_header_value(value)));
            }
        }
        found.extend(self.stray(host, &scan(room)));
        found.dedup();
        found
    }
}

/// Looks at one body on its way up.
pub(super) struct BodyScan {
    stream: Stream,
    homes: Homes,
    host: Box<str>,
    enforced: bool,
    held: BytesMut,
    /// Whether a credential that is not at home was seen.
    pub(super) found: bool,
}

/// A credential was seen where none may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray;

impl BodyScan {
    /// Looks at a body for `host`; what is found ends it where that is `enforced`.
    pub(super) fn new(homes: Homes, host: &str, enforced: bool) -> Self {
        Self { stream: Stream::new(), homes, host: host.into(), enforced, held: BytesMut::new(), found: false }
    }

    /// What of a piece may go now, with what was kept back before.
    pub(super) fn pass(&mut self, piece: Bytes) -> Result<Bytes, Stray> {
        let found = self.stream.push(&piece);
        self.judge(&found)?;
        if !self.enforced {
            return Ok(piece);
        }
        let keep = self.stream.held();
        if keep == 0 && self.held.is_empty() {
            return Ok(piece);
        }
        self.held.extend_from_slice(&piece);
        let free = self.held.len().saturating_sub(keep);
        Ok(self.held.split_to(free).freeze())
    }

    /// What is left at the end of the body.
    pub(super) fn finish(&mut self) -> Result<Bytes, Stray> {
        let found = std::mem::take(&mut self.stream).finish();
        self.judge(&found)?;
        Ok(self.held.split().freeze())
    }

    fn judge(&mut self, found: &[Exposure]) -> Result<(), Stray> {
        self.found |= self.homes.stray(&self.host, found).is_some();
        if self.found && self.enforced { Err(Stray) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> String {
        format!("ghp_{}", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5")
    }

    fn body(host: &str, enforced: bool, text: &str, size: usize) -> (Vec<u8>, Result<(), Stray>, bool) {
        let mut scan = BodyScan::new(Homes::new(&[]), host, enforced);
        let mut sent = Vec::new();
        let mut result = Ok(());
        for piece in text.as_bytes().chunks(size) {
            match scan.pass(Bytes::copy_from_slice(piece)) {
                Ok(bytes) => sent.extend_from_slice(&bytes),
                Err(stray) => {
                    result = Err(stray);
                    break;
                }
            }
        }
        if result.is_ok() {
            match scan.finish() {
                Ok(bytes) => sent.extend_from_slice(&bytes),
                Err(stray) => result = Err(stray),
            }
        }
        (sent, result, scan.found)
    }

    #[test]
    fn a_body_passes_whole_but_for_a_credential_that_is_not_at_home() {
        let text = format!("{{\"a\":\"{}\",\"b\":\"{}\"}}", "x".repeat(300), token());
        for size in [1, 7, 64, 4096] {
            let (sent, result, _) = body("api.github.com", true, &text, size);
            assert_eq!((result, sent == text.as_bytes()), (Ok(()), true), "at home, {size}");
            let (sent, result, found) = body("evil.test", false, &text, size);
            assert_eq!((result, sent == text.as_bytes(), found), (Ok(()), true, true), "shadow, {size}");
            let (sent, result, _) = body("evil.test", true, &text, size);
            assert_eq!(result, Err(Stray), "{size}");
            let sent = String::from_utf8(sent).unwrap();
            assert!(!sent.contains(&token()[..12]), "{size}: {sent}");
        }
    }

    #[test]
    fn urls_and_fields_are_looked_at() {
        let homes = Homes::new(&[("*".to_owned(), "mirror.test".to_owned())]);
        let secret = token();
        let basic = {
            use base64::Engine as _;
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("x:{secret}")))
        };
        for (host, url, field, value, want) in [
            ("evil.test", format!("http://evil.test/?t={secret}"), "accept", "*/*", 1),
            ("evil.test", "http://evil.test/".to_owned(), "x-any", secret.as_str(), 1),
            ("evil.test", "http://evil.test/".to_owned(), "Authorization", basic.as_str(), 1),
            ("api.github.com", "http://api.github.com/".to_owned(), "Authorization", basic.as_str(), 0),
            ("mirror.test", format!("http://mirror.test/?t={secret}"), "accept", "*/*", 0),
            ("evil.test", "http://evil.test/".to_owned(), "x-any", "plain", 0),
        ] {
            let fields = [(field, value.as_bytes())];
            let found = homes.strays(host, &url, fields.into_iter(), &mut Vec::new());
            assert_eq!(found.len(), want, "{host} {url} {field}");
        }
    }
}
