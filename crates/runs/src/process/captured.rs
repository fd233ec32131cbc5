//! What a command says, as far as it is kept: the beginning and the end of each stream, without credentials.
//!
//! All of it is read, so that nobody who talks much stands still, and little of it is held. More is held
//! than is kept: a credential that the cut would go through is seen whole and left out.

use redact::Scanner;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// LIMIT: how much of a stream is kept, in bytes of text; half of its beginning, half of its end.
pub(super) const KEPT_BYTES: usize = 64 * 1024;
const HALF: usize = KEPT_BYTES / 2;
/// How far beyond a cut is looked for the rest of a credential. The longest are private keys.
const BEYOND: usize = 16 * 1024;
const HELD: usize = HALF + BEYOND;

/// One stream of a command.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    head: Vec<u8>,
    /// What came after the head; only its end.
    tail: Vec<u8>,
    bytes: u64,
}

/// A stream as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) text: String,
    pub(super) bytes: u64,
    /// Whether something in the middle is missing.
    pub(super) truncated: bool,
    /// Whether a credential was left out.
    pub(super) redacted: bool,
}

impl Captured {
    /// Reads a stream to its end, or as far as it can be read.
    pub(super) async fn read(&mut self, mut stream: impl AsyncRead + Unpin) {
        let mut part = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut part).await {
            self.take(part.get(..count).unwrap_or_default());
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        let room = HELD.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.head.extend_from_slice(first);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 4 * HELD {
            let old = self.tail.len() - HELD;
            self.tail.drain(..old);
        }
    }

    pub(super) fn kept(&self) -> Kept {
        let bytes = self.bytes;
        let held = self.head.len() + self.tail.len();
        if bytes <= (KEPT_BYTES as u64) && held as u64 == bytes {
            let (text, redacted) = clean(&lossy(&[&self.head, &self.tail]));
            return Kept { text, bytes, truncated: false, redacted };
        }
        // The head overlaps what is kept of the end when the stream is only a little too long.
        let end = [&*self.head, &self.tail].concat();
        let end = end.get(end.len().saturating_sub(HELD)..).unwrap_or(&end);
        let (head, tail) = (lossy(&[&self.head]), lossy(&[end]));
        let (first, redacted_first) = clean(beginning(&head));
        let (last, redacted_last) = clean(ending(&tail));
        let text = format!("{first}\n[… {bytes} bytes in all, the middle is left out …]\n{last}");
        Kept { text, bytes, truncated: true, redacted: redacted_first || redacted_last }
    }
}

impl Kept {
    /// The members that say it, under the stream's name.
    pub(super) fn members(self, name: &str) -> [(String, Value); 3] {
        [
            (name.to_owned(), json!(self.text)),
            (format!("{name}_bytes"), json!(self.bytes)),
            (format!("{name}_truncated"), json!(self.truncated)),
        ]
    }
}

/// As text; what is none, and zero bytes, which no store takes, become the replacement character.
fn lossy(parts: &[&[u8]]) -> String {
    String::from_utf8_lossy(&parts.concat()).replace('\0', "\u{fffd}")
}

fn clean(text: &str) -> (String, bool) {
    let clean = Scanner::standard().text(text);
    let redacted = *clean != *text;
    (clean.into_owned(), redacted)
}

/// The first half, and no part of a credential that the cut would go through.
fn beginning(text: &str) -> &str {
    let found = Scanner::standard().findings(text);
    let mut cut = text.floor_char_boundary(HALF);
    while let Some(split) = found.iter().find(|one| one.span.start < cut && cut < one.span.end) {
        cut = split.span.start;
    }
    text.get(..cut).unwrap_or_default()
}

/// The last half, likewise.
fn ending(text: &str) -> &str {
    let found = Scanner::standard().findings(text);
    let mut cut = text.ceil_char_boundary(text.len().saturating_sub(HALF));
    while let Some(split) = found.iter().find(|one| one.span.start < cut && cut < one.span.end) {
        cut = split.span.end;
    }
    text.get(cut..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

    fn kept(parts: &[&[u8]]) -> Kept {
        let mut captured = Captured::default();
        for part in parts {
            captured.take(part);
        }
        captured.kept()
    }

    #[test]
    fn what_is_short_is_kept_whole() {
        let whole = "x".repeat(KEPT_BYTES);
        for (text, want) in
            [(&b""[..], ""), (b"hello\n", "hello\n"), (b"a\0\xffb", "a\u{fffd}\u{fffd}b"), (whole.as_bytes(), &whole)]
        {
            let kept = kept(&[text]);
            assert_eq!(
                (kept.text.as_str(), kept.bytes, kept.truncated, kept.redacted),
                (want, text.len() as u64, false, false)
            );
        }
    }

    #[test]
    fn of_what_is_long_the_beginning_and_the_end_are_kept() {
        for middle in [1, HALF, 10 * HELD] {
            let text = format!("first{}last", "x".repeat(KEPT_BYTES - 9 + middle));
            let kept = kept(&text.as_bytes().chunks(1_000).collect::<Vec<_>>());
            assert!(kept.truncated && kept.text.starts_with("firstx") && kept.text.ends_with("xlast"), "{middle}");
            assert!(kept.text.len() <= KEPT_BYTES + 100 && kept.text.len() >= KEPT_BYTES, "{}", kept.text.len());
            assert_eq!(kept.bytes, text.len() as u64);
        }
    }

    #[test]
    fn a_credential_is_left_out_wherever_the_cut_goes() {
        // The control: cut in half, nobody would see what it is.
        let half = kept(&[&KEY.as_bytes()[..20]]);
        assert!(!half.redacted && half.text == KEY[..20]);
        assert!(kept(&[KEY.as_bytes()]).redacted);
        for shift in 0..40 {
            let filler = ".".repeat(HALF - 20 + shift);
            let text = format!("{filler} {KEY} {}{KEY} {filler}", ".\n".repeat(3 * HELD));
            let kept = kept(&[text.as_bytes()]);
            assert!(kept.truncated);
            for length in 8..=KEY.len() {
                assert!(!kept.text.contains(&KEY[..length]), "the beginning of it, {length}, {shift}");
                assert!(!kept.text.contains(&KEY[KEY.len() - length..]), "the end of it, {length}, {shift}");
            }
        }
    }
}
