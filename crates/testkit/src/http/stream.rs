//! Reading server-sent events as they arrive.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::response::{Reader, is_chunked};

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The `id:` field.
    pub id: Option<String>,
    /// The `event:` field.
    pub name: Option<String>,
    /// The `data:` lines, joined by newlines.
    pub data: String,
}

/// An open stream of events; closed when dropped.
#[derive(Debug)]
pub struct EventStream {
    connection: Reader,
    text: String,
    /// Heartbeats and other comments seen so far.
    comments: usize,
}

impl EventStream {
    pub(super) fn open(mut connection: Reader) -> Result<Self> {
        let head = connection.head()?;
        let kind = head.header("content-type").unwrap_or_default();
        ensure!(
            head.status == 200 && kind.starts_with("text/event-stream") && is_chunked(&head),
            "not a stream of events: status {}, content-type `{kind}`",
            head.status
        );
        Ok(Self { connection, text: String::new(), comments: 0 })
    }

    /// Waits for the next event, at most `timeout` without any byte; `None` when the server ended the stream.
    ///
    /// # Errors
    /// When nothing arrives in time or the connection breaks.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Event>> {
        self.connection.socket().set_read_timeout(Some(timeout))?;
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (event, comments) = parse(block);
                self.comments += comments;
                self.text = rest.to_owned();
                if let Some(event) = event {
                    return Ok(Some(event));
                }
            }
            match self.connection.chunk()? {
                Some(chunk) => self.text.push_str(&String::from_utf8(chunk)?),
                None => return Ok(None),
            }
        }
    }

    /// How many comments, heartbeats above all, came so far.
    #[must_use]
    pub fn comments(&self) -> usize {
        self.comments
    }
}

fn parse(block: &str) -> (Option<Event>, usize) {
    let (mut event, mut has_field, mut comments) = (Event::default(), false, 0);
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => comments += 1,
            "id" => event.id = Some(value.to_owned()),
            "event" => event.name = Some(value.to_owned()),
            "data" => data.push(value),
            _ => {}
        }
        has_field |= matches!(field, "id" | "event" | "data");
    }
    event.data = data.join("\n");
    (has_field.then_some(event), comments)
}
