use std::collections::BTreeSet;

use super::{TABLE, home_hosts, is_home, kinds};

/// Every rule is either in the table or on purpose not.
const NOT_CERTAIN: [&str; 26] = [
    "algolia-admin-key",
    "asana-token",
    "assigned-secret",
    "auth-scheme",
    "aws-bedrock-key",
    "azure-sas-signature",
    "cloudflare-token",
    "cohere-key",
    "crates-io-token",
    "datadog-key",
    "discord-bot-token",
    "facebook-token",
    "fastly-token",
    "header-line",
    "heroku-api-key",
    "instagram-token",
    "jwt",
    "launchdarkly-key",
    "linode-token",
    "mailgun-key",
    "mailgun-signing-key",
    "okta-token",
    "ovh-openstack-token",
    "pagerduty-key",
    "secret-field",
    "url-password",
];
const NOT_CERTAIN_EITHER: [&str; 4] =
    ["square-access-token", "twilio-auth-token", "twitter-bearer", "weights-and-biases-legacy-key"];

#[test]
fn the_table_names_rules_and_leaves_out_what_it_says() {
    let rules: BTreeSet<String> = crate::rule_names().map(str::to_owned).collect();
    let listed: BTreeSet<String> = kinds().map(|kind| kind.replace('_', "-")).collect();
    assert_eq!(listed.len(), TABLE.len(), "a kind is listed twice");
    let left: BTreeSet<&str> = rules.difference(&listed).map(String::as_str).collect();
    assert_eq!(left, NOT_CERTAIN.into_iter().chain(NOT_CERTAIN_EITHER).collect());
    assert_eq!(listed.difference(&rules).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn homes_are_normalised_patterns() {
    for (kind, home) in TABLE.iter().flat_map(|row| row.homes.iter().map(move |home| (row.kind, *home))) {
        let name = home.strip_prefix("*.").unwrap_or(home);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        assert!(name.contains('.') && name.bytes().all(plain), "{kind}: {home}");
    }
}

#[test]
fn knows_a_home_from_elsewhere() {
    let check = |kind, host, extra: &[(&str, &str)], expected| {
        assert_eq!(is_home(kind, host, extra), expected, "{kind} to {host} with {extra:?}");
    };
    check("github_token", "api.github.com", &[], true);
    check("github_token", "github.com", &[], true);
    check("github_token", "API.GitHub.com.", &[], true);
    check("github_token", "notgithub.com", &[], false);
    check("github_token", "github.com.evil.test", &[], false);
    check("github_token", "api.gitlab.com", &[], false);
    check("github_token", "", &[("*", "*")], false);
    check("telegram_bot_token", "api.telegram.org", &[], true);
    check("telegram_bot_token", "x.api.telegram.org", &[], false);
    check("private_key", "example.org", &[], false);
    check("private_key", "vault.corp.test", &[("private_key", "vault.corp.test")], true);
    check("private_key", "other.corp.test", &[("private_key", "vault.corp.test")], false);
    check("gitlab_token", "git.corp.test", &[("github_token", "*.corp.test")], false);
    check("gitlab_token", "git.corp.test", &[("gitlab_token", "*.corp.test")], true);
    check("gitlab_token", "git.corp.test", &[("*", "*.CORP.test")], true);
    check("gitlab_token", "anything.test", &[("gitlab_token", "*")], true);
    check("nonsense", "anything.test", &[("gitlab_token", "*")], false);
    assert!(home_hosts("nonsense").is_empty());
}
