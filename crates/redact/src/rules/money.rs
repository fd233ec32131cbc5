//! Payments and shops.

use crate::class::{ALNUM, HEX, LOWER_HEX, LOWER_NUM, URL_SAFE};
use crate::rule::Part::Lit;
use crate::rule::{Rule, at_least, exactly};

pub(super) const RULES: &[Rule] = &[
    Rule::prefix(
        "stripe-key",
        &["sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"],
        &[at_least(ALNUM, 16)],
    )
    .mixed(),
    Rule::prefix("square-token", &["sq0atp-", "sq0csp-", "sq0idp-"], &[at_least(URL_SAFE, 22)]),
    Rule::prefix("square-access-token", &["EAAA"], &[at_least(URL_SAFE, 56)]).mixed(),
    Rule::prefix("shopify-token", &["shpat_", "shpca_", "shppa_", "shpss_"], &[exactly(HEX, 32)]),
    Rule::prefix(
        "braintree-token",
        &["access_token$production$", "access_token$sandbox$"],
        &[exactly(LOWER_NUM, 16), Lit("$"), exactly(LOWER_HEX, 32)],
    ),
    Rule::prefix(
        "plaid-token",
        &["access-production-", "access-development-", "access-sandbox-"],
        &[exactly(LOWER_HEX, 8), Lit("-"), exactly(LOWER_HEX.and("-"), 27)],
    ),
    Rule::prefix("flutterwave-key", &["FLWSECK-", "FLWSECK_TEST-"], &[at_least(URL_SAFE, 12)]).mixed(),
    Rule::prefix("razorpay-key", &["rzp_live_", "rzp_test_"], &[exactly(ALNUM, 14)]),
    Rule::prefix("easypost-key", &["EZAK", "EZTK"], &[exactly(ALNUM, 54)]),
    Rule::prefix("shippo-token", &["shippo_live_", "shippo_test_"], &[exactly(LOWER_HEX, 40)]),
    Rule::prefix("duffel-token", &["duffel_live_", "duffel_test_"], &[at_least(URL_SAFE.and("="), 40)]),
];
