//! Header values, with the one encoding in which tokens usually travel undone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Exposure, scan};

/// Scans a header value, and behind `Basic` also what it decodes to: `git` and `docker` send their
/// tokens as a password there.
///
/// What is found inside the encoded part has the offset of that part.
#[must_use]
pub fn in_header_value(value: &[u8]) -> Vec<Exposure> {
    let mut found = scan(value);
    let Some((offset, encoded)) = basic(value) else { return found };
    if let Ok(decoded) = STANDARD.decode(encoded) {
        found.extend(scan(&decoded).into_iter().map(|inside| Exposure { offset, ..inside }));
    }
    found
}

/// What follows `Basic` in any letter case, and where.
fn basic(value: &[u8]) -> Option<(u64, &[u8])> {
    let lead = value.len() - value.trim_ascii_start().len();
    let (scheme, rest) = value.trim_ascii_start().split_at_checked(6)?;
    let encoded = rest.trim_ascii_start();
    scheme.eq_ignore_ascii_case(b"basic ").then_some(())?;
    Some(((lead + 6 + rest.len() - encoded.len()) as u64, encoded.trim_ascii_end()))
}
