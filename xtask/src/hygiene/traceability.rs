//! What the documents on security say is proven: every test they name is there, every gate is named, every layer and every
//! criterion has a test.
//!
//! A test is named as `package:function`, in a code span of a file in `docs/security`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use super::none;
use super::sources::{Source, is_rust, sources};

const FOLDER: &str = "docs/security/";
/// What is required, what does it, what shows it.
const REQUIREMENTS: &str = "docs/security/traceability.md";
/// The layers of the guard, and what shows that each is needed.
const LAYERS: &str = "docs/security/layers.md";
/// Where the layers have their names.
const LAYER_NAMES: &str = "crates/guard/src/error.rs";
/// Tests that are gates begin with this.
const GATE: &str = "gate_";
/// The five criteria by which the guard is accepted; each is a heading that begins like this.
const CRITERIA: usize = 5;
const CRITERION: &str = "## Criterion ";

/// A test, or the name of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    package: String,
    function: String,
}

/// The documents against the sources.
pub(super) fn names_tests_that_are_there() -> Result<()> {
    let sources = sources()?;
    let known: BTreeSet<Test> = sources.iter().filter(|source| is_rust(&source.path)).flat_map(tests_in).collect();
    ensure!(!known.is_empty(), "no tests were found in the sources");
    let text = |path: &str| {
        let found = sources.iter().find(|source| source.path == path).map(|source| source.text.as_str());
        found.with_context(|| format!("{path} is missing"))
    };
    let documents: BTreeMap<&str, &str> = sources
        .iter()
        .filter(|source| source.path.starts_with(FOLDER))
        .map(|source| (source.path.as_str(), source.text.as_str()))
        .collect();
    let mut findings = missing(&documents, &known);
    findings.extend(unnamed_gates(&documents, &known));
    findings.extend(criteria_without_tests(text(REQUIREMENTS)?));
    findings.extend(layers_without_tests(&layer_names(text(LAYER_NAMES)?), text(LAYERS)?));
    none("what is said to be proven is proven by a test", &findings)
}

fn missing(documents: &BTreeMap<&str, &str>, known: &BTreeSet<Test>) -> Vec<String> {
    let named = documents.iter().flat_map(|(path, text)| named_in(text).into_iter().map(move |test| (path, test)));
    let missing = named.filter(|(_, test)| !known.contains(test));
    missing.map(|(path, test)| format!("{path}: there is no test {}:{}", test.package, test.function)).collect()
}

fn unnamed_gates(documents: &BTreeMap<&str, &str>, known: &BTreeSet<Test>) -> Vec<String> {
    let named: BTreeSet<Test> = documents.values().flat_map(|text| named_in(text)).collect();
    let gates = known.iter().filter(|test| test.function.starts_with(GATE) && !named.contains(*test));
    gates.map(|test| format!("{FOLDER}: nothing names the gate {}:{}", test.package, test.function)).collect()
}

fn criteria_without_tests(text: &str) -> Vec<String> {
    let sections: Vec<&str> = text.split(CRITERION).skip(1).collect();
    let mut findings: Vec<String> = sections
        .iter()
        .filter(|section| named_in(section.split("\n## ").next().unwrap_or_default()).is_empty())
        .map(|section| {
            format!("{REQUIREMENTS}: criterion {} names no test", section.lines().next().unwrap_or_default())
        })
        .collect();
    if sections.len() != CRITERIA {
        findings.push(format!("{REQUIREMENTS}: {} criteria instead of {CRITERIA}", sections.len()));
    }
    findings
}

fn layers_without_tests(layers: &[&str], text: &str) -> Vec<String> {
    let row = |layer: &str| text.lines().find(|line| line.starts_with(&format!("| `{layer}` |"))).map(named_in);
    let without = layers.iter().filter(|layer| row(layer).is_none_or(|tests| tests.is_empty()));
    let mut findings: Vec<String> = without.map(|layer| format!("{LAYERS}: no test for the layer `{layer}`")).collect();
    if layers.is_empty() {
        findings.push(format!("{LAYER_NAMES}: no names of layers were found"));
    }
    findings
}

/// The names that stand behind `=>` in quotes.
fn layer_names(text: &str) -> Vec<&str> {
    let arms = text.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    arms.filter_map(|(_, rest)| rest.strip_suffix("\",")).collect()
}

/// The tests named in a text.
fn named_in(text: &str) -> Vec<Test> {
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let pairs = spans.filter_map(|span| span.split_once(':')).filter(|(one, two)| plain(one) && plain(two));
    pairs.map(|(package, function)| Test { package: package.to_owned(), function: function.to_owned() }).collect()
}

/// The tests in a source, by their attribute.
fn tests_in(source: &Source) -> Vec<Test> {
    let Some(package) = package(&source.path) else { return Vec::new() };
    let (mut found, mut marked) = (Vec::new(), false);
    for line in source.text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if marked && let Some((_, rest)) = line.split_once("fn ") {
            let function: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push(Test { package: package.to_owned(), function });
            marked = false;
        }
    }
    found.extend(of_macros(source).into_iter().map(|function| Test { package: package.to_owned(), function }));
    found.retain(|test| !test.function.is_empty());
    found
}

/// The tests that macros make: of each function on a store, for both kinds of stores, and of a macro of the same file, one
/// for each `name: …;` that it is given.
fn of_macros(source: &Source) -> Vec<String> {
    let on_a_store = source.text.lines().filter_map(|line| line.split_once("(bed: &Bed)")?.0.rsplit_once("fn "));
    // Once where it stands, once where the macro is given it.
    let on_a_store = on_a_store.filter(|(_, name)| source.text.matches(name).count() > 1);
    let mut found: Vec<String> = on_a_store.map(|(_, name)| name.to_owned()).collect();
    for definition in source.text.split("\nmacro_rules! ").skip(1) {
        let (Some((name, _)), Some((body, rest))) = (definition.split_once(' '), definition.split_once("\n}\n")) else {
            continue;
        };
        let Some((_, given)) = rest.split_once(&format!("\n{name}! {{\n")) else { continue };
        if body.contains("#[test]") {
            let lines = given.lines().take_while(|line| !line.starts_with('}'));
            found.extend(lines.filter_map(|line| Some(line.trim().split_once(": ")?.0.to_owned())));
        }
    }
    found
}

fn package(path: &str) -> Option<&str> {
    match path.split_once('/')? {
        ("crates", rest) => rest.split('/').next(),
        ("xtask", _) => Some("xtask"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(package: &str, function: &str) -> Test {
        Test { package: package.to_owned(), function: function.to_owned() }
    }

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn finds_tests_where_they_are() {
        let text =
            "#[test]\nfn one() {}\n\n#[tokio::test(flavor = \"x\")]\n#[cfg(unix)]\nasync fn two() {}\nfn three() {}";
        let found = tests_in(&source("crates/api/src/a.rs", text));
        assert_eq!(found, [test("api", "one"), test("api", "two")]);
        assert_eq!(tests_in(&source("bench/a.rs", text)), []);
        let made = "\nmacro_rules! cells {\n    ($($t:ident)*) => {\n        #[test]\n        fn $t() {}\n    };\n}\n\n\
                    cells! {\n    one: a B;\n    two: a C;\n}\nfn three() {}\n";
        let found = tests_in(&source("crates/api/tests/a.rs", made));
        assert_eq!(found, [test("api", "one"), test("api", "two")]);
    }

    #[test]
    fn a_document_names_only_what_there_is_and_every_gate() {
        let known = BTreeSet::from([test("api", "gate_one"), test("api", "two")]);
        let check = |text: &str, findings: usize| {
            let documents = BTreeMap::from([("docs/security/a.md", text)]);
            let mut found = missing(&documents, &known);
            found.extend(unnamed_gates(&documents, &known));
            assert_eq!(found.len(), findings, "{text}: {found:?}");
        };
        check("| a | `api:gate_one`, `api:two` |", 0);
        check("| a | `api:gate_one` and `sqlite:PATH` or `10.0.0.1:80` |", 0);
        check("| a | `api:gate_one` `api:three` |", 1);
        check("| a | `gate:gate_one` |", 2);
        check("| a | `api:two` |", 1);
        check("", 1);
    }

    #[test]
    fn each_criterion_and_each_layer_has_a_test() {
        let whole: String = (1..=5).map(|n| format!("## Criterion {n}\n`api:a`\n")).collect();
        assert_eq!(criteria_without_tests(&whole), [""; 0]);
        assert_eq!(criteria_without_tests(&whole.replacen("`api:a`", "", 1)).len(), 1);
        assert_eq!(criteria_without_tests(&format!("{whole}## Criterion 6\n`api:a`")).len(), 1);
        let names = layer_names("            Self::Seccomp => \"seccomp\",\n            Self::A => other,");
        assert_eq!(names, ["seccomp"]);
        assert_eq!(layers_without_tests(&names, "| `seccomp` | x | `guard:a` |"), [""; 0]);
        assert_eq!(layers_without_tests(&names, "| `seccomp` | x | none |").len(), 1);
        assert_eq!(layers_without_tests(&names, "").len(), 1);
        assert_eq!(layers_without_tests(&[], "").len(), 1);
    }
}
