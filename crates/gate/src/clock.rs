//! The wall clock, for decisions made before the store's clock is seen. What is recorded carries
//! the store's time.

use model::Time;

pub(crate) fn now() -> Time {
    let millis = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    Time::from_millis(millis)
}
