//! Values that only stand for a secret: placeholders, variables, samples.

use crate::class::{Class, UPPER_NUM};

/// The bytes of environment variable names.
const SHOUTING: Class = UPPER_NUM.and("_");

/// Words that no random token contains by chance, in lower case.
const SURE: [&[u8]; 8] =
    [b"example", b"placeholder", b"redacted", b"changeme", b"xxxxxx", b"******", b"......", b"______"];

/// Words that mark a sample where nothing else speaks for a secret.
const LIKELY: [&[u8]; 16] = [
    b"your",
    b"xxxx",
    b"****",
    b"....",
    b"dummy",
    b"sample",
    b"replace",
    b"insert",
    b"todo",
    b"fixme",
    b"secret",
    b"password",
    b"change-me",
    b"change_me",
    b"test-",
    b"0000000",
];

/// Whether a token of a known shape is a made-up one, as documentation prints them.
pub(crate) fn is_dummy(token: &[u8]) -> bool {
    holds_any(token, &SURE) || ends_repeating(token)
}

/// Whether `value` is no secret but a reference to one (`${NAME}`, `<name>`, `{{ name }}`,
/// `%(name)s`), a row of stars or the marker. Everything else may be a password.
pub(crate) fn is_reference(value: &[u8]) -> bool {
    match value {
        [] | [b'$', b'{' | b'(', ..] | [b'{', b'{', ..] | [b'%', b'(', ..] => true,
        [b'<', .., b'>'] | [b'%', .., b'%'] => true,
        [b'$', name @ ..] => name.iter().all(|byte| SHOUTING.has(*byte)),
        [first @ (b'x' | b'X' | b'*' | b'.' | b'-' | b'_' | b'#'), _, _, ..] => value.iter().all(|byte| byte == first),
        _ => value == crate::scanner::MARKER.as_bytes(),
    }
}

/// Whether an assigned value is too likely a sample to be called a secret on suspicion.
pub(crate) fn is_sample(value: &[u8]) -> bool {
    is_reference(value) || is_dummy(value) || holds_any(value, &LIKELY)
}

/// Three quarters or more of the second half are one and the same byte.
fn ends_repeating(value: &[u8]) -> bool {
    let half = value.get(value.len() / 2..).unwrap_or_default();
    let Some(last) = half.last() else { return true };
    let same = half.iter().filter(|byte| *byte == last).count();
    same * 4 >= half.len() * 3
}

fn holds_any(value: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}
