//! Which integers a double holds exactly.

/// From here on a double may come from an integer literal that was too wide for 64 bits.
pub(super) const WIDE: f64 = 9_223_372_036_854_775_808.0;

/// Whether a double holds the integer exactly: its first and last set bit are at most 53 apart.
pub(super) fn is_exact(value: u64) -> bool {
    value == 0 || 64 - value.leading_zeros() - value.trailing_zeros() <= f64::MANTISSA_DIGITS
}

/// The ordinal, from 0, of the first number in a JSON text that is written as an integer of 19
/// digits or more and is not exactly a double. The text must be valid JSON.
pub(super) fn first_inexact(json: &[u8]) -> Option<usize> {
    let mut ordinal = 0;
    let mut rest = json;
    while let Some((&first, after)) = rest.split_first() {
        match first {
            b'"' => rest = after_string(after),
            b'-' | b'0'..=b'9' => {
                let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.iter().position(|b| !is_part(b)).unwrap_or(rest.len());
                let (literal, after) = rest.split_at(length);
                if !is_exact_literal(literal) {
                    return Some(ordinal);
                }
                ordinal += 1;
                rest = after;
            }
            _ => rest = after,
        }
    }
    None
}

/// What follows the string whose opening quote has been read.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'"' => break,
            b'\\' => rest = rest.get(1..).unwrap_or_default(),
            _ => {}
        }
    }
    rest
}

fn is_exact_literal(literal: &[u8]) -> bool {
    let digits = literal.strip_prefix(b"-").unwrap_or(literal);
    if digits.len() < 19 || digits.iter().any(|b| !b.is_ascii_digit()) {
        return true;
    }
    // Rust prints a double without fraction in all its digits, however many.
    std::str::from_utf8(digits).is_ok_and(|text| text.parse::<f64>().is_ok_and(|double| format!("{double:.0}") == text))
}
