//! What must not be in a tracked file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::none;
use crate::cargo::{output, workspace_root};

/// The only crate that may leave safe Rust, for the system calls of the process guard.
const UNSAFE_ALLOWED_IN: &str = "crates/guard/";
const LINES_MAX: usize = 600;
const TEST_LINES_MAX: usize = 1_500;

/// Written in two parts, so that this file does not contain what it looks for.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), concat!("unimpl", "emented!")];
const HOMES: [&str; 3] = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];
const UNSAFE: [&str; 4] =
    [concat!("unsa", "fe {"), concat!("unsa", "fe fn"), concat!("unsa", "fe impl"), concat!("unsa", "fe extern")];

pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

/// Every text file that git tracks or would track.
pub(super) fn sources() -> Result<Vec<Source>> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(workspace_root());
    let listing = output(&mut git).context("listing the files of the repository")?;
    let mut found = Vec::new();
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        // Deleted but not committed yet, or not text: neither is a source.
        if let Ok(text) = std::fs::read_to_string(workspace_root().join(path)) {
            found.push(Source { path: path.to_owned(), text });
        }
    }
    ensure!(found.iter().any(|source| is_rust(&source.path)), "git lists no Rust files");
    Ok(found)
}

pub(super) fn no_unsafe() -> Result<()> {
    let sources = sources()?;
    let mut findings =
        lines_with(sources.iter().filter(|source| !source.path.starts_with(UNSAFE_ALLOWED_IN)), is_rust, |line| {
            UNSAFE.iter().any(|word| line.contains(word))
        });
    let manifests = sources.iter().filter(|source| source.path != "Cargo.toml" && source.path.ends_with("Cargo.toml"));
    // What stands outside the workspace cannot take its lints, but can say the one that counts here.
    let strict = ["[lints]\nworkspace = true", "[lints.rust]\nunsafe_code = \"forbid\""];
    let lax = manifests.filter(|source| {
        !source.path.starts_with(UNSAFE_ALLOWED_IN) && !strict.iter().any(|lints| source.text.contains(lints))
    });
    findings.extend(
        lax.map(|source| format!("{}: neither takes the lints of the workspace nor forbids unsafe", source.path)),
    );
    none("leaving safe Rust is for the process guard only", &findings)
}

pub(super) fn short_files() -> Result<()> {
    let long = sources()?.into_iter().filter(|source| is_rust(&source.path)).filter_map(|source| {
        let (lines, max) = (source.text.lines().count(), lines_max(&source.path));
        (lines > max).then(|| format!("{}: {lines} lines, at most {max}; look for the second noun in it", source.path))
    });
    none("a file holds one noun or one verb", &long.collect::<Vec<_>>())
}

pub(super) fn nothing_unfinished() -> Result<()> {
    let findings = lines_with(&sources()?, |_| true, |line| UNFINISHED.iter().any(|word| line.contains(word)));
    none("what is not done is an issue, not a comment", &findings)
}

pub(super) fn no_machine_paths() -> Result<()> {
    let here = workspace_root().to_string_lossy().into_owned();
    let findings = lines_with(&sources()?, |_| true, |line| names_machine_path(line, &here));
    none("no place of one machine belongs in the repository", &findings)
}

fn lines_with<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    in_file: impl Fn(&str) -> bool,
    matches: impl Fn(&str) -> bool,
) -> Vec<String> {
    let in_one = |source: &Source| -> Vec<String> {
        let lines = source.text.lines().enumerate().filter(|(_, line)| matches(line));
        lines.map(|(index, line)| format!("{}:{}: {}", source.path, index + 1, line.trim())).collect()
    };
    sources.into_iter().filter(|source| in_file(&source.path)).flat_map(in_one).collect()
}

pub(super) fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn lines_max(path: &str) -> usize {
    let path = PathBuf::from(path);
    let in_tests = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
    if in_tests { TEST_LINES_MAX } else { LINES_MAX }
}

/// Homes that nobody has or every machine: of examples, of guarded calls, of everybody.
const EXAMPLE_HOMES: [&str; 6] = ["me/", "me\"", "exeat", "linuxbrew", "*", ".bashrc"];

/// A home directory, unless it is part of a longer path such as that of a URL; or the place of this checkout.
fn names_machine_path(line: &str, here: &str) -> bool {
    let starts_path = |at: usize| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|before| before.is_alphanumeric() || "._-~%*$}>/".contains(before))
    };
    let is_example = |rest: Option<&str>| rest.is_some_and(|rest| EXAMPLE_HOMES.iter().any(|me| rest.starts_with(me)));
    let home = HOMES.iter().any(|home| {
        line.match_indices(home).any(|(at, _)| starts_path(at) && !is_example(line.get(at + home.len()..)))
    });
    home || line.match_indices(here).any(|(at, _)| starts_path(at))
}

#[cfg(test)]
mod tests {
    use super::{HOMES, lines_max, names_machine_path};

    #[test]
    fn finds_machine_paths_and_leaves_urls_alone() {
        for home in HOMES {
            assert!(names_machine_path(&format!("let p = \"{home}someone/src\";"), "/srv/checkout"), "{home}");
            assert!(names_machine_path(&format!("{home}x"), "/srv/checkout"), "{home}");
            assert!(!names_machine_path(&format!("https://example.com{home}x"), "/srv/checkout"), "{home}");
            assert!(!names_machine_path(&format!("$ROOT{home}x"), "/srv/checkout"), "{home}");
            assert!(!names_machine_path(&format!("\"{home}me\""), "/srv/checkout"), "{home}");
        }
        assert!(names_machine_path("see /srv/checkout/notes", "/srv/checkout"));
        assert!(!names_machine_path("see /var/lib/exeat", "/srv/checkout"));
    }

    #[test]
    fn gives_tests_more_room() {
        assert_eq!(lines_max("crates/store/src/recorder.rs"), 600);
        assert_eq!(lines_max("crates/store/src/latests.rs"), 600);
        assert_eq!(lines_max("crates/store/tests/it/recorder.rs"), 1_500);
        assert_eq!(lines_max("crates/store/src/recorder/tests.rs"), 1_500);
    }
}
