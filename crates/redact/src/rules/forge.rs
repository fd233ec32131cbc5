//! Code hosting and package registries.

use crate::class::{ALNUM, LOWER_HEX, LOWER_NUM, URL_SAFE, WORD};
use crate::rule::{Rule, at_least, exactly};

pub(super) const RULES: &[Rule] = &[
    Rule::prefix("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], &[at_least(WORD, 36)]),
    Rule::prefix("github-fine-grained-token", &["github_pat_"], &[at_least(WORD, 36)]),
    Rule::prefix(
        "gitlab-token",
        &[
            "glpat-", "gldt-", "glrt-", "glrtr-", "glptt-", "glcbt-", "glimt-", "glagent-", "glsoat-", "glft-",
            "glffct-", "gloas-",
        ],
        &[at_least(URL_SAFE.and("."), 20)],
    )
    .mixed(),
    Rule::prefix("gitlab-runner-registration", &["GR1348941"], &[at_least(URL_SAFE, 20)]),
    Rule::prefix("bitbucket-app-password", &["ATBB"], &[at_least(ALNUM, 24)]).mixed(),
    Rule::prefix("npm-token", &["npm_"], &[exactly(ALNUM, 36)]),
    Rule::prefix("pypi-token", &["pypi-AgE"], &[at_least(URL_SAFE, 50)]),
    Rule::prefix("crates-io-token", &["cio"], &[exactly(ALNUM, 32)]).mixed(),
    Rule::prefix("rubygems-key", &["rubygems_"], &[exactly(LOWER_HEX, 48)]),
    Rule::prefix("nuget-key", &["oy2"], &[exactly(LOWER_NUM, 43)]).mixed(),
    Rule::prefix("clojars-token", &["CLOJARS_"], &[exactly(LOWER_NUM, 60)]),
    Rule::prefix("docker-token", &["dckr_pat_", "dckr_oat_"], &[at_least(URL_SAFE, 24)]),
    Rule::prefix("artifactory-key", &["AKCp"], &[at_least(ALNUM, 60)]).mixed(),
    Rule::prefix("artifactory-reference-token", &["cmVmdGtu"], &[exactly(ALNUM, 56)]),
    Rule::prefix("sourcegraph-token", &["sgp_"], &[at_least(WORD, 40)]),
];
