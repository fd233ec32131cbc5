//! Tells the tour, at the pace of a reader. With `--json` it keeps silent.

use std::time::Duration;

use crate::failure::Failure;
use crate::output::{BOLD, DIM, Output};

/// How many lines of a timeline are drawn in one pause.
const LINES_IN_A_PAUSE: u32 = 12;

/// Who tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Narrator {
    output: Output,
    pause: Duration,
}

impl Narrator {
    pub(super) fn new(output: Output, pause: Duration) -> Self {
        Self { output, pause }
    }

    /// The stream that events are read beside.
    pub(super) fn output(self) -> Output {
        self.output
    }

    /// Begins a chapter.
    pub(super) async fn chapter(self, title: &str, told: &[&str]) -> Result<(), Failure> {
        self.line("", self.pause).await?;
        self.line(&format!("{BOLD}{title}{BOLD:#}"), Duration::ZERO).await?;
        self.say(told).await
    }

    /// Tells a paragraph and gives time to read it.
    pub(super) async fn say(self, told: &[&str]) -> Result<(), Failure> {
        for text in told {
            self.line(&format!("  {text}"), Duration::ZERO).await?;
        }
        if !told.is_empty() {
            self.rest(self.pause).await;
        }
        Ok(())
    }

    /// Leaves a line empty.
    pub(super) async fn gap(self) -> Result<(), Failure> {
        self.line("", Duration::ZERO).await
    }

    /// One line of a timeline, drawn fast enough to look alive.
    pub(super) async fn draw(self, line: &str) -> Result<(), Failure> {
        self.line(&format!("  {line}"), self.pause / LINES_IN_A_PAUSE).await
    }

    /// Commands to try, each with what it does.
    pub(super) async fn commands(self, commands: &[(String, &str)]) -> Result<(), Failure> {
        let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
        for (command, does) in commands {
            self.line(&format!("  {command:<width$}  {DIM}{does}{DIM:#}"), Duration::ZERO).await?;
        }
        Ok(())
    }

    async fn line(self, text: &str, before: Duration) -> Result<(), Failure> {
        if self.output.is_json() {
            return Ok(());
        }
        self.rest(before).await;
        self.output.line(text.trim_end())
    }

    async fn rest(self, how_long: Duration) {
        if !self.output.is_json() && !how_long.is_zero() {
            tokio::time::sleep(how_long).await;
        }
    }
}
