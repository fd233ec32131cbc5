//! The far side: every address there is, and the only link that leads to them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};

use super::{HEARD, Log, NAMES};
use crate::network::{FAR, Far, NEAR};

const PORTS: [u16; 7] = [22, 53, 80, 443, 853, 5432, 8080];
const DATAGRAMS: [(&str, u16); 8] = [
    ("45.79.0.1", 443),
    ("45.79.0.1", 9999),
    ("45.79.0.1", 53),
    ("2606:4700:200::1", 9999),
    ("8.8.8.8", 53),
    ("1.1.1.1", 53),
    ("169.254.169.254", 80),
    ("93.184.100.1", 53),
];
/// Where fences go; nobody listens there.
const FENCE: &str = "45.79.0.1:9";
/// Where the one comes from who looks whether a probe waits for him.
const VISITOR: u16 = 7778;

/// The program that says a line for every packet.
pub struct Capture {
    child: Child,
    fences: Arc<(Mutex<u64>, Condvar)>,
}

/// Listens in the far network.
pub fn listen(far: &Far, log: &Log, capture: &Path) -> Capture {
    let (listeners, sockets, child) = far.within(|| {
        let listeners = PORTS.map(|port| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
        let sockets = DATAGRAMS.map(|(address, port)| {
            let address: IpAddr = address.parse().unwrap();
            if address != FAR {
                let rest = if address.is_ipv4() { "/32 dev lo" } else { "/128 dev lo nodad" };
                ip(&format!("address replace {address}{rest}"));
            }
            UdpSocket::bind((address, port)).unwrap()
        });
        let mut command = Command::new(capture);
        let child = command.arg("far").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let log = log.clone();
        thread::spawn(move || visit(&log));
        (listeners, sockets, child)
    });
    for listener in listeners {
        let log = log.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let port = listener.local_addr().unwrap().port();
                log.converse(format!("tcp {port}"), stream);
            }
        });
    }
    for socket in sockets {
        let log = log.clone();
        thread::spawn(move || answer(&socket, &log));
    }
    Capture::follow(child, log)
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Answers datagrams: questions for names with the sentinel's address, or its word.
fn answer(socket: &UdpSocket, log: &Log) {
    let port = socket.local_addr().unwrap().port();
    let mut bytes = [0; 2048];
    while let Ok((size, from)) = socket.recv_from(&mut bytes) {
        log.heard(format!("udp {port} at {}", socket.local_addr().unwrap().ip()));
        if port != NAMES_PORT {
            let _ = socket.send_to(HEARD, from);
            continue;
        }
        // The question again, and one answer that points to its name: the address, or text.
        let question = &bytes[..size];
        let Some(end) = question.iter().skip(12).position(|byte| *byte == 0).map(|at| at + 17) else { continue };
        let Some(kind) = question.get(end - 4..end - 2) else { continue };
        let mut said = question[..end].to_vec();
        said[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        if kind == [0, 28] {
            said[7] = 0;
        } else {
            let (kind, data): (u8, &[u8]) = if kind == [0, 1] { (1, &[45, 79, 0, 9]) } else { (16, b"\x05heard") };
            said.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 1, 0, u8::try_from(data.len()).unwrap()]);
            said.extend(data);
        }
        let _ = socket.send_to(&said, from);
    }
}

const NAMES_PORT: u16 = 53;

/// Looks again and again whether somebody in the near network waits to be fetched from.
fn visit(log: &Log) {
    loop {
        thread::sleep(Duration::from_millis(100));
        let visitor = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&visitor, true).unwrap();
        sockopt::set_socket_linger(&visitor, Some(Duration::ZERO)).unwrap();
        if bind(&visitor, &SocketAddr::from((NAMES, VISITOR))).is_err() {
            continue;
        }
        if connect(&visitor, &SocketAddr::from((NEAR, 7777))).is_ok() {
            log.heard("reached by a visitor");
            let mut stream = TcpStream::from(visitor);
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read(&mut [0; 64]);
        }
    }
}

impl Capture {
    fn follow(mut child: Child, log: &Log) -> Self {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let fences = Arc::new((Mutex::new(0), Condvar::new()));
        let (log, seen) = (log.clone(), fences.clone());
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line == "ip 17 45.79.0.1 9" {
                    *seen.0.lock().unwrap() += 1;
                    seen.1.notify_all();
                } else if line != format!("ip 6 {FAR} {VISITOR}") {
                    log.heard(format!("packet {line}"));
                }
            }
        });
        Self { child, fences }
    }

    /// Waits until all that was sent over the link before is seen.
    pub fn fence(&self) {
        let (count, wake) = &*self.fences;
        let before = *count.lock().unwrap();
        UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"fence", FENCE).unwrap();
        let waiting = wake.wait_timeout_while(count.lock().unwrap(), Duration::from_secs(10), |now| *now == before);
        assert!(!waiting.unwrap().1.timed_out(), "the sentinel sees its own fence");
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
