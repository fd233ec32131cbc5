//! PEM and PGP private key blocks, whole or cut off.

use crate::class::{BASE64, Class};
use crate::hit::Hit;
use crate::rule::Seen;

const DASHES: &[u8] = b"-----";
const LABEL: Class = Class::of(" ").range(b'A', b'Z').range(b'0', b'9');
/// Fewer bytes of base64 than this are a mention of a key, not a key.
const BODY_MIN: usize = 16;
// LIMIT: a block with more header lines is not seen. Bounded, as a mention is read once per mention.
const HEADER_LINES: usize = 8;

/// The block that begins with the dashes at `hit`.
///
/// A block without its end line goes as far as its body looks like one.
pub(crate) fn find(hit: Hit<'_>) -> Option<Seen> {
    let label_end = hit.run(hit.end, LABEL, 64);
    let label = hit.slice(hit.end..label_end);
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    (private && hit.starts_with(label_end, DASHES)).then_some(())?;
    let body = label_end + DASHES.len();
    let (content, found) = body_end(hit, body);
    let end = close(hit, content).unwrap_or(content);
    found.then_some(Seen::Secret(hit.start..end))
}

/// Where the body ends, and whether it held key material.
fn body_end(hit: Hit<'_>, from: usize) -> (usize, bool) {
    let mut end = from;
    let mut found = false;
    let mut at = from;
    let mut header_lines = 0;
    loop {
        at = skip_breaks(hit, at);
        let word = hit.run(at, BASE64, usize::MAX);
        if word == at {
            return (if close(hit, at).is_some() { at } else { end }, found);
        }
        // `Proc-Type: 4,ENCRYPTED` and its like stand before the material.
        if !found && matches!(hit.at(word), Some(b':' | b'-')) && !hit.starts_with(word, DASHES) {
            header_lines += 1;
            if header_lines > HEADER_LINES {
                return (end, false);
            }
            at = hit.run_while(word, 256, |byte| !matches!(byte, b'\n' | b'\\'));
            continue;
        }
        let long = word - at >= BODY_MIN;
        let closed = close(hit, skip_breaks(hit, word)).is_some();
        // A short word is the last line of a body; after a blank, it is prose again.
        let prose = hit.before(at) == Some(b' ') && !closed;
        if !long && (!found || prose) {
            return (end, found);
        }
        found = true;
        end = word;
        at = word;
        if !long && !closed {
            return (end, found);
        }
    }
}

/// Blanks and line breaks, also as the escapes `\n` and `\r` of a quoted string.
fn skip_breaks(hit: Hit<'_>, from: usize) -> usize {
    let mut at = from;
    loop {
        match hit.at(at) {
            Some(byte) if byte.is_ascii_whitespace() => at += 1,
            Some(b'\\') if matches!(hit.at(at + 1), Some(b'n' | b'r' | b'\\')) => at += 2,
            _ => return at,
        }
    }
}

/// The index behind the end line that begins at `at`.
fn close(hit: Hit<'_>, at: usize) -> Option<usize> {
    hit.starts_with(at, b"-----END ").then_some(())?;
    let label = hit.run(at + 9, LABEL, 64);
    Some(if hit.starts_with(label, DASHES) { label + DASHES.len() } else { label })
}
