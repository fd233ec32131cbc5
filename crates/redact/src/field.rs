//! Secret names inside text: `"password": "…"` in quoted JSON, `?token=…` in a query or form.
//!
//! The same names as for members of a JSON value, and as there the value goes whatever it looks
//! like; only references such as `${TOKEN}` stay readable.

use std::ops::Range;

use crate::class::{Class, URL_SAFE};
use crate::hit::Hit;
use crate::names::is_secret;
use crate::rule::Seen;
use crate::template::is_reference;

/// A piece of every secret name.
pub(crate) const PIECES: &[&str] = &["password", "passwd", "secret", "token", "key", "authorization", "cookie"];

const NAME_SIDE: usize = 24;
const SPACE: Class = Class::of(" \t\r\n");

/// The value of the secret-named field that the piece at `hit` belongs to.
pub(crate) fn find(hit: Hit<'_>) -> Option<Seen> {
    let mut name = hit.run_back(hit.start, URL_SAFE, NAME_SIDE)..hit.run(hit.end, URL_SAFE, NAME_SIDE);
    let flag = hit.starts_with(name.start, b"--");
    name.start += if flag { 2 } else { 0 };
    is_secret(hit.slice(name.clone())).then_some(())?;
    let value = match hit.before(name.start) {
        Some(quote @ (b'"' | b'\'')) => quoted(hit, &name, quote),
        Some(b'?' | b'&' | b';') => plain(hit, name.end),
        Some(b'-') if flag => plain(hit, name.end),
        None => plain(hit, name.end).filter(|value| hit.at(value.end) == Some(b'&')),
        _ => None,
    }?;
    Some(match is_reference(hit.slice(value.clone())) {
        true => Seen::Decoy(value),
        false => Seen::Secret(value),
    })
}

/// `name=value`, until something that ends a field.
fn plain(hit: Hit<'_>, name_end: usize) -> Option<Range<usize>> {
    (hit.at(name_end) == Some(b'=')).then_some(())?;
    let start = name_end + 1;
    let end = hit.run_while(start, usize::MAX, |byte| {
        !matches!(byte, b'&' | b';' | b'"' | b'\'' | b'`' | b'#' | b'\\') && !byte.is_ascii_whitespace()
    });
    (end > start).then_some(start..end)
}

/// `"name": "value"`, also with every quote escaped, and `"name": 12345`.
fn quoted(hit: Hit<'_>, name: &Range<usize>, quote: u8) -> Option<Range<usize>> {
    let escapes = |until: usize| until - hit.run_back(until, Class::of("\\"), 8);
    let depth = escapes(name.start - 1);
    let closing = name.end + depth;
    (hit.at(closing) == Some(quote)).then_some(())?;
    let colon = hit.run(closing + 1, SPACE, 16);
    (hit.at(colon) == Some(b':')).then_some(())?;
    let at = hit.run(colon + 1, SPACE, 64);
    let opening = at + depth;
    if hit.at(opening) != Some(quote) {
        let end = hit.run(at, Class::of("+-.").range(b'0', b'9'), 64);
        return (end > at).then_some(at..end);
    }
    let start = opening + 1;
    let mut from = start;
    loop {
        let end = hit.run_while(from, usize::MAX, |byte| byte != quote);
        // A quote with more escapes than the opening one belongs to the value.
        if hit.at(end) == Some(quote) && escapes(end) > depth {
            from = end + 1;
            continue;
        }
        let end = if hit.at(end) == Some(quote) { end - escapes(end).min(depth) } else { end };
        return (end > start).then_some(start..end);
    }
}
