//! Tells random strings from names, numbers, ids, digests and paths.

use crate::class::{ALNUM, Class, HEX, LOWER_HEX, URL_SAFE};

/// Crockford's base32 in upper case, which ULIDs are written in.
const CROCKFORD: Class = Class::of("ABCDEFGHJKMNPQRSTVWXYZ").range(b'0', b'9');

/// Least Shannon entropy of a random string, in bits per byte. Sixteen random letters and digits
/// have 3.7 on average; words of that length stay below 3.3.
const BITS_SHORT: f64 = 3.25;
/// As [`BITS_SHORT`], from [`LONG`] bytes on.
const BITS_LONG: f64 = 3.5;
/// As [`BITS_SHORT`], for hexadecimal, whose ceiling is four bits.
const BITS_HEX: f64 = 3.0;
const LONG: usize = 20;

/// Shannon entropy of the bytes of `value`, in bits per byte.
pub(crate) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = value.len() as f64;
    let term = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(term).sum()
}

/// Whether `value` is random enough to be a secret. Ids and words are not.
pub(crate) fn is_random(value: &[u8]) -> bool {
    let least = match value.len() {
        _ if is_hex(value) => BITS_HEX,
        length if length >= LONG => BITS_LONG,
        _ => BITS_SHORT,
    };
    is_mixed(value) && !is_id(value) && entropy(value) >= least
}

/// Whether letters and digits (or upper and lower case) alternate as in no word or name.
pub(crate) fn is_mixed(value: &[u8]) -> bool {
    let parts = || value.split(|byte| !ALNUM.has(*byte)).filter(|part| !part.is_empty());
    parts().any(|part| !is_word(part))
}

/// A run of letters and digits as people write them: `Token`, `v2`, `getUserById`, `sha256`.
///
/// Such a run has few chunks (a word, an abbreviation, a number); in a random one a new chunk
/// begins about every second byte.
fn is_word(part: &[u8]) -> bool {
    let pairs = part.iter().zip(part.iter().skip(1));
    let chunks = 1 + pairs.filter(|(a, b)| parts_chunks(**a, **b)).count();
    part.len() <= 5 || part.len() * 10 >= chunks * 34
}

fn parts_chunks(a: u8, b: u8) -> bool {
    a.is_ascii_digit() != b.is_ascii_digit() || (a.is_ascii_lowercase() && b.is_ascii_uppercase())
}

pub(crate) fn is_hex(value: &[u8]) -> bool {
    value.iter().all(|byte| HEX.has(*byte))
}

/// Whether `value` has the length and alphabet of an MD5, SHA-1 or SHA-2 digest.
pub(crate) fn is_digest(value: &[u8]) -> bool {
    matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128) && value.iter().all(|byte| LOWER_HEX.has(*byte))
}

/// Whether `value` is a UUID, a ULID or either behind a short prefix (`run_…`).
pub(crate) fn is_id(value: &[u8]) -> bool {
    let bare = match value.iter().position(|byte| *byte == b'_') {
        Some(at) if at <= 8 => value.get(at + 1..).unwrap_or_default(),
        _ => value,
    };
    is_uuid(bare) || is_ulid(bare) || (bare.len() < value.len() && bare.len() == 32 && is_hex(bare))
}

/// Eight, four, four, four and twelve hexadecimal digits with dashes between.
pub(crate) fn is_uuid(value: &[u8]) -> bool {
    let groups = value.split(|byte| *byte == b'-');
    value.len() == 36
        && value.iter().all(|byte| HEX.has(*byte) || *byte == b'-')
        && groups.map(<[u8]>::len).eq([8, 4, 4, 4, 12])
}

fn is_ulid(value: &[u8]) -> bool {
    let upper = value.iter().all(|byte| CROCKFORD.has(byte.to_ascii_uppercase()));
    let one_case = !(value.iter().any(u8::is_ascii_lowercase) && value.iter().any(u8::is_ascii_uppercase));
    value.len() == 26 && upper && one_case && value.first().is_some_and(|byte| (b'0'..=b'7').contains(byte))
}

/// Whether `value` reads as a path, a URL, a version, a digest with its algorithm or a resource
/// name: things that contain noise and are no secret.
pub(crate) fn is_locator(value: &[u8]) -> bool {
    const LABELS: [&[u8]; 10] =
        [b"sha1", b"sha256", b"sha384", b"sha512", b"md5", b"data:", b"arn:", b"urn:", b"vault:", b"file:"];
    let url = value.windows(3).any(|part| part == b"://");
    let drive = matches!(value, [_, b':', b'\\' | b'/', ..]);
    let labelled = LABELS.iter().any(|label| value.starts_with(label));
    let parts = || value.split(|byte| matches!(byte, b'/' | b'\\')).filter(|part| !part.is_empty());
    let words = parts().filter(|part| part.len() >= 2 && !is_mixed(part)).count();
    let noise = parts().any(|part| part.len() >= LONG && is_mixed(part) && !is_id(part));
    // A base64 secret may hold or begin with a slash, but words between slashes it has not.
    let rooted = matches!(value, [b'/' | b'.' | b'~' | b'\\', ..])
        && parts().nth(1).is_some()
        && parts().find(|part| part.len() > 2).is_some_and(|part| !is_mixed(part));
    let path = parts().nth(1).is_some() && words * 2 >= parts().count() && !noise;
    let host = value.iter().filter(|byte| **byte == b'.').count() >= 2
        && value.iter().all(|byte| URL_SAFE.has(*byte) || *byte == b'.' || *byte == b':')
        && value.split(|byte| *byte == b'.').all(|part| part.len() <= 24);
    url || drive || labelled || rooted || path || host
}
