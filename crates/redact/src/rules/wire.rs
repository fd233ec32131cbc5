//! Credentials by their place or format rather than their issuer, and our own.

use crate::class::{ALNUM, Class, LOWER_NUM, URL_SAFE, URL_SAFE_DOT};
use crate::rule::Part::Lit;
use crate::rule::Place::{Custom, Isolated};
use crate::rule::{Rule, at_least, exactly};
use crate::{assignment, field, header, pem, url_password};

/// The bech32 alphabet in upper case, which age identities are written in.
const BECH32: Class = Class::of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L");

pub(super) const RULES: &[Rule] = &[
    // Ours: API keys `exk_<id>_<secret>`, capability tokens `cap1.<id>.[<caveats>.]<secret>`.
    Rule::prefix("exeat-key", &["exk_"], &[at_least(URL_SAFE, 20)]),
    Rule::prefix("exeat-capability", &["cap1."], &[at_least(URL_SAFE_DOT, 24)]),
    Rule::new("auth-scheme", header::SCHEMES, Custom(header::find_scheme)),
    Rule::new("header-line", header::HEADERS, Custom(header::find_line)),
    Rule::new("secret-field", field::PIECES, Custom(field::find)),
    Rule::new("assigned-secret", assignment::KEYWORDS, Custom(assignment::find)),
    Rule::new("url-password", &["://"], Custom(url_password::find)),
    Rule::new("private-key", &["-----BEGIN "], Custom(pem::find)),
    Rule::new(
        "jwt",
        &["eyJ"],
        Isolated(&[at_least(URL_SAFE, 10), Lit("."), at_least(URL_SAFE, 0), Lit("."), at_least(URL_SAFE_DOT, 10)]),
    ),
    Rule::prefix("age-identity", &["AGE-SECRET-KEY-1"], &[exactly(BECH32, 58)]),
    Rule::prefix("putty-private-mac", &["Private-MAC: "], &[at_least(LOWER_NUM, 40)]),
    Rule::prefix("webhook-signing-secret", &["whsec_"], &[at_least(ALNUM.and("+/="), 24)]),
];
