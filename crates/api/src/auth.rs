//! The credential of a request: exactly one `Authorization: Bearer …` header, and nowhere else.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// LIMIT: longer texts are no credentials. The longest is a capability token with many caveats.
const CHARS_MAX: usize = "Bearer ".len() + model::capability::TOKEN_BYTES_MAX;

/// The text after `Bearer `. The scheme's name ignores case, as RFC 9110 demands.
pub(crate) fn credential(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let only = all.next()?;
    if all.next().is_some() || only.len() > CHARS_MAX {
        return None;
    }
    let (scheme, credential) = only.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

/// The workspace named: the first `x-workspace-id`. What is not text names no workspace that could
/// exist, which the gate refuses after it has looked at the key.
pub(crate) fn workspace(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-workspace-id").map(|value| value.to_str().unwrap_or("*"))
}
