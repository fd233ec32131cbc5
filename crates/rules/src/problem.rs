//! What is wrong with a text, where, and what was probably meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 = the file or the set as a whole.
    pub line: u32,
    /// The column in characters, from 1; 0 with line 0.
    pub column: u32,
    /// What is wrong, in one line.
    pub message: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message)?,
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message)?,
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// `did you mean …`, when one of the names is close to what was written.
#[must_use]
pub fn did_you_mean<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = names.into_iter().map(|name| (distance(written, name), name)).min()?;
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    (near.0 <= allowed).then(|| format!("did you mean `{}`?", near.1))
}

/// Edits between two texts (insert, delete, replace, swap neighbours), case ignored.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    if a.len().abs_diff(b.len()) > 3 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&last, j + 1) + 1).min(at(&row, j) + 1).min(at(&last, j) + usize::from(from != to));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_was_probably_meant() {
        let check = |written, want: Option<&str>| {
            let want = want.map(|name| format!("did you mean `{name}`?"));
            assert_eq!(did_you_mean(written, ["method", "host", "agent", "purpose"]), want, "{written}");
        };
        check("methd", Some("method"));
        check("hots", Some("host"));
        check("Agent", Some("agent"));
        check("port", None);
        check("nothing-like-it", None);
    }
}
