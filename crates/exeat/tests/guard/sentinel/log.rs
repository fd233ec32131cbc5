//! What was heard, in order.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{FENCE, HEARD};

#[derive(Debug, Default)]
struct Entries {
    /// Nothing stands where a fence was.
    heard: Vec<Option<String>>,
}

type Dial = Box<dyn Fn() + Send + Sync>;

/// Shared by all who listen.
#[derive(Clone, Default)]
pub struct Log {
    entries: Arc<Mutex<Entries>>,
    fences: Arc<Mutex<Vec<Dial>>>,
}

impl Log {
    /// Something arrived.
    pub fn heard(&self, what: impl Into<String>) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.heard.push(Some(what.into()));
        entries.heard.len() - 1
    }

    pub fn length(&self) -> usize {
        self.entries.lock().unwrap().heard.len()
    }

    pub fn since(&self, mark: usize) -> Vec<String> {
        self.entries.lock().unwrap().heard[mark..].iter().flatten().cloned().collect()
    }

    /// Takes note of how to send a fence through a listener, and wait for its answer.
    pub fn fence_by(&self, dial: impl Fn() + Send + Sync + 'static) {
        self.fences.lock().unwrap().push(Box::new(dial));
    }

    /// Sends a fence through every listener: they take in what comes in order.
    pub fn fence(&self) {
        for dial in self.fences.lock().unwrap().iter() {
            dial();
        }
    }

    /// What came in first was the sentinel's own.
    pub fn forget(&self, entry: usize) {
        self.entries.lock().unwrap().heard[entry] = None;
    }

    /// Records a connection, then answers it.
    pub fn converse(&self, what: String, mut stream: impl Read + Write + Send + 'static) {
        let entry = self.heard(what.clone());
        let log = self.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            let size = stream.read(&mut bytes).unwrap_or(0);
            if &bytes[..size] == FENCE {
                log.forget(entry);
            }
            let _ = match what.ends_with(" 80") {
                true => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nheard"),
                false => stream.write_all(HEARD),
            };
            // Until the other side has had enough.
            while matches!(stream.read(&mut bytes), Ok(1..)) {}
        });
    }
}

/// A fence through a stream: sent, and answered.
pub fn fence(mut stream: impl Read + Write) {
    stream.write_all(FENCE).unwrap();
    let mut said = [0; 6];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(said, HEARD);
}
