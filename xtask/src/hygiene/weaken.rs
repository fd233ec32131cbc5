//! Weaknesses that tests may ask for are in no build that anybody uses.
//!
//! The feature `weaken` lets single protections be taken away, so that tests can show that each is noticed. It must be
//! asked for by name on the command line of a test build; nothing else may turn it on.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::none;
use crate::cargo::{cargo, output};

const FEATURE: &str = "weaken";

pub(super) fn off_by_default() -> Result<()> {
    let metadata = output(&mut cargo(["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages in cargo's metadata")?;
    none("nothing turns a weakness on but the command line of a test", &turned_on(packages))?;

    // What cargo makes of it: as it is released, and with the feature asked for, which shows that it would be seen.
    let (release, asked) = (weakened(&[])?, weakened(&["--features", "exeat/weaken"])?);
    none("a build for use has no weaknesses", &release)?;
    ensure!(asked.len() > 1, "`exeat/{FEATURE}` turns nothing on below it, so nothing could be seen: {asked:?}");
    Ok(())
}

/// The crates of the binary that have the feature when it is built with these arguments more.
fn weakened(more: &[&str]) -> Result<Vec<String>> {
    let words = ["tree", "--package=exeat", "--edges=normal,build", "--prefix=none", "--format={f}|{p}"];
    let all = output(cargo(words).args(["--offline", "--locked"]).args(more))?;
    let lines = all.lines().filter_map(|line| line.split_once('|'));
    let weak = lines.filter(|(features, _)| features.split(',').any(|feature| feature == FEATURE));
    let names: BTreeSet<String> = weak.filter_map(|(_, name)| Some(name.split(' ').next()?.to_owned())).collect();
    Ok(names.into_iter().collect())
}

/// Defaults and dependencies that turn the feature on.
fn turned_on(packages: &[Value]) -> Vec<String> {
    packages
        .iter()
        .flat_map(|package| {
            let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
            let by_default = features(package, "default").into_iter().filter(|feature| is_weak(feature));
            let by_default = by_default.map(move |feature| format!("{name}: `default` has `{feature}`"));
            // Only a feature of the same name may ask for it further down.
            let table = package.get("features").and_then(Value::as_object).into_iter().flatten();
            let by_another = table.filter(|(feature, _)| *feature != FEATURE && *feature != "default");
            let by_another = by_another.flat_map(move |(feature, _)| {
                let weak = features(package, feature).into_iter().filter(|needed| is_weak(needed));
                weak.map(move |needed| format!("{name}: `{feature}` has `{needed}`"))
            });
            let dependencies = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
            let by_dependency = dependencies.filter(|dependency| texts(dependency.get("features")).any(is_weak));
            let by_dependency = by_dependency.map(move |dependency| {
                let on = dependency.get("name").and_then(Value::as_str).unwrap_or_default();
                format!("{name}: depends on {on} with `{FEATURE}`")
            });
            by_default.chain(by_another).chain(by_dependency).collect::<Vec<_>>()
        })
        .collect()
}

fn is_weak(feature: &str) -> bool {
    feature == FEATURE || feature.ends_with("/weaken")
}

/// What a feature of a package needs.
fn features<'a>(package: &'a Value, name: &str) -> Vec<&'a str> {
    texts(package.get("features").and_then(|features| features.get(name))).collect()
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::turned_on;

    fn check(package: &Value, findings: usize) {
        let found = turned_on(std::slice::from_ref(package));
        assert_eq!(found.len(), findings, "{package}: {found:?}");
    }

    #[test]
    fn finds_whatever_turns_a_weakness_on() {
        let weaken = json!(["guard/weaken"]);
        check(&json!({"name": "a", "features": {"weaken": weaken}, "dependencies": []}), 0);
        check(&json!({"name": "a", "features": {"weaken": [], "default": ["other"], "other": []}}), 0);
        check(&json!({"name": "a", "dependencies": [{"name": "guard", "features": ["other"]}]}), 0);

        check(&json!({"name": "a", "features": {"weaken": [], "default": ["weaken"]}}), 1);
        check(&json!({"name": "a", "features": {"default": ["guard/weaken"]}}), 1);
        check(&json!({"name": "a", "features": {"default": [], "handy": weaken}}), 1);
        check(&json!({"name": "a", "dependencies": [{"name": "guard", "features": ["weaken"]}]}), 1);
    }
}
