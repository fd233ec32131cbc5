//! What would have been blocked: seen, reviewed, made into rules.

pub(crate) mod propose;
pub(crate) mod report;
pub(crate) mod review;
