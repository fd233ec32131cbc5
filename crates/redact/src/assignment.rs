//! Suspicion: a keyword, an assignment, and something that looks random.
//!
//! Precision comes before recall here, as the known shapes have their own rules: the name must not
//! say that the value is public (`public_key`, `token_id`), and the value must be no id, digest,
//! path, version, sample or expression.

use std::ops::Range;

use crate::class::{ALNUM, Class, URL_SAFE};
use crate::hit::Hit;
use crate::randomness::{is_digest, is_hex, is_id, is_locator, is_random};
use crate::rule::Seen;
use crate::template::is_sample;

/// The words that wake this rule, in lower case.
pub(crate) const KEYWORDS: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "key", "credential"];

/// Shortest and longest value looked at, in bytes.
const VALUE: Range<usize> = 16..4097;
/// How much of a name is read on either side of the keyword, in bytes.
const NAME_SIDE: usize = 28;

const UNQUOTED: Class = ALNUM.and("_-./+~!@#$%^*");

/// First words of a name's remainder that make the value public: `token_count`, `keyId`.
const PUBLIC_TAILS: [&str; 45] = [
    "id",
    "ids",
    "name",
    "names",
    "type",
    "types",
    "count",
    "counts",
    "url",
    "uri",
    "endpoint",
    "path",
    "file",
    "arn",
    "size",
    "length",
    "len",
    "fingerprint",
    "digest",
    "expires",
    "expiry",
    "expiration",
    "ttl",
    "version",
    "prefix",
    "suffix",
    "ref",
    "limit",
    "index",
    "field",
    "format",
    "alg",
    "algorithm",
    "usage",
    "policy",
    "hint",
    "label",
    "store",
    "ring",
    "frame",
    "pattern",
    "regex",
    "hash",
    "sha256",
    "checksum",
];

/// Last words of a name before the keyword that make the value public: `public_key`.
const PUBLIC_HEADS: [&str; 36] = [
    "public",
    "pub",
    "primary",
    "foreign",
    "cache",
    "partition",
    "sort",
    "idempotency",
    "page",
    "next",
    "prev",
    "previous",
    "continuation",
    "cursor",
    "sync",
    "routing",
    "object",
    "dedup",
    "group",
    "index",
    "map",
    "row",
    "hash",
    "lookup",
    "unique",
    "composite",
    "shard",
    "range",
    "host",
    "known",
    "trusted",
    "site",
    "verifying",
    "verification",
    "resume",
    "change",
];

/// Words that may stand glued before `key`: `apikey`.
const GLUED_HEADS: [&str; 9] =
    ["api", "access", "auth", "secret", "private", "signing", "encryption", "master", "account"];

/// The value assigned to the name around the keyword at `hit`, if it looks like a secret.
pub(crate) fn find(hit: Hit<'_>) -> Option<Seen> {
    let name = hit.run_back(hit.start, URL_SAFE, NAME_SIDE)..hit.run(hit.end, URL_SAFE, NAME_SIDE);
    let weak = hit.literal().len() == 3;
    let head = hit.slice(name.start..hit.start);
    let tail = hit.slice(hit.end..name.end);
    // Most keywords stand in prose, so the operator is looked for before the name is judged.
    let value = assigned(hit, name.end, tail)?;
    if !head_fits(head, hit.literal(), weak) || !tail_fits(tail) {
        return None;
    }
    let bytes = hit.slice(value.clone());
    is_secret_value(bytes, weak).then_some(Seen::Secret(value))
}

/// Whether `value`, assigned to a secret-sounding name, is a secret. `weak` is for a name that
/// says no more than `key`.
fn is_secret_value(value: &[u8], weak: bool) -> bool {
    let public = is_id(value) || is_locator(value) || is_sample(value) || (weak && is_digest(value));
    let random = is_random(value) || (!weak && value.len() >= 32 && is_hex(value));
    VALUE.contains(&value.len()) && value.is_ascii() && !public && random
}

fn head_fits(head: &[u8], keyword: &[u8], weak: bool) -> bool {
    let camel = keyword.first().is_some_and(u8::is_ascii_uppercase)
        && head.last().is_some_and(|byte| !byte.is_ascii_uppercase());
    let apart = camel || head.last().is_none_or(|byte| !ALNUM.has(*byte));
    let glued = GLUED_HEADS.iter().any(|word| ends_with(head, word));
    let public = PUBLIC_HEADS.iter().any(|word| ends_with(trim_separator(head), word));
    (apart || glued || !weak) && !public
}

fn tail_fits(tail: &[u8]) -> bool {
    let tail = match tail {
        [b's' | b'S', rest @ ..] => rest,
        _ => tail,
    };
    let Some(first) = tail.first() else {
        return true;
    };
    if first.is_ascii_lowercase() {
        return false;
    }
    // A word ends at a separator, or where camel case turns to upper case again.
    let bare = tail.get(usize::from(matches!(first, b'_' | b'-'))..).unwrap_or_default();
    let rest = bare.get(1..).unwrap_or_default();
    let ends = |byte: &u8| matches!(byte, b'_' | b'-') || (byte.is_ascii_uppercase() && !bare.is_empty());
    let shouting = bare.iter().all(|byte| !byte.is_ascii_lowercase());
    let length = match shouting {
        true => bare.iter().position(|byte| matches!(byte, b'_' | b'-')),
        false => rest.iter().position(ends).map(|at| at + 1),
    };
    let word = bare.get(..length.unwrap_or(bare.len())).unwrap_or_default();
    !PUBLIC_TAILS.iter().any(|public| word.eq_ignore_ascii_case(public.as_bytes()))
}

fn trim_separator(head: &[u8]) -> &[u8] {
    match head {
        [rest @ .., b'_' | b'-'] => rest,
        _ => head,
    }
}

fn ends_with(head: &[u8], word: &str) -> bool {
    let at = head.len().checked_sub(word.len());
    at.and_then(|at| head.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
}

/// The value behind the operator that follows the name, also behind a type (`key: String = …`).
fn assigned(hit: Hit<'_>, name_end: usize, tail: &[u8]) -> Option<Range<usize>> {
    let closed = hit.run(name_end, CLOSERS, 3);
    let mut at = hit.run(closed, BLANK, 8);
    // `--token value` is an assignment although nothing but a blank says so.
    let flag = tail.is_empty() && at > closed && is_flag(hit);
    let after = operator(hit, at, closed > name_end);
    at = after.or(flag.then_some(at))?;
    let value = value_at(hit, at)?;
    let typed = value.end - value.start < VALUE.start;
    if !typed {
        return Some(value);
    }
    let next = hit.run(value.end, BLANK, 4);
    (hit.at(next) == Some(b'=')).then_some(())?;
    value_at(hit, next + 1)
}

const CLOSERS: Class = Class::of("\"'`])\\");
const BLANK: Class = Class::of(" \t");
const OPERATOR: Class = Class::of("=:>|?");

fn is_flag(hit: Hit<'_>) -> bool {
    let start = hit.run_back(hit.start, URL_SAFE, NAME_SIDE);
    hit.starts_with(start, b"--")
}

/// The index behind an operator at `at`; a comma counts between quoted arguments only.
fn operator(hit: Hit<'_>, at: usize, quoted: bool) -> Option<usize> {
    match hit.at(at)? {
        b',' if quoted => Some(at + 1),
        b'-' if hit.at(at + 1) == Some(b'>') => Some(at + 2),
        byte if OPERATOR.has(byte) => Some(hit.run(at, OPERATOR, 3)),
        _ => None,
    }
}

/// The value that begins at `at` or behind blanks and an opening quote.
fn value_at(hit: Hit<'_>, at: usize) -> Option<Range<usize>> {
    let at = hit.run(at, BLANK, 8);
    let open = hit.run(at, Class::of("\\"), 3);
    if let Some(quote @ (b'"' | b'\'' | b'`')) = hit.at(open) {
        let start = open + 1;
        let stops = |byte: u8| byte == quote || byte == b'\\' || byte.is_ascii_whitespace();
        let end = hit.run_while(start, VALUE.end, |byte| !stops(byte));
        let closed = hit.at(end).is_none_or(|byte| byte == quote || byte == b'\\');
        return closed.then_some(start..end);
    }
    let body = hit.run(at, UNQUOTED, VALUE.end);
    let mut end = hit.run(body, Class::of("="), 2);
    // What goes on with a bracket or a colon is an expression or a path, not a value; a closing
    // tag ends one.
    let goes_on = matches!(hit.at(end), Some(b'(' | b'[' | b'{' | b'<' | b':' | b'\\'));
    if goes_on && !hit.starts_with(end, b"</") && !hit.starts_with(end, b"\\n") {
        return None;
    }
    while end > at && matches!(hit.before(end), Some(b'.' | b'!')) {
        end -= 1;
    }
    Some(at..end)
}
