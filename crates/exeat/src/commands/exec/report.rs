//! Where the report goes: standard error, a file, or a descriptor that the caller opened.

use std::fs::File;
use std::io::Write as _;
use std::str::FromStr;

use serde_json::Value;

use crate::failure::Failure;

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file; replaced.
    File(std::path::PathBuf),
    /// An open descriptor of this process.
    Descriptor(u32),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("fd:") {
            Some(number) => match number.parse() {
                Ok(0) | Err(_) => Err("expected FILE or fd:N with a descriptor that can be written to".to_owned()),
                Ok(number) => Ok(Self::Descriptor(number)),
            },
            None if text.is_empty() => Err("expected FILE or fd:N".to_owned()),
            None => Ok(Self::File(text.into())),
        }
    }
}

/// An open report. It is opened before the command starts: afterwards would be too late to say that it cannot be.
#[derive(Debug)]
pub(super) struct Report(File);

impl Report {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be written to.
    pub(super) fn open(place: &Place) -> Result<Self, Failure> {
        let (shown, opened) = match place {
            Place::File(path) => (path.display().to_string(), File::create(path)),
            Place::Descriptor(number) => {
                let path = format!("/proc/self/fd/{number}");
                (format!("fd:{number}"), File::options().append(true).open(path))
            }
        };
        opened
            .map(Self)
            .map_err(|error| Failure::usage(format!("--report {shown} cannot be written")).why(error.to_string()))
    }

    /// Writes one object on one line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&mut self, value: &Value) -> Result<(), Failure> {
        writeln!(self.0, "{value}").and_then(|()| self.0.flush()).map_err(Failure::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_to_a_file_or_to_an_open_descriptor() {
        for (text, want) in [
            ("report.json", Some(Place::File("report.json".into()))),
            ("fd:3", Some(Place::Descriptor(3))),
            ("fd:0", None),
            ("fd:x", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), want, "{text}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let mut report = Report::open(&Place::File(path.clone())).unwrap();
        report.write(&serde_json::json!({ "a": 1 })).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n");
        assert!(Report::open(&Place::File(dir.path().join("no/r"))).is_err());
        assert!(Report::open(&Place::Descriptor(9_999)).is_err());
    }
}
