//! A name server that says what the script of a name says, and remembers every question.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One answer to one question.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// CNAMEs to walk first.
    pub chain: Vec<String>,
    /// Those of the asked family are given.
    pub addresses: Vec<IpAddr>,
    pub ttl: u32,
    pub delay: Duration,
    /// 0 no error, 2 server failure, 3 no such name, 5 refused.
    pub code: u8,
    /// Says over UDP that it was cut off, so that TCP is tried.
    pub truncated: bool,
    /// Says nothing at all.
    pub silent: bool,
    /// Answers another question than the one asked.
    pub astray: bool,
}

impl Answer {
    pub fn of(addresses: &[&str]) -> Self {
        Self { addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(), ttl: 60, ..Self::default() }
    }

    pub fn chain(mut self, names: &[&str]) -> Self {
        self.chain = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    pub fn ttl(mut self, ttl: u32) -> Self {
        self.ttl = ttl;
        self
    }

    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn truncated(mut self) -> Self {
        self.truncated = true;
        self
    }

    pub fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    pub fn code(code: u8) -> Self {
        Self { code, ..Self::default() }
    }

    pub fn astray(mut self) -> Self {
        self.astray = true;
        self
    }
}

/// A question as it came in: the name in lower case without its last dot, and the type (1 A, 28 AAAA, …).
pub type Question = (String, u16);

#[derive(Default)]
struct State {
    /// The n-th question of a type for a name gets the n-th answer; the last one stays.
    scripts: HashMap<String, Vec<Answer>>,
    /// What names without a script get.
    otherwise: Option<Answer>,
    asked: Vec<Question>,
}

/// The one name server of a world.
#[derive(Clone, Default)]
pub struct Names {
    state: Arc<Mutex<State>>,
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
/// What fits into an answer over UDP to a client that says nothing about more.
const UDP_MAX: usize = 512;

impl Names {
    /// Serves on sockets that were bound by the caller.
    pub fn serve(&self, udp: UdpSocket, tcp: TcpListener) {
        let names = self.clone();
        std::thread::spawn(move || names.over_udp(&udp));
        let names = self.clone();
        std::thread::spawn(move || {
            for stream in tcp.incoming().map_while(Result::ok) {
                let names = names.clone();
                // A client that goes away in the middle is its own business.
                std::thread::spawn(move || names.over_tcp(stream).ok());
            }
        });
    }

    /// What a name resolves to from now on; several answers come one after the other.
    pub fn say(&self, name: &str, script: Vec<Answer>) {
        let mut state = self.state.lock().unwrap();
        state.asked.retain(|(asked, _)| asked != name);
        state.scripts.insert(name.to_owned(), script);
    }

    /// What names without a script resolve to; they do not exist otherwise.
    pub fn otherwise(&self, answer: Answer) {
        self.state.lock().unwrap().otherwise = Some(answer);
    }

    /// How many questions were asked for a name since its script was set.
    pub fn asked(&self, name: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|(asked, _)| asked == name).count()
    }

    /// All questions ever asked.
    pub fn questions(&self) -> Vec<Question> {
        self.state.lock().unwrap().asked.clone()
    }

    fn over_udp(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let (names, query) = (self.clone(), buffer[..length].to_vec());
            let socket = socket.try_clone().unwrap();
            std::thread::spawn(move || {
                let Some((mut bytes, answer)) = names.answer(&query) else { return };
                if answer.truncated || bytes.len() > UDP_MAX {
                    bytes = empty(&query, 0x02, 0);
                }
                // The asker may be gone.
                let _sent = socket.send_to(&bytes, from);
            });
        }
    }

    fn over_tcp(&self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query)?;
            let Some((bytes, _)) = self.answer(&query) else {
                // Silent, and not gone either.
                std::thread::sleep(Duration::from_secs(60));
                return Ok(());
            };
            stream.write_all(&u16::try_from(bytes.len()).unwrap().to_be_bytes())?;
            stream.write_all(&bytes)?;
        }
    }

    /// `None` for silence.
    fn answer(&self, query: &[u8]) -> Option<(Vec<u8>, Answer)> {
        let (name, kind) = question(query)?;
        let answer = {
            let mut state = self.state.lock().unwrap();
            let before = state.asked.iter().filter(|asked| **asked == (name.clone(), kind)).count();
            state.asked.push((name.clone(), kind));
            match state.scripts.get(&name) {
                Some(script) => script.get(before).or(script.last()).cloned().unwrap_or_default(),
                None => state.otherwise.clone().unwrap_or(Answer::code(3)),
            }
        };
        std::thread::sleep(answer.delay);
        if answer.silent {
            return None;
        }
        Some((encode(query, kind, &answer), answer))
    }
}

fn question(query: &[u8]) -> Option<Question> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at + 1..=at + length)?).to_ascii_lowercase());
        at += length + 1;
    }
    Some((labels.join("."), u16::from_be_bytes(query.get(at + 1..at + 3)?.try_into().ok()?)))
}

/// The question section's end: name, type and class.
fn question_end(query: &[u8]) -> usize {
    let mut at = 12;
    while query[at] != 0 {
        at += usize::from(query[at]) + 1;
    }
    at + 5
}

fn empty(query: &[u8], flags: u8, code: u8) -> Vec<u8> {
    let mut bytes = query[..2].to_vec();
    bytes.extend([0x84 | flags | (query[2] & 1), 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(&query[12..question_end(query)]);
    bytes
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn encode(query: &[u8], kind: u16, answer: &Answer) -> Vec<u8> {
    let mut bytes = empty(query, 0, answer.code);
    if answer.astray {
        // Another name than the one asked for, of the same length.
        bytes[13] = if bytes[13] == b'x' { b'y' } else { b'x' };
    }
    let (mut owner, mut count) = (vec![0xc0, 12], 0u16);
    let mut record = |owner: &[u8], kind: u16, data: &[u8]| {
        bytes.extend(owner);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(answer.ttl.to_be_bytes());
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
        count += 1;
    };
    for next in &answer.chain {
        record(&owner, CNAME, &wire(next));
        owner = wire(next);
    }
    for address in &answer.addresses {
        match (address, kind) {
            (IpAddr::V4(address), A) => record(&owner, A, &Ipv4Addr::octets(address)),
            (IpAddr::V6(address), AAAA) => record(&owner, AAAA, &Ipv6Addr::octets(address)),
            _ => {}
        }
    }
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    bytes
}
