//! One or more secrets per rule, in the surroundings they come in.

use std::collections::BTreeSet;

use redact::{MARKER, Scanner, rule_names};

use crate::noise::{alnum, base64, bech32, digits, hex, lower, upper, uuid};

/// `(rule, text before, pieces of the secret)`.
pub(crate) type Row = (&'static str, &'static str, Vec<String>);

fn row<const N: usize>(rule: &'static str, before: &'static str, pieces: [&str; N]) -> Row {
    (rule, before, pieces.iter().map(|piece| (*piece).to_owned()).collect())
}

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(wire());
    rows.extend(clouds());
    rows.extend(code());
    rows.extend(people());
    rows.extend(models());
    rows.extend(business());
    rows
}

#[rustfmt::skip]
fn wire() -> Vec<Row> {
    let jwt_head = format!("ey{}{}", "J", alnum(20));
    vec![
        row("exeat-key", "", ["exk", "_", &lower(8), "_", &alnum(32)]),
        row("exeat-key", "key is ", ["exk", "_", &upper(26), "_", &alnum(43)]),
        row("exeat-capability", "", ["cap", "1.", &uuid(), ".", &alnum(43)]),
        row("exeat-capability", "use ", ["cap", "1.", &uuid(), ".", &alnum(60), ".", &alnum(43)]),
        row("auth-scheme", "Authorization: Bearer ", ["hunter", "2"]),
        row("auth-scheme", "Authorization: Basic ", [&alnum(12), "=="]),
        row("auth-scheme", "Bearer   ", ["ab,c;d"]),
        row("auth-scheme", "authorization: bearer ", ["lowentropy"]),
        row("auth-scheme", "with basic ", [&alnum(8), "=="]),
        row("header-line", "curl -H 'Cookie: ", ["sid=", "abc"]),
        row("header-line", "Set-Cookie: ", ["a=b; Path=/"]),
        row("header-line", "X-Api-Key: ", ["k1", "234567"]),
        row("header-line", "Authorization: ", ["Digest username=me, response=", &hex(32)]),
        row("secret-field", "{\"password\": \"", ["hunter", "2"]),
        row("secret-field", "{\\\"client_secret\\\":\\\"", ["a b"]),
        row("secret-field", "{'Api-Key' : '", ["ünïcode"]),
        row("secret-field", "https://h.test/?a=1&token=", ["abc", "1"]),
        row("secret-field", "run --password=", ["hunter", "2"]),
        row("secret-field", "{\"token\": ", ["123456"]),
        row("assigned-secret", "DB_PASSWORD=", [&alnum(24)]),
        row("assigned-secret", "let api_key = \"", [&alnum(40)]),
        row("assigned-secret", "const token: String = \"", [&alnum(20)]),
        row("assigned-secret", "\"refreshToken\": \"", [&alnum(44)]),
        row("assigned-secret", "secretKey: '", [&base64(44)]),
        row("assigned-secret", "ACCESS_TOKEN_PROD => ", [&hex(40)]),
        row("assigned-secret", "cmd --token ", [&alnum(32)]),
        row("assigned-secret", "<password>", [&alnum(18)]),
        row("assigned-secret", "set(\"credential\", \"", [&alnum(30)]),
        row("assigned-secret", "encryption_key: ", [&base64(43), "="]),
        row("url-password", "postgres://app:", ["hunter", "2"]),
        row("url-password", "https://u:", ["p@ss"]),
        row("url-password", "redis://:", ["x/y?z"]),
        row("private-key", "", ["-----BEGIN RSA ", "PRIVATE KEY-----\n", &base64(64), "\n", &base64(64), "\n", &base64(9), "=\n-----END RSA ", "PRIVATE KEY-----"]),
        row("private-key", "", ["-----BEGIN ", "PRIVATE KEY-----\\n", &base64(64), "\\n", &base64(21), "\\n-----END ", "PRIVATE KEY-----"]),
        row("private-key", "", ["-----BEGIN EC ", "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,", &upper(32), "\n\n", &base64(64), "\n", &base64(40)]),
        row("private-key", "", ["-----BEGIN OPENSSH ", "PRIVATE KEY-----\n", &base64(70)]),
        row("private-key", "", ["-----BEGIN PGP ", "PRIVATE KEY BLOCK-----\nVersion: 2\n\n", &base64(64), "\n-----END PGP ", "PRIVATE KEY BLOCK-----"]),
        row("jwt", "", [&jwt_head, ".", &alnum(60), ".", &alnum(43)]),
        row("jwt", "id: ", [&jwt_head, "..", &alnum(16), ".", &alnum(40), ".", &alnum(22)]),
        row("age-identity", "", ["AGE-SECRET", "-KEY-1", &bech32(58)]),
        row("putty-private-mac", "\n", ["Private-", "MAC: ", &hex(40)]),
        row("webhook-signing-secret", "", ["whs", "ec_", &base64(32)]),
    ]
}

#[rustfmt::skip]
fn clouds() -> Vec<Row> {
    vec![
        row("aws-access-key-id", "id ", ["AK", "IA", &upper(16)]),
        row("aws-access-key-id", "a\\n", ["AS", "IA", &upper(16)]),
        row("aws-secret-access-key", "aws_secret_access_key = ", [&base64(40)]),
        row("aws-secret-access-key", "\"SecretAccessKey\": \"", [&base64(40)]),
        row("aws-bedrock-key", "", ["AB", "SK", &base64(120)]),
        row("gcp-api-key", "?q=", ["AI", "za", &alnum(35)]),
        row("google-access-token", "", ["ya", "29.", &alnum(80)]),
        row("google-refresh-token", "", ["1/", "/0", &alnum(40)]),
        row("google-client-secret", "", ["GOC", "SPX-", &alnum(28)]),
        row("azure-storage-key", "x;", ["Account", "Key=", &base64(86), "=="]),
        row("azure-sas-signature", "?se=2026&", ["si", "g=", &alnum(43), "%3D"]),
        row("azure-client-secret", "v ", [&alnum(3), "8", "Q~", &alnum(34)]),
        row("azure-devops-token", "pat ", [&alnum(76), "AZ", "DO", &alnum(4)]),
        row("digitalocean-token", "", ["dop", "_v1_", &hex(64)]),
        row("alibaba-access-key", "", ["LT", "AI", &alnum(20)]),
        row("tencent-secret-id", "", ["AK", "ID", &alnum(32)]),
        row("yandex-api-key", "", ["AQ", "VN", &alnum(36)]),
        row("cloudflare-origin-key", "", ["v1", ".0-", &hex(24), "-", &hex(146)]),
        row("cloudflare-token", "CLOUDFLARE_API_TOKEN=", [&alnum(40)]),
        row("heroku-token", "", ["HR", "KU-AA", &alnum(58)]),
        row("heroku-api-key", "HEROKU_API_KEY=", [&uuid()]),
        row("fly-token", "", ["fo", "1_", &alnum(43)]),
        row("netlify-token", "", ["nf", "p_", &alnum(36)]),
        row("vercel-blob-token", "", ["vercel_", "blob_rw_", &alnum(16), "_", &alnum(30)]),
        row("supabase-token", "", ["sb", "p_", &hex(40)]),
        row("planetscale-token", "", ["pscale", "_tkn_", &alnum(43)]),
        row("neon-key", "", ["na", "pi_", &lower(64)]),
        row("scaleway-key", "", ["SC", "W", &upper(17)]),
        row("ovh-openstack-token", "", ["gAA", "AAA", &alnum(120)]),
        row("linode-token", "LINODE_TOKEN=", [&hex(64)]),
        row("fastly-token", "fastly api key: ", [&alnum(32)]),
        row("algolia-admin-key", "ALGOLIA_ADMIN_KEY=", [&hex(32)]),
        row("aiven-token", "", ["AV", "NS_", &alnum(19)]),
        row("tailscale-key", "", ["tsk", "ey-auth-", &alnum(12), "-", &alnum(32)]),
    ]
}

#[rustfmt::skip]
fn code() -> Vec<Row> {
    vec![
        row("github-token", "remote ", ["gh", "p_", &alnum(36)]),
        row("github-token", "%3D", ["gh", "s_", &alnum(36)]),
        row("github-fine-grained-token", "", ["github", "_pat_", &alnum(22), "_", &alnum(59)]),
        row("gitlab-token", "", ["gl", "pat-", &alnum(20)]),
        row("gitlab-token", "", ["gl", "rt-", &alnum(20)]),
        row("gitlab-runner-registration", "", ["GR13", "48941", &alnum(20)]),
        row("bitbucket-app-password", "", ["AT", "BB", &alnum(32)]),
        row("npm-token", "//r.test/:_auth ", ["np", "m_", &alnum(36)]),
        row("pypi-token", "", ["py", "pi-AgE", &alnum(90)]),
        row("crates-io-token", "", ["ci", "o", &alnum(32)]),
        row("rubygems-key", "", ["ruby", "gems_", &hex(48)]),
        row("nuget-key", "", ["oy", "2", &lower(43)]),
        row("clojars-token", "", ["CLO", "JARS_", &lower(60)]),
        row("docker-token", "", ["dckr", "_pat_", &alnum(27)]),
        row("artifactory-key", "", ["AK", "Cp", &alnum(69)]),
        row("artifactory-reference-token", "", ["cmVm", "dGtu", &alnum(56)]),
        row("sourcegraph-token", "", ["sg", "p_", &hex(40)]),
        row("vault-token", "", ["hv", "s.", &alnum(28)]),
        row("terraform-cloud-token", "", [&alnum(14), ".atlas", "v1.", &alnum(67)]),
        row("pulumi-token", "", ["pu", "l-", &hex(40)]),
        row("doppler-token", "", ["dp", ".pt.", &alnum(43)]),
        row("doppler-token", "", ["dp", ".st.dev_us.", &alnum(43)]),
        row("onepassword-service-token", "", ["ops", "_eyJ", &alnum(200)]),
        row("circleci-token", "", ["CCI", "PAT_", &alnum(22), "_", &hex(40)]),
        row("buildkite-token", "", ["bk", "ua_", &hex(40)]),
        row("sonar-token", "", ["sq", "u_", &hex(40)]),
        row("postman-key", "", ["PM", "AK-", &hex(24), "-", &hex(34)]),
        row("postman-collection-key", "", ["PM", "AT-", &upper(26)]),
        row("prefect-key", "", ["pn", "u_", &alnum(36)]),
        row("infracost-key", "", ["ic", "o-", &alnum(32)]),
        row("openshift-token", "", ["sha", "256~", &alnum(43)]),
        row("sentry-org-token", "", ["snt", "rys_", &base64(90)]),
        row("sentry-user-token", "", ["snt", "ryu_", &hex(64)]),
        row("scalingo-token", "", ["tk-", "us-", &alnum(48)]),
        row("snyk-token", "", ["snyk", "_uat.", &alnum(60)]),
    ]
}

#[rustfmt::skip]
fn people() -> Vec<Row> {
    vec![
        row("slack-token", "", ["xo", "xb-", &digits(12), "-", &digits(13), "-", &alnum(24)]),
        row("slack-token", "", ["xo", "xe.xoxp-1-", &alnum(60)]),
        row("slack-app-token", "", ["xa", "pp-1-", &upper(11), "-", &digits(13), "-", &hex(64)]),
        row("slack-webhook", "https://", ["hooks.slack", ".com/services/T", &upper(9), "/B", &upper(9), "/", &alnum(24)]),
        row("discord-webhook", "https://", ["discord.com/api", "/webhooks/", &digits(18), "/", &alnum(68)]),
        row("discord-bot-token", "DISCORD_TOKEN=", [&alnum(24), ".", &alnum(6), ".", &alnum(38)]),
        row("teams-webhook", "https://acme", [".webhook.office", ".com/webhookb2/", &uuid(), "@", &uuid(), "/IncomingWebhook/", &hex(32)]),
        row("telegram-bot-token", "bot ", [&digits(10), ":A", "A", &alnum(33)]),
        row("twilio-api-key", "", ["S", "K", &hex(32)]),
        row("twilio-auth-token", "TWILIO_AUTH_TOKEN=", [&hex(32)]),
        row("sendgrid-key", "", ["S", "G.", &alnum(22), ".", &alnum(43)]),
        row("mailgun-key", "MAILGUN_API_KEY=", ["ke", "y-", &hex(32)]),
        row("mailgun-signing-key", "mailgun signing key: ", [&hex(32), "-", &hex(8), "-", &hex(8)]),
        row("mailchimp-key", "", [&hex(32), "-u", "s12"]),
        row("brevo-key", "", ["xkey", "sib-", &hex(64), "-", &alnum(16)]),
        row("resend-key", "", ["r", "e_", &alnum(8), "_", &alnum(24)]),
        row("zoho-token", "", ["10", "00.", &hex(32), ".", &hex(32)]),
        row("facebook-token", "", ["EA", "A", &alnum(120)]),
        row("instagram-token", "", ["IG", "QV", &alnum(120)]),
        row("twitter-bearer", "", [&"A".repeat(21), &alnum(80)]),
        row("intercom-token", "", ["dG9", "rO", &alnum(60)]),
    ]
}

#[rustfmt::skip]
fn models() -> Vec<Row> {
    vec![
        row("openai-key", "", ["sk-", "proj-", &alnum(74)]),
        row("sk-key", "", ["s", "k-", &alnum(48)]),
        row("anthropic-key", "", ["sk-", "ant-api03-", &alnum(93)]),
        row("openrouter-key", "", ["sk-", "or-v1-", &hex(64)]),
        row("langfuse-key", "", ["sk-", "lf-", &uuid()]),
        row("openai-legacy-key", "", [&alnum(20), "T3Bl", "bkFJ", &alnum(20)]),
        row("hugging-face-token", "", ["h", "f_", &alnum(34)]),
        row("replicate-token", "", ["r", "8_", &alnum(37)]),
        row("groq-key", "", ["gs", "k_", &alnum(52)]),
        row("perplexity-key", "", ["pp", "lx-", &alnum(48)]),
        row("xai-key", "", ["xa", "i-", &alnum(80)]),
        row("nvidia-key", "", ["nv", "api-", &alnum(64)]),
        row("langsmith-key", "", ["lsv2", "_pt_", &hex(32), "_", &hex(10)]),
        row("pinecone-key", "", ["pc", "sk_", &alnum(64)]),
        row("tavily-key", "", ["tv", "ly-", &alnum(32)]),
        row("elevenlabs-key", "", ["s", "k_", &hex(48)]),
        row("jina-key", "", ["ji", "na_", &alnum(60)]),
        row("weights-and-biases-key", "", ["wandb", "_v1_", &alnum(60)]),
        row("weights-and-biases-legacy-key", "WANDB_API_KEY=", [&hex(40)]),
        row("cohere-key", "COHERE_API_KEY=", [&alnum(40)]),
        row("databricks-token", "", ["da", "pi", &hex(32), "-2"]),
    ]
}

#[rustfmt::skip]
fn business() -> Vec<Row> {
    vec![
        row("stripe-key", "", ["sk_", "live_", &alnum(24)]),
        row("stripe-key", "", ["rk_", "test_", &alnum(99)]),
        row("square-token", "", ["sq0", "atp-", &alnum(22)]),
        row("square-access-token", "", ["EA", "AA", &alnum(60)]),
        row("shopify-token", "", ["shp", "at_", &hex(32)]),
        row("braintree-token", "", ["access_token", "$production$", &lower(16), "$", &hex(32)]),
        row("plaid-token", "", ["access-", "sandbox-", &uuid()]),
        row("flutterwave-key", "", ["FLW", "SECK-", &hex(32), "-X"]),
        row("razorpay-key", "", ["rzp_", "live_", &alnum(14)]),
        row("easypost-key", "", ["EZ", "AK", &alnum(54)]),
        row("shippo-token", "", ["shippo_", "live_", &hex(40)]),
        row("duffel-token", "", ["duffel_", "live_", &alnum(43)]),
        row("grafana-service-token", "", ["gl", "sa_", &alnum(32), "_", &hex(8)]),
        row("grafana-cloud-token", "", ["gl", "c_", &base64(80)]),
        row("grafana-key", "", ["eyJr", "Ijoi", &alnum(70)]),
        row("new-relic-user-key", "", ["NR", "AK-", &upper(27)]),
        row("new-relic-key", "", ["NR", "II-", &alnum(32)]),
        row("new-relic-license", "", [&hex(36), "NR", "AL"]),
        row("dynatrace-token", "", ["dt0", "c01.", &upper(24), ".", &upper(64)]),
        row("datadog-key", "DD_API_KEY=", [&hex(32)]),
        row("honeycomb-key", "", ["hca", "ik_", &alnum(58)]),
        row("posthog-personal-key", "", ["ph", "x_", &alnum(43)]),
        row("launchdarkly-key", "launchdarkly key: ", ["sd", "k-", &uuid()]),
        row("pagerduty-key", "PAGERDUTY_TOKEN=", [&alnum(20)]),
        row("rootly-token", "", ["root", "ly_", &hex(64)]),
        row("checkly-key", "", ["c", "u_", &hex(32)]),
        row("linear-key", "", ["lin", "_api_", &alnum(40)]),
        row("notion-token", "", ["nt", "n_", &alnum(46)]),
        row("notion-secret", "", ["sec", "ret_", &alnum(43)]),
        row("atlassian-token", "", ["ATA", "TT3", &alnum(180), "=", &upper(8)]),
        row("airtable-token", "", ["pa", "t", &alnum(14), ".", &hex(64)]),
        row("figma-token", "", ["fi", "gd_", &alnum(40)]),
        row("dropbox-token", "", ["s", "l.", &alnum(130)]),
        row("hubspot-token", "", ["pat-", "na1-", &uuid()]),
        row("typeform-token", "", ["tf", "p_", &alnum(44)]),
        row("contentful-token", "", ["CF", "PAT-", &alnum(43)]),
        row("mapbox-secret-token", "", ["sk", ".eyJ", &alnum(80), ".", &alnum(22)]),
        row("clickup-token", "", ["p", "k_", &digits(8), "_", &upper(32)]),
        row("readme-key", "", ["rd", "me_", &lower(70)]),
        row("frameio-token", "", ["fi", "o-u-", &alnum(64)]),
        row("okta-token", "OKTA_API_TOKEN=", ["0", "0", &alnum(40)]),
        row("asana-token", "asana token: ", ["1/", &digits(16), ":", &hex(32)]),
        row("asana-personal-token", "", ["2/", &digits(16), "/", &digits(16), ":", &hex(32)]),
    ]
}

/// What stands behind a secret depends on what stands before it.
pub(crate) fn closing(before: &str) -> &'static str {
    match before {
        _ if before.ends_with("\\\"") => "\\\" }",
        _ if before.ends_with('"') => "\" }",
        _ if before.ends_with('\'') || before.contains("'Cookie") => "' and",
        _ if before.contains("://") && (before.ends_with(':')) => "@db.test/x",
        _ if before.starts_with('<') => "</password>",
        _ if before.ends_with("Cookie: ") || before.ends_with("Key: ") || before.ends_with("Authorization: ") => {
            "\nHost: a"
        }
        _ => " and more",
    }
}

/// What is wrong with the way `rule` sees its secret, if anything.
fn complaint(rule: &str, before: &str, secret: &str) -> Option<String> {
    let scanner = Scanner::standard();
    let after = closing(before);
    let text = format!("{before}{secret}{after}");
    let found = scanner.findings(&text);
    let clean = scanner.text(&text);
    let whole = found.iter().any(|finding| {
        finding.rule == rule && finding.span.start <= before.len() && finding.span.end >= before.len() + secret.len()
    });
    let gone = !clean.contains(secret) && clean.contains(MARKER) && clean.ends_with(after);
    (!whole || !gone).then(|| format!("{rule}: {text:?} -> {clean:?}: {found:?}"))
}

#[test]
fn finds_every_listed_secret() {
    let wrong: Vec<_> =
        rows().into_iter().filter_map(|(rule, before, pieces)| complaint(rule, before, &pieces.concat())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_positive_case() {
    let named: BTreeSet<_> = rule_names().collect();
    let shown: BTreeSet<_> = rows().into_iter().map(|row| row.0).collect();
    assert_eq!(named, shown);
    assert_eq!(named.len(), rule_names().count(), "a rule name is used twice");
}

#[test]
fn cut_off_tokens_of_fixed_length_are_not_called_tokens() {
    let scanner = Scanner::standard();
    for short in [["AK", "IA"].concat() + &upper(9), ["np", "m_"].concat() + &alnum(12)] {
        assert!(scanner.findings(&short).is_empty(), "{short}");
    }
}
