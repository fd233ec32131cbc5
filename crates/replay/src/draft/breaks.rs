//! When a verdict may change although the facts do not: the ends of rules, and hours of the week.

use model::Time;
use rules::PolicySet;
use rules::hours::minute_of_week;

/// The moments at which rules begin or cease to match.
#[derive(Debug)]
pub(super) enum Breaks {
    /// Any moment may be one.
    Unknown,
    /// These.
    At {
        /// Ends of rules, in milliseconds, sorted.
        untils: Vec<i64>,
        /// Minutes of the week, sorted.
        minutes: Vec<u16>,
    },
}

impl Breaks {
    pub(super) fn of(set: &PolicySet) -> Self {
        let mut untils: Vec<i64> = set.rules.iter().filter_map(|rule| rule.until).map(Time::as_millis).collect();
        let hours = set.rules.iter().filter_map(|rule| rule.hours.as_ref());
        let mut minutes: Vec<u16> =
            hours.flat_map(|hours| hours.ranges()).flat_map(|(from, to)| [*from, *to]).collect();
        untils.sort_unstable();
        untils.dedup();
        minutes.sort_unstable();
        minutes.dedup();
        Self::At { untils, minutes }
    }

    /// The number of the stretch of time in which `at` lies.
    pub(super) fn stretch(&self, at: i64) -> u64 {
        match self {
            Self::Unknown => u64::from_ne_bytes(at.to_ne_bytes()),
            Self::At { untils, minutes } => {
                let ended = untils.partition_point(|until| *until <= at) as u64;
                let hour = if minutes.is_empty() {
                    0
                } else {
                    let minute = minute_of_week(Time::from_millis(at));
                    minutes.partition_point(|from| *from <= minute) as u64
                };
                ended << 16 | hour
            }
        }
    }
}
