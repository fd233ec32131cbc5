//! Clouds, hosting and managed databases.

use crate::class::{ALNUM, BASE64, Class, HEX, LOWER_HEX, LOWER_NUM, UPPER_NUM, URL_SAFE};
use crate::hit::Hit;
use crate::rule::Part::{Lit, Run};
use crate::rule::Place::{Around, Custom, Near};
use crate::rule::{Part, Rule, Seen, at_least, exactly};
use crate::template::is_dummy;

const AWS_ID: Class = Class::of("234567").range(b'A', b'Z');
const AZURE_SECRET: Class = URL_SAFE.and("~.");
const UUID: &[Part] = &[
    exactly(HEX, 8),
    Lit("-"),
    exactly(HEX, 4),
    Lit("-"),
    exactly(HEX, 4),
    Lit("-"),
    exactly(HEX, 4),
    Lit("-"),
    exactly(HEX, 12),
];

pub(super) const RULES: &[Rule] = &[
    Rule::prefix("aws-access-key-id", &["AKIA", "ASIA", "ABIA", "ACCA"], &[exactly(AWS_ID, 16)]),
    Rule::new(
        "aws-secret-access-key",
        &["secret_access_key", "secretaccesskey", "secret-access-key", "aws_secret_key"],
        Custom(aws_secret),
    ),
    Rule::prefix("aws-bedrock-key", &["ABSK"], &[at_least(BASE64, 100)]),
    Rule::prefix("gcp-api-key", &["AIza"], &[exactly(URL_SAFE, 35)]),
    Rule::prefix("google-access-token", &["ya29."], &[at_least(URL_SAFE, 20)]),
    Rule::prefix("google-refresh-token", &["1//0"], &[at_least(URL_SAFE, 28)]),
    Rule::prefix("google-client-secret", &["GOCSPX-"], &[at_least(URL_SAFE, 24)]),
    Rule::prefix("azure-storage-key", &["AccountKey=", "SharedAccessKey="], &[at_least(BASE64, 43)]),
    Rule::prefix("azure-sas-signature", &["sig="], &[Run(ALNUM.and("%+/="), 43, 128)]).mixed(),
    Rule::new("azure-client-secret", &["Q~"], Around(AZURE_SECRET, 4..5, &[Run(AZURE_SECRET, 31, 34)])),
    Rule::new("azure-devops-token", &["AZDO"], Around(ALNUM, 76..77, &[exactly(ALNUM, 4)])),
    Rule::prefix("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], &[exactly(LOWER_HEX, 64)]),
    Rule::prefix("alibaba-access-key", &["LTAI"], &[Run(ALNUM, 16, 24)]).mixed(),
    Rule::prefix("tencent-secret-id", &["AKID"], &[exactly(ALNUM, 32)]),
    Rule::prefix("yandex-api-key", &["AQVN"], &[Run(URL_SAFE, 35, 38)]),
    Rule::prefix("cloudflare-origin-key", &["v1.0-"], &[exactly(LOWER_HEX, 24), Lit("-"), at_least(LOWER_HEX, 140)]),
    Rule::new("cloudflare-token", &["cloudflare"], Near(&[exactly(URL_SAFE, 40)])).mixed(),
    Rule::prefix("heroku-token", &["HRKU-"], &[at_least(URL_SAFE, 36)]),
    Rule::new("heroku-api-key", &["heroku"], Near(UUID)),
    Rule::prefix("fly-token", &["fo1_", "fm1a_", "fm1r_", "fm2_"], &[at_least(URL_SAFE.and("+/="), 40)]),
    Rule::prefix("netlify-token", &["nfp_"], &[at_least(ALNUM, 36)]),
    Rule::prefix("vercel-blob-token", &["vercel_blob_rw_"], &[Run(ALNUM, 8, 32), Lit("_"), at_least(ALNUM, 20)]),
    Rule::prefix("supabase-token", &["sbp_", "sb_secret_"], &[at_least(URL_SAFE, 30)]),
    Rule::prefix(
        "planetscale-token",
        &["pscale_tkn_", "pscale_oauth_", "pscale_pw_"],
        &[at_least(URL_SAFE.and("."), 32)],
    ),
    Rule::prefix("neon-key", &["napi_"], &[at_least(LOWER_NUM, 48)]),
    Rule::prefix("scaleway-key", &["SCW"], &[exactly(UPPER_NUM, 17)]).mixed(),
    Rule::prefix("ovh-openstack-token", &["gAAAAA"], &[at_least(URL_SAFE.and("="), 90)]),
    Rule::new("linode-token", &["linode"], Near(&[exactly(LOWER_HEX, 64)])),
    Rule::new("fastly-token", &["fastly"], Near(&[exactly(URL_SAFE, 32)])).mixed(),
    Rule::new("algolia-admin-key", &["algolia"], Near(&[exactly(LOWER_HEX, 32)])),
    Rule::prefix("aiven-token", &["AVNS_"], &[at_least(URL_SAFE, 19)]),
    Rule::prefix("tailscale-key", &["tskey-"], &[at_least(URL_SAFE, 20)]).mixed(),
];

/// Forty bytes of base64 behind a name that ends in `secret access key`.
fn aws_secret(hit: Hit<'_>) -> Option<Seen> {
    let start = hit.run(hit.end, Class::of(" \t\"'`\\:=>,"), 16);
    let end = hit.run(start, BASE64, 64);
    let whole = start > hit.end && end - start == 40;
    (whole && !is_dummy(hit.slice(start..end))).then_some(Seen::Secret(start..end))
}
