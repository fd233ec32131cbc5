//! The password in `scheme://user:password@host`.

use crate::hit::Hit;
use crate::rule::Seen;
use crate::template::is_reference;

// LIMIT: a user and password longer than this together are not seen.
const USERINFO_MAX: usize = 1024;

/// The password of the URL whose `://` is at `hit`.
pub(crate) fn find(hit: Hit<'_>) -> Option<Seen> {
    let outside = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>');
    let authority_end =
        hit.run_while(hit.end, USERINFO_MAX, |byte| !outside(byte) && !matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let authority = hit.slice(hit.end..authority_end);
    let start = hit.end + authority.iter().position(|byte| *byte == b':')? + 1;
    let end = match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => hit.end + at,
        // Not a port, so perhaps a password with an unescaped `/`, `?` or `#` in it. A colon ends
        // the search, so that the next URL is not read on behalf of this one.
        None if !is_port(hit.slice(start..authority_end)) => {
            let end = hit.run_while(start, USERINFO_MAX, |byte| !outside(byte) && !matches!(byte, b'@' | b':'));
            (hit.at(end) == Some(b'@')).then_some(end)?
        }
        None => return None,
    };
    (end > start && !is_reference(hit.slice(start..end))).then_some(Seen::Secret(start..end))
}

fn is_port(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}
