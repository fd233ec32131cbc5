//! A server for one test: answers by method and path, and keeps what it was asked.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

type Answers = HashMap<String, (u16, &'static str, Vec<String>)>;

/// The server. Its thread ends with the process.
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Answers `METHOD /path` with status and JSON; everything else with 404 problem+json.
    pub(crate) fn new(answers: &[(&str, u16, Value)]) -> Self {
        Self::start(
            answers
                .iter()
                .map(|(line, status, body)| ((*line).to_owned(), (*status, "application/json", vec![body.to_string()])))
                .collect(),
        )
    }

    /// Answers a GET of `path` with event streams: the first connection gets the first, and so on.
    pub(crate) fn streaming(path: &str, streams: &[&str]) -> Self {
        let streams = streams.iter().map(|text| (*text).to_owned()).collect();
        Self::start(HashMap::from([(format!("GET {path}"), (200, "text/event-stream", streams))]))
    }

    /// Answers every request with one status, type and text.
    pub(crate) fn always(status: u16, kind: &'static str, text: &str) -> Self {
        Self::start(HashMap::from([("*".to_owned(), (status, kind, vec![text.to_owned()]))]))
    }

    fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut served: HashMap<String, usize> = HashMap::new();
            for stream in listener.incoming() {
                serve(stream.unwrap(), &answers, &mut served, &log);
            }
        });
        Self { url, asked }
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The one request of this method and path.
    pub(crate) fn only(&self, line: &str) -> Asked {
        let all: Vec<Asked> =
            self.asked().into_iter().filter(|asked| asked.line().split('?').next() == Some(line)).collect();
        assert_eq!(all.len(), 1, "{line}: {:?}", self.asked());
        all.into_iter().next().unwrap()
    }
}

fn serve(mut stream: TcpStream, answers: &Answers, served: &mut HashMap<String, usize>, log: &Mutex<Vec<Asked>>) {
    let Some(asked) = read(&stream) else { return };
    let line = asked.line().split('?').next().unwrap().to_owned();
    log.lock().unwrap().push(asked);
    let missing = (
        404,
        "application/problem+json",
        vec![
            r#"{"title":"Not found","status":404,"error":"not_found","detail":"no such thing","request_id":"req_1"}"#
                .to_owned(),
        ],
    );
    let (status, kind, bodies) = answers.get(&line).or_else(|| answers.get("*")).unwrap_or(&missing);
    let count = served.entry(line).or_default();
    let body = &bodies[(*count).min(bodies.len() - 1)];
    *count += 1;
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}").unwrap();
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, target, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
