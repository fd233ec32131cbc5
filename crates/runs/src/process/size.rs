//! Sizes and times as the tools file writes them: `2GiB`, `60s`.

use std::time::Duration;

/// A number of bytes: a whole number with `B`, `KiB`, `MiB` or `GiB`. `None` for anything else, and for none.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = parts(text)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}

/// A time: a whole number with `ms`, `s`, `m` or `h`. `None` for anything else, and for none.
pub(super) fn span(text: &str) -> Option<Duration> {
    let (number, unit) = parts(text)?;
    let factor: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(factor).filter(|ms| *ms > 0).map(Duration::from_millis)
}

fn parts(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit() {
        for (text, want) in [
            ("2GiB", Some(2 << 30)),
            ("512 MiB", Some(512 << 20)),
            ("1B", Some(1)),
            ("0MiB", None),
            ("2GB", None),
            ("2", None),
            ("-1KiB", None),
            ("99999999999999999999GiB", None),
            ("18446744073709551615KiB", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), want, "{text}");
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        for (text, want) in [
            ("60s", Some(60_000)),
            ("5 m", Some(300_000)),
            ("250ms", Some(250)),
            ("0s", None),
            ("1d", None),
            ("1", None),
        ] {
            assert_eq!(span(text), want.map(Duration::from_millis), "{text}");
        }
    }
}
