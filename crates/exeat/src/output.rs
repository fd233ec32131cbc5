//! What a command says: data to standard output, talk to standard error.
//!
//! With `--json` standard output carries one object (or one per line for streams) and nothing else.
//! Text that came from elsewhere passes [`clean`] before a person sees it.

mod table;
mod text;
mod when;

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

pub use table::Table;
pub use text::{clean, field, opt, size};
pub use when::Clock;
pub(crate) use when::now;

use crate::failure::Failure;

/// Whether data is for a person or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables and sentences.
    Text,
    /// JSON.
    Json,
}

/// How much is said beside the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Errors and warnings.
    Quiet,
    /// Also what changed and how to undo it.
    Normal,
    /// Also what is being done.
    Verbose,
}

/// The two streams of a command.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
    talk: Talk,
    clock: Clock,
}

/// Secondary text.
pub const DIM: Style = Style::new().dimmed();
/// Headings.
pub const BOLD: Style = Style::new().bold();
/// A yes.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// A no.
pub const BAD: Style = AnsiColor::Red.on_default();
/// A "wait".
pub const WAIT: Style = AnsiColor::Yellow.on_default();

impl Output {
    /// The streams of this process.
    #[must_use]
    pub fn new(format: Format, talk: Talk) -> Self {
        let clock = if std::io::stdout().is_terminal() { Clock::relative() } else { Clock::Absolute };
        Self { format, talk, clock }
    }

    /// Whether data goes out as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether only data, warnings and errors are to be said.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.talk == Talk::Quiet
    }

    /// Writes one line of data.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::from)
    }

    /// Writes one object: indented on a terminal, on one line elsewhere.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn object(&self, value: &Value) -> Result<(), Failure> {
        let terminal = std::io::stdout().is_terminal();
        let text = if terminal { format!("{value:#}") } else { value.to_string() };
        self.raw(&text)
    }

    /// Writes one object on one line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json_line(&self, value: &Value) -> Result<(), Failure> {
        self.raw(&value.to_string())
    }

    /// Writes text to standard output exactly as it is.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::from)
    }

    /// Shows an answer: the object with `--json`, else what `show` makes of it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn answer(
        &self,
        value: &Value,
        show: impl FnOnce(&Self, &Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.is_json() { self.object(value) } else { show(self, value) }
    }

    /// Writes a table, or `nothing` to standard error when it has no rows.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn table(&self, table: Table, nothing: &str) -> Result<(), Failure> {
        match table.render() {
            Some(text) => self.line(&text),
            None => {
                self.say(nothing);
                Ok(())
            }
        }
    }

    /// Says something beside the data, unless `--quiet`.
    pub fn say(&self, text: &str) {
        if self.talk >= Talk::Normal {
            stderr(text);
        }
    }

    /// Says what is being done, with `--verbose`.
    pub fn detail(&self, text: &str) {
        if self.talk >= Talk::Verbose {
            stderr(&format!("{DIM}{text}{DIM:#}"));
        }
    }

    /// Warns, always.
    pub fn warn(&self, text: &str) {
        stderr(&format!("{WAIT}warning:{WAIT:#} {text}"));
    }

    /// Tells something that must be seen, always: it is no data, and no talk either.
    pub fn tell(&self, text: &str) {
        stderr(text);
    }

    /// Tells why the command failed: text, or with `--json` one object on one line.
    pub fn failure(&self, failure: &Failure) {
        if self.is_json() {
            stderr(&failure.to_json().to_string());
            return;
        }
        let text = failure.to_text();
        let rest = text.strip_prefix("error:").unwrap_or(&text);
        stderr(&format!("{BAD}error:{BAD:#}{rest}"));
    }

    /// A time for a person: relative on a terminal, as it is elsewhere.
    #[must_use]
    pub fn when(&self, value: &Value, name: &str) -> String {
        match value.get(name).and_then(Value::as_str) {
            Some(text) => self.clock.show(text),
            None => "-".to_owned(),
        }
    }
}

fn stderr(text: &str) {
    // When even standard error is closed there is nobody left to tell.
    writeln!(anstream::stderr().lock(), "{text}").ok();
}
