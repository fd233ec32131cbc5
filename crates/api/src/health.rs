//! What is told to anybody, and the metrics.

pub(crate) mod docs;
pub(crate) mod livez;
pub(crate) mod metrics;
pub(crate) mod openapi_json;
pub(crate) mod readyz;
pub(crate) mod version;
