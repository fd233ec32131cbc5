//! Dependencies point one way, so that a lower crate can be understood without the ones above it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::none;
use crate::cargo::{cargo, output};

/// The crates from the bottom up; those of one line do not know each other.
const LAYERS: [&[&str]; 12] = [
    &["model"],
    &["guard", "redact", "wire"],
    &["policy"],
    &["rules"],
    &["replay"],
    &["store"],
    &["gate"],
    &["egress"],
    &["confine"],
    &["runs"],
    &["api"],
    &["exeat"],
];
/// Knows none of the product, may be known by the tests of all.
const HARNESS: &str = "testkit";
/// Outside the product: the commands of the repository.
const COMMANDS: &str = "xtask";

pub(super) fn one_way() -> Result<()> {
    let metadata = output(&mut cargo(["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages in cargo's metadata")?;
    let members: Vec<&str> = packages.iter().filter_map(|package| package.get("name")?.as_str()).collect();
    let edges: Vec<Edge<'_>> = packages
        .iter()
        .flat_map(|package| {
            let from = package.get("name").and_then(Value::as_str).unwrap_or_default();
            let dependencies = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
            dependencies.filter_map(move |dependency| {
                let to = dependency.get("name")?.as_str()?;
                let in_tests = dependency.get("kind").and_then(Value::as_str) == Some("dev");
                Some(Edge { from, to, in_tests })
            })
        })
        .filter(|edge| members.contains(&edge.to))
        .collect();
    ensure!(!edges.is_empty(), "cargo's metadata has no dependencies between members");
    none("dependencies between the crates must point one way", &against(&members, &edges))
}

struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    in_tests: bool,
}

fn against(members: &[&str], edges: &[Edge<'_>]) -> Vec<String> {
    let ranks: BTreeMap<&str, usize> =
        LAYERS.iter().enumerate().flat_map(|(rank, names)| names.iter().map(move |name| (*name, rank))).collect();
    let unknown = members.iter().filter(|name| ![HARNESS, COMMANDS].contains(name) && !ranks.contains_key(*name));
    let unknown =
        unknown.map(|name| format!("{name} has no place in the layers: add it to xtask/src/hygiene/layers.rs"));
    let wrong = edges.iter().filter(|Edge { from, to, in_tests }| match (ranks.get(from), ranks.get(to)) {
        // The tests of a crate may use crates above it, as long as the crate itself does not.
        (Some(from), Some(to)) => to >= from && !in_tests,
        (Some(_), None) => !(*to == HARNESS && *in_tests),
        (None, Some(_)) => true,
        (None, None) => !(*from == COMMANDS && *to == HARNESS),
    });
    let wrong = wrong.map(|edge| format!("{} must not depend on {}", edge.from, edge.to));
    unknown.chain(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::{Edge, against};

    #[test]
    fn refuses_every_edge_upwards_and_lets_the_others_pass() {
        let members = ["model", "policy", "store", "api", "testkit", "xtask"];
        let check = |from, to, in_tests, fine: bool| {
            let found = against(&members, &[Edge { from, to, in_tests }]);
            assert_eq!(found.is_empty(), fine, "{from} -> {to} (tests: {in_tests}): {found:?}");
        };
        check("policy", "model", false, true);
        check("api", "model", false, true);
        check("store", "policy", false, true);
        check("store", "testkit", true, true);
        check("xtask", "testkit", false, true);
        check("policy", "store", true, true);

        check("model", "policy", false, false);
        check("policy", "store", false, false);
        check("store", "store", false, false);
        check("store", "testkit", false, false);
        check("testkit", "store", false, false);
        check("testkit", "model", true, false);
        check("xtask", "store", false, false);
        check("store", "xtask", true, false);
    }

    #[test]
    fn refuses_a_crate_without_a_place() {
        assert_eq!(against(&["model", "helpers"], &[]).len(), 1);
    }
}
