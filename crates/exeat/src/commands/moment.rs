//! Moments on the command line: an RFC 3339 time, or a span counted from now.

use model::Time;

use crate::duration;
use crate::output::now;

/// A moment in the past: `10m` is ten minutes ago.
pub(super) fn past(text: &str) -> Result<String, String> {
    read(text, |span| now().minus(span))
}

/// A moment in the future: `10m` is in ten minutes.
pub(super) fn future(text: &str) -> Result<String, String> {
    read(text, |span| now().plus(span))
}

fn read(text: &str, from_now: impl FnOnce(std::time::Duration) -> Time) -> Result<String, String> {
    match (duration::parse(text), Time::parse(text)) {
        (Ok(span), _) => Ok(from_now(span).to_string()),
        (_, Ok(at)) => Ok(at.to_string()),
        _ => Err("expected a span such as `10m`, or a time such as `2026-01-02T03:04:05Z`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_from_now_and_times_stand() {
        let (ago, then) = (past("10m").unwrap(), future("10m").unwrap());
        let at = |text: &str| Time::parse(text).unwrap().as_millis();
        assert!((at(&then) - at(&ago) - 1_200_000).abs() < 5_000, "{ago} {then}");
        assert_eq!(past("2026-01-02T04:04:05+01:00").unwrap(), "2026-01-02T03:04:05.000Z");
        assert!(past("yesterday").is_err());
    }
}
