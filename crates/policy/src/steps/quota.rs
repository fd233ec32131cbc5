//! Step 8: whether the hourly quota has to be taken. Counting is the recorder's: only under the
//! quota row's lock is it exact.

use model::Category;

use super::Finding;
use crate::case::Case;

/// Requests per rolling hour, when this ask is one that takes from a quota.
pub(crate) fn limit(case: &Case<'_>) -> Option<u64> {
    let limit =
        case.settings.egress_max_requests_per_hour.unwrap_or(case.snapshot.defaults().egress_max_requests_per_hour);
    (case.ask.category() == Category::Egress && limit > 0).then_some(limit)
}

/// Passed until the recorder finds it used up.
pub(crate) fn run(limit: Option<u64>) -> Finding {
    if limit.is_some() { Finding::PASSED } else { Finding::SKIPPED }
}
