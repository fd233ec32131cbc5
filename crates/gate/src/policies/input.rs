//! The files of a set as a caller sends them: bounded, plainly named, without secrets.

use redact::Scanner;
use rules::Problem;
use serde::Deserialize;

use crate::Refusal;

/// LIMIT: bytes of all texts of a set together.
pub const BYTES_MAX: usize = rules::load::SET_BYTES_MAX;
/// LIMIT: files of a set.
pub const FILES_MAX: usize = rules::load::FILES_MAX;
/// LIMIT: bytes of a file's name.
const NAME_MAX: usize = 200;

/// One file of a set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileInput {
    /// Its name: letters, digits, `.`, `_` and `-`, ending in `.toml`; `.test.toml` for tests.
    pub name: String,
    /// The TOML.
    pub text: String,
}

/// Reads the files of a set. No files at all are a set without rules.
///
/// # Errors
/// 400 `invalid_request` at `/files`: missing, a name that is bad or there twice, over a limit.
pub(super) fn files(given: Option<Vec<FileInput>>) -> Result<Vec<rules::Source>, Refusal> {
    let given = given.ok_or_else(|| Refusal::invalid_field("/files", "`files` is missing"))?;
    if given.len() > FILES_MAX {
        return Err(Refusal::invalid_field("/files", format!("a set has at most {FILES_MAX} files")));
    }
    let bytes: usize = given.iter().map(|file| file.text.len()).sum();
    if bytes > BYTES_MAX {
        return Err(Refusal::invalid_field("/files", format!("a set has at most {} MiB of text", BYTES_MAX >> 20)));
    }
    let mut names = std::collections::HashSet::new();
    for (place, file) in given.iter().enumerate() {
        let at = format!("/files/{place}/name");
        if !is_name(&file.name) {
            let detail = "a file is named with letters, digits, `.`, `_` and `-` and ends in `.toml`";
            return Err(Refusal::invalid_field(&at, detail));
        }
        if !names.insert(file.name.as_str()) {
            return Err(Refusal::invalid_field(&at, "two files have this name"));
        }
    }
    Ok(given.into_iter().map(|file| rules::Source { name: file.name, text: file.text }).collect())
}

/// Whether a file of a set may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    name.len() <= NAME_MAX && name.len() > 5 && name.ends_with(".toml") && name.bytes().all(plain)
}

/// A problem for each secret in a text: a set is kept for ever and shown to whoever may read it.
pub(super) fn secrets(files: &[rules::Source]) -> Vec<Problem> {
    let scanner = Scanner::standard();
    let mut problems = Vec::new();
    for file in files {
        for finding in scanner.findings(&file.text) {
            let before = file.text.get(..finding.span.start).unwrap_or_default();
            let (line, column) = place(before);
            problems.push(super::prepare::problem(
                &file.name,
                (line, column),
                format!("there is a secret here ({}): a policy is no place for one", finding.rule),
            ));
        }
    }
    problems
}

/// Line and column, from 1, of what follows `before`.
fn place(before: &str) -> (u32, u32) {
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a.toml", "team-a_1.toml", "x.test.toml", "1.2.toml"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".toml", "a", "a.txt", "a/b.toml", "../a.toml", "a b.toml", "ä.toml", "a.toml\n"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_name(&format!("{}.toml", "a".repeat(NAME_MAX))));
    }

    #[test]
    fn a_secret_is_told_by_its_place_and_never_shown() {
        let secret = format!("ghp_{}", "aB3dE5fG7h".repeat(4).get(..36).unwrap());
        let text = format!("# nothing here\nreason = \"{secret}\"\n");
        let files = [rules::Source { name: "a.toml".to_owned(), text }];
        let found = secrets(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].line, found[0].file.as_str()), (2, "a.toml"));
        assert!(!format!("{found:?}").contains(&secret));
        let clean = [rules::Source { name: "a.toml".to_owned(), text: "reason = \"no telemetry\"\n".to_owned() }];
        assert!(secrets(&clean).is_empty(), "the control");
    }
}
