//! Credentials in header lines: what follows `Bearer` and `Basic`, `Cookie: …`, `X-Api-Key: …`.

use crate::class::{Class, URL_SAFE};
use crate::hit::Hit;
use crate::rule::Seen;
use crate::template::is_reference;

/// The schemes whose credentials are replaced whatever they look like.
pub(crate) const SCHEMES: &[&str] = &["bearer", "basic"];
/// The names of header lines this module knows.
pub(crate) const HEADERS: &[&str] = &["authorization", "cookie", "x-api-key"];

const BLANK: Class = Class::of(" \t");
/// How much of a value is looked at to judge it, in bytes. A value that is then replaced is
/// replaced whole, however long.
const HEAD: usize = 256;

/// What follows `Bearer` or `Basic`: the next token, whatever its entropy.
///
/// Written in another letter case (`basic`), where prose is likely, the token must hold a digit or
/// padding, or an `authorization` must stand before it.
pub(crate) fn find_scheme(hit: Hit<'_>) -> Option<Seen> {
    hit.opens(hit.start, URL_SAFE).then_some(())?;
    let start = separated(hit)?;
    let head = hit.slice(start..hit.run_while(start, HEAD, |byte| !ends_token(byte)));
    // `Bearer Bearer x` is two schemes and one token, which the second scheme finds.
    if SCHEMES.iter().any(|scheme| head.eq_ignore_ascii_case(scheme.as_bytes())) {
        return None;
    }
    let canonical = matches!(hit.literal(), b"Bearer" | b"Basic");
    if !canonical && !is_credential(head) && !follows_authorization(hit) {
        return None;
    }
    let token = hit.slice(start..hit.run_while(start, usize::MAX, |byte| !ends_token(byte)));
    Some(Seen::Secret(start..start + trim_closing(token).len()))
}

/// The index behind the blanks, colon or `%20` that part scheme and token.
fn separated(hit: Hit<'_>) -> Option<usize> {
    if hit.starts_with(hit.end, b"%20") {
        return Some(hit.end + 3);
    }
    let at = hit.run(hit.end, Class::of(" \t:="), 64);
    (at > hit.end).then_some(at)
}

fn ends_token(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

/// `token` without the punctuation of the sentence or list around it.
fn trim_closing(mut token: &[u8]) -> &[u8] {
    let opened = token.contains(&b'[');
    while let [rest @ .., last] = token {
        let closes = matches!(last, b',' | b';' | b'.' | b')' | b'}' | b'>');
        if !closes && (*last != b']' || opened) {
            break;
        }
        token = rest;
    }
    token
}

fn is_credential(token: &[u8]) -> bool {
    let digit = token.iter().any(u8::is_ascii_digit);
    let padded = token.ends_with(b"=");
    token.len() >= 6 && (digit || padded)
}

fn follows_authorization(hit: Hit<'_>) -> bool {
    let lead = hit.slice(hit.start.saturating_sub(20)..hit.start);
    lead.windows(13).any(|part| part.eq_ignore_ascii_case(b"authorization"))
}

/// The value of a header line in text: the rest of the line, or up to the quote that ends it.
pub(crate) fn find_line(hit: Hit<'_>) -> Option<Seen> {
    (hit.at(hit.end) == Some(b':')).then_some(())?;
    let start = hit.run(hit.end + 1, BLANK, 8);
    let head = hit.slice(start..hit.run_while(start, HEAD, |byte| !ends_line(byte)));
    let fits = match hit.literal().len() {
        6 => is_cookie(head),
        9 => is_lone_token(head),
        _ => is_authorization(head) || is_lone_token(head),
    };
    fits.then(|| Seen::Secret(start..hit.run_while(start, usize::MAX, |byte| !ends_line(byte))))
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b'"' | b'\'' | b'`' | b'\\')
}

/// `name=value` without a blank or colon before the equals sign.
fn is_cookie(value: &[u8]) -> bool {
    let name = value.iter().take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'=' | b':' | b'$')).count();
    name > 0 && value.get(name) == Some(&b'=') && value.len() > name + 1
}

fn is_lone_token(value: &[u8]) -> bool {
    let token = value.trim_ascii();
    token.len() >= 8
        && token.iter().all(u8::is_ascii_graphic)
        && token.iter().any(u8::is_ascii_digit)
        && !is_reference(token)
}

/// A scheme other than `Bearer` and `Basic`, which have a rule of their own, and its credentials.
fn is_authorization(value: &[u8]) -> bool {
    const OTHERS: [&str; 10] =
        ["digest", "negotiate", "ntlm", "token", "apikey", "oauth", "hawk", "ssws", "genie-key", "aws4-hmac-sha256"];
    let mut words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let scheme = words.next().unwrap_or_default();
    let known = OTHERS.iter().any(|other| scheme.eq_ignore_ascii_case(other.as_bytes()));
    known && words.next().is_some_and(|token| !is_reference(token))
}
