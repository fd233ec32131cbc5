//! Times of the week, in UTC: `mon-fri 08:00-18:00`.

use std::fmt;

use model::Time;

/// Minutes in a week; minute 0 is Monday 00:00 UTC.
pub const WEEK: u16 = 7 * DAY;
const DAY: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Some minutes of the week: ranges with an open end, sorted, not touching, not empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hours(Vec<(u16, u16)>);

impl Hours {
    /// Reads one or several times: days (`mon`, `mon-fri`, `sat,sun`, or none for every day), then
    /// `HH:MM-HH:MM` (or none for the whole day). A time that ends before it begins ends on the next day.
    ///
    /// # Errors
    /// What cannot be read, in words.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut ranges = Vec::new();
        for text in texts {
            let text = text.trim().to_ascii_lowercase();
            let (days, times) = match text.split_once(' ') {
                Some((days, times)) => (Some(days), Some(times.trim())),
                None if text.contains(':') => (None, Some(text.as_str())),
                None => (Some(text.as_str()), None),
            };
            let days = days.map_or_else(|| Ok((0..7).collect()), each_day)?;
            let (from, to) = times.map_or(Ok((0, DAY)), from_to)?;
            for day in days {
                let start = day * DAY + from;
                let end = if to > from { day * DAY + to } else { (day + 1) * DAY + to };
                ranges.push((start, end.min(WEEK)));
                if end > WEEK {
                    ranges.push((0, end - WEEK));
                }
            }
        }
        Ok(Self(merged(ranges)))
    }

    /// Whether the minute is in it.
    #[must_use]
    pub fn contains(&self, minute: u16) -> bool {
        self.0.iter().any(|(from, to)| (*from..*to).contains(&minute))
    }

    /// The ranges of minutes, ends not included.
    #[must_use]
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// The hours with these ranges of minutes; `None` when there are none.
    #[must_use]
    pub fn of(ranges: Vec<(u16, u16)>) -> Option<Self> {
        let ranges = merged(ranges);
        (!ranges.is_empty()).then_some(Self(ranges))
    }
}

/// The minute of the week of a moment.
#[must_use]
pub fn minute_of_week(at: Time) -> u16 {
    // 1 January 1970 was a Thursday.
    let minutes = at.as_millis().div_euclid(60_000) + 3 * i64::from(DAY);
    u16::try_from(minutes.rem_euclid(i64::from(WEEK))).unwrap_or(0)
}

fn each_day(text: &str) -> Result<Vec<u16>, String> {
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let mut each = first;
        days.push(each);
        while each != last {
            each = (each + 1) % 7;
            days.push(each);
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<u16, String> {
    let text = text.trim();
    let found = DAYS.iter().position(|day| *day == text).and_then(|day| u16::try_from(day).ok());
    found.ok_or_else(|| format!("`{text}` is not a day: mon, tue, wed, thu, fri, sat or sun"))
}

fn from_to(text: &str) -> Result<(u16, u16), String> {
    let (from, to) = text.split_once('-').ok_or_else(|| format!("`{text}` is not a time such as 08:00-18:00"))?;
    let (from, to) = (minute(from)?, minute(to)?);
    if from == DAY || from == to {
        return Err(format!("`{text}` has no minute in it"));
    }
    Ok((from, to))
}

fn minute(text: &str) -> Result<u16, String> {
    let wrong = || format!("`{text}` is not a time of day such as 08:00");
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return Err(wrong());
    }
    let (hour, minute): (u16, u16) = (hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
    let all = hour * 60 + minute;
    if minute > 59 || all > DAY { Err(wrong()) } else { Ok(all) }
}

fn merged(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ranges.retain(|(from, to)| from < to);
    ranges.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match merged.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (from, to)) in self.0.iter().enumerate() {
            let (comma, day) = (if i == 0 { "" } else { ", " }, |minute: u16| {
                DAYS.get(usize::from(minute / DAY % 7)).copied().unwrap_or("sun")
            });
            let clock = |minute: u16| format!("{:02}:{:02}", minute % DAY / 60, minute % 60);
            write!(f, "{comma}{} {} to {} {} UTC", day(*from), clock(*from), day(*to), clock(*to))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Vec<(u16, u16)> {
        Hours::parse([text]).unwrap().0
    }

    #[test]
    fn reads_times_of_the_week() {
        assert_eq!(hours("mon 08:00-18:00"), [(480, 1080)]);
        assert_eq!(hours("mon-tue"), [(0, 2 * DAY)]);
        assert_eq!(hours("sun 22:00-06:00"), [(0, 360), (WEEK - 120, WEEK)]);
        assert_eq!(hours("sat-mon").len(), 2);
        assert_eq!(hours("00:00-24:00"), [(0, WEEK)]);
        for bad in ["", "monday", "mon 8-9", "mon 08:00-08:00", "mon 25:00-26:00", "mon 08:60-09:00", "24:00-01:00"] {
            assert!(Hours::parse([bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn knows_the_minute_of_the_week() {
        // Thursday 1 January 1970, 00:01.
        assert_eq!(minute_of_week(Time::from_millis(60_000)), 3 * DAY + 1);
        assert_eq!(minute_of_week(Time::from_millis(-1)), 3 * DAY - 1);
    }
}
