//! Monitoring, feature flags and on-call.

use crate::class::{ALNUM, BASE64, HEX, LOWER_HEX, UPPER_NUM, URL_SAFE};
use crate::rule::Part::{Lit, Run};
use crate::rule::Place::{Around, Near};
use crate::rule::{Rule, at_least, exactly};

pub(super) const RULES: &[Rule] = &[
    Rule::prefix("grafana-service-token", &["glsa_"], &[exactly(ALNUM, 32), Lit("_"), exactly(HEX, 8)]),
    Rule::prefix("grafana-cloud-token", &["glc_"], &[at_least(BASE64, 32)]),
    Rule::prefix("grafana-key", &["eyJrIjoi"], &[at_least(BASE64, 60)]),
    Rule::prefix("new-relic-user-key", &["NRAK-"], &[exactly(UPPER_NUM, 27)]),
    Rule::prefix("new-relic-key", &["NRII-", "NRIQ-", "NRRA-"], &[at_least(URL_SAFE, 32)]),
    Rule::new("new-relic-license", &["NRAL"], Around(LOWER_HEX, 36..37, &[])),
    Rule::prefix(
        "dynatrace-token",
        &["dt0c01.", "dt0s01.", "dt0s16."],
        &[Run(UPPER_NUM, 8, 24), Lit("."), exactly(UPPER_NUM, 64)],
    ),
    Rule::new("datadog-key", &["datadog", "dd_api_key", "dd-api-key", "dd_app_key"], Near(&[Run(LOWER_HEX, 32, 40)])),
    Rule::prefix("honeycomb-key", &["hcaik_", "hcxik_", "hcamk_"], &[at_least(ALNUM, 50)]),
    Rule::prefix("posthog-personal-key", &["phx_"], &[at_least(ALNUM, 40)]),
    Rule::new(
        "launchdarkly-key",
        &["launchdarkly"],
        Near(&[Lit("sdk-"), exactly(LOWER_HEX, 8), Lit("-"), exactly(LOWER_HEX.and("-"), 27)]),
    ),
    Rule::new("pagerduty-key", &["pagerduty"], Near(&[Run(URL_SAFE.and("+"), 20, 20)])).mixed(),
    Rule::prefix("rootly-token", &["rootly_"], &[exactly(LOWER_HEX, 64)]),
    Rule::prefix("checkly-key", &["cu_"], &[exactly(LOWER_HEX, 32)]),
];
