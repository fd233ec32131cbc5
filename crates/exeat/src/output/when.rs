//! Times for people: "3 min ago" on a terminal, the exact moment elsewhere.

use model::Time;

use super::clean;

/// How times are shown.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// As they are.
    Absolute,
    /// As a distance from this moment.
    Relative(Time),
}

impl Clock {
    /// Distances from now.
    #[must_use]
    pub fn relative() -> Self {
        Self::Relative(now())
    }

    /// Shows an RFC 3339 time; another text as it is.
    #[must_use]
    pub fn show(self, text: &str) -> String {
        match (self, Time::parse(text)) {
            (Self::Relative(now), Ok(at)) => distance(now, at),
            _ => clean(text),
        }
    }
}

/// The moment it is.
#[must_use]
pub(crate) fn now() -> Time {
    Time::from_millis(jiff::Timestamp::now().as_millisecond())
}

fn distance(now: Time, at: Time) -> String {
    let seconds = now.as_millis().saturating_sub(at.as_millis()) / 1_000;
    let amount = |seconds: i64| match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    };
    match seconds {
        0 => "now".to_owned(),
        ..0 => format!("in {}", amount(-seconds)),
        _ => format!("{} ago", amount(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_distance() {
        let now = Time::parse("2026-01-02T00:00:00Z").unwrap();
        let cases = [
            ("2026-01-02T00:00:00.400Z", "now"),
            ("2026-01-01T23:59:15Z", "45 s ago"),
            ("2026-01-01T23:50:00Z", "10 min ago"),
            ("2026-01-02T02:00:00Z", "in 2 h"),
            ("2025-12-01T00:00:00Z", "32 d ago"),
            ("soon\u{1b}", "soon\\u{1b}"),
        ];
        for (text, shown) in cases {
            assert_eq!(Clock::Relative(now).show(text), shown);
        }
        assert_eq!(Clock::Absolute.show("2025-12-01T00:00:00Z"), "2025-12-01T00:00:00Z");
    }
}
