//! Spans of time as people write them: `90s`, `10m`, `2h`, `30d`, `1h30m`.

use std::time::Duration;

/// The longest span that is taken: 100 years. Beyond it a number is a slip, not a wish.
const LONGEST_S: u64 = 100 * 365 * 86_400;

/// Why a text is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a span of time such as `90s`, `10m`, `2h`, `30d` or `1h30m`")]
pub struct InvalidDuration(String);

/// Reads a span: one or more whole numbers, each with a unit (`ms`, `s`, `m`, `h`, `d`, `w`).
///
/// A number without a unit is refused, since seconds and minutes are both likely guesses.
///
/// # Errors
/// [`InvalidDuration`] when it is anything else, or longer than 100 years.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(text.chars().take(40).collect());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = number.parse().map_err(|_| invalid())?;
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(invalid()),
        };
        let part = Duration::from_millis(number.checked_mul(unit_ms).ok_or_else(invalid)?);
        total = total.checked_add(part).ok_or_else(invalid)?;
        rest = tail.trim_start();
    }
    if total > Duration::from_secs(LONGEST_S) { Err(invalid()) } else { Ok(total) }
}

/// Writes a span with its largest unit and, below a day, at most one more: `45s`, `10m`, `1h30m`, `12d`.
#[must_use]
pub fn show(span: Duration) -> String {
    let s = span.as_secs();
    let two = |large: u64, l: &str, small: u64, sm: &str| {
        if small == 0 { format!("{large}{l}") } else { format!("{large}{l}{small}{sm}") }
    };
    match s {
        0 => format!("{}ms", span.as_millis()),
        1..60 => format!("{s}s"),
        60..3_600 => two(s / 60, "m", s % 60, "s"),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "m"),
        _ => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("250ms", 250),
            ("90s", 90_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("30d", 2_592_000_000),
            ("1w", 604_800_000),
            ("1h30m", 5_400_000),
            (" 1h 30m ", 5_400_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            " ",
            "10",
            "m",
            "10 minutes",
            "-5m",
            "1.5h",
            "10x",
            "99999999999999999999d",
            "18446744073709551615w",
            "36501d",
            "10M",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn writes_the_largest_units() {
        for (seconds, text) in
            [(0, "0ms"), (45, "45s"), (600, "10m"), (61, "1m1s"), (5_400, "1h30m"), (86_400 * 12 + 5, "12d")]
        {
            assert_eq!(show(Duration::from_secs(seconds)), text);
        }
    }
}
