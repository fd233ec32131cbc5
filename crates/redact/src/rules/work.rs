//! Office, planning, design and marketing tools.

use crate::class::{ALNUM, DIGIT, LOWER_HEX, URL_SAFE};
use crate::rule::Part::{Lit, Run};
use crate::rule::Place::Near;
use crate::rule::{Rule, at_least, exactly};

pub(super) const RULES: &[Rule] = &[
    Rule::prefix("linear-key", &["lin_api_", "lin_oauth_"], &[at_least(ALNUM, 32)]),
    Rule::prefix("notion-token", &["ntn_"], &[at_least(ALNUM, 40)]),
    Rule::prefix("notion-secret", &["secret_"], &[exactly(ALNUM, 43)]).mixed(),
    Rule::prefix("atlassian-token", &["ATATT3", "ATCTT3"], &[at_least(URL_SAFE.and("="), 60)]).mixed(),
    Rule::prefix("airtable-token", &["pat"], &[exactly(ALNUM, 14), Lit("."), exactly(LOWER_HEX, 64)]),
    Rule::prefix("figma-token", &["figd_", "figu_", "figdr_"], &[at_least(URL_SAFE, 36)]),
    Rule::prefix("dropbox-token", &["sl."], &[at_least(URL_SAFE.and("."), 100)]).mixed(),
    Rule::prefix(
        "hubspot-token",
        &["pat-na1-", "pat-na2-", "pat-na3-", "pat-eu1-"],
        &[exactly(LOWER_HEX, 8), Lit("-"), exactly(LOWER_HEX.and("-"), 27)],
    ),
    Rule::prefix("typeform-token", &["tfp_"], &[at_least(URL_SAFE, 40)]),
    Rule::prefix("contentful-token", &["CFPAT-"], &[exactly(URL_SAFE, 43)]),
    Rule::prefix("mapbox-secret-token", &["sk.eyJ"], &[Run(URL_SAFE, 20, 400), Lit("."), at_least(URL_SAFE, 20)]),
    Rule::prefix("clickup-token", &["pk_"], &[Run(DIGIT, 5, 10), Lit("_"), exactly(ALNUM, 32)]),
    Rule::prefix("readme-key", &["rdme_"], &[at_least(ALNUM, 60)]),
    Rule::prefix("frameio-token", &["fio-u-"], &[at_least(URL_SAFE.and("="), 60)]),
    Rule::new("okta-token", &["okta"], Near(&[Lit("00"), exactly(URL_SAFE, 40)])),
    Rule::new("asana-token", &["asana"], Near(&[Lit("1/"), Run(DIGIT, 10, 20), Lit(":"), exactly(LOWER_HEX, 32)])),
    Rule::prefix(
        "asana-personal-token",
        &["2/"],
        &[Run(DIGIT, 10, 20), Lit("/"), Run(DIGIT, 10, 20), Lit(":"), exactly(LOWER_HEX, 32)],
    ),
];
