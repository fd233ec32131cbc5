//! Build services, infrastructure as code and secret stores.

use crate::class::{ALNUM, BASE64, HEX, LOWER_HEX, URL_SAFE, URL_SAFE_DOT};
use crate::rule::Part::{Lit, Run};
use crate::rule::Place::Around;
use crate::rule::{Rule, at_least, exactly};

pub(super) const RULES: &[Rule] = &[
    Rule::prefix("vault-token", &["hvs.", "hvb.", "hvr."], &[at_least(URL_SAFE, 24)]).mixed(),
    Rule::new("terraform-cloud-token", &[".atlasv1."], Around(ALNUM, 14..15, &[at_least(URL_SAFE, 60)])),
    Rule::prefix("pulumi-token", &["pul-"], &[exactly(LOWER_HEX, 40)]),
    Rule::prefix(
        "doppler-token",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
        &[at_least(URL_SAFE_DOT, 40)],
    )
    .mixed(),
    Rule::prefix("onepassword-service-token", &["ops_eyJ"], &[at_least(URL_SAFE.and("="), 100)]),
    Rule::prefix("circleci-token", &["CCIPAT_", "CCIPRJ_"], &[Run(ALNUM, 10, 40), Lit("_"), exactly(LOWER_HEX, 40)]),
    Rule::prefix("buildkite-token", &["bkua_"], &[exactly(LOWER_HEX, 40)]),
    Rule::prefix("sonar-token", &["squ_", "sqp_", "sqa_"], &[exactly(LOWER_HEX, 40)]),
    Rule::prefix("postman-key", &["PMAK-"], &[exactly(HEX, 24), Lit("-"), exactly(HEX, 34)]),
    Rule::prefix("postman-collection-key", &["PMAT-"], &[exactly(ALNUM, 26)]),
    Rule::prefix("prefect-key", &["pnu_", "pnb_"], &[exactly(ALNUM, 36)]),
    Rule::prefix("infracost-key", &["ico-"], &[exactly(ALNUM, 32)]),
    Rule::prefix("openshift-token", &["sha256~"], &[exactly(URL_SAFE, 43)]),
    Rule::prefix("sentry-org-token", &["sntrys_"], &[at_least(BASE64.and("_"), 60)]),
    Rule::prefix("sentry-user-token", &["sntryu_"], &[exactly(LOWER_HEX, 64)]),
    Rule::prefix("scalingo-token", &["tk-us-"], &[exactly(URL_SAFE, 48)]),
    Rule::prefix("snyk-token", &["snyk_uat.", "snyk_sat."], &[at_least(URL_SAFE_DOT, 32)]),
];
