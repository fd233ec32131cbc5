//! Reads a `text/event-stream`, as far as the server writes it: `id`, `event`, `data`, comments.

use std::collections::VecDeque;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// The longest message that is read.
// LIMIT: 4 MiB; an event is at most a little over the 1 MiB a request may have.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Where to go on after it.
    pub id: Option<String>,
    /// Its payload.
    pub data: String,
}

/// A stream being read.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    parser: Parser,
    ready: VecDeque<Message>,
}

impl EventStream {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, parser: Parser::default(), ready: VecDeque::new() }
    }

    /// The next message; `None` when the stream ended or broke. The caller connects again with the
    /// last id it saw, so the two need no telling apart.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing: what was read stays in the parser.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(bytes) = frame.into_data() {
                self.parser.feed(&bytes, &mut self.ready)?;
            }
        }
    }
}

#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    message: Message,
    has_data: bool,
    after_cr: bool,
}

impl Parser {
    /// Takes bytes and adds the messages they complete. `None`: a message is too long.
    fn feed(&mut self, bytes: &[u8], ready: &mut VecDeque<Message>) -> Option<()> {
        for byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.end_line(&String::from_utf8_lossy(&line), ready);
                }
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.message.data.len() > MESSAGE_BYTES_MAX {
                return None;
            }
        }
        Some(())
    }

    fn end_line(&mut self, line: &str, ready: &mut VecDeque<Message>) {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            if std::mem::take(&mut self.has_data) {
                ready.push_back(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
                self.has_data = true;
            }
            "id" if !value.contains('\0') => self.message.id = Some(value.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 7\nevent: e\ndata: {\"a\":1}\n\ndata: one\r\ndata:two\r\n\r\nid: 9\n\n:x\ndata: last\rid: 10\r\r";

    fn message(id: Option<&str>, data: &str) -> Message {
        Message { id: id.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn the_cuts_between_packets_do_not_matter() {
        let expected = [message(Some("7"), "{\"a\":1}"), message(None, "one\ntwo"), message(Some("10"), "last")];
        for size in 1..STREAM.len() {
            let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
            for chunk in STREAM.as_bytes().chunks(size) {
                parser.feed(chunk, &mut ready).unwrap();
            }
            assert_eq!(ready, expected, "{size}");
        }
    }

    #[test]
    fn a_message_without_end_is_cut_off() {
        let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
        assert!(parser.feed(&vec![b'x'; MESSAGE_BYTES_MAX], &mut ready).is_some());
        assert!(parser.feed(b"x", &mut ready).is_none());
    }
}
