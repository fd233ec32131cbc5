//! Clients and origins that do not go on.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Bystander, bed, growth};
use crate::network::inside;

const EACH: usize = 20;

/// Waits for the end of a connection, whatever is said before it.
fn ends_within(mut stream: TcpStream, limit: Duration) -> bool {
    stream.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).unwrap();
    let began = Instant::now();
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) if began.elapsed() < limit => {}
            Err(error) if error.kind() != ErrorKind::WouldBlock => return true,
            _ => return false,
        }
    }
}

#[test]
fn survives_clients_that_stop_in_the_middle() {
    inside(module_path!(), "survives_clients_that_stop_in_the_middle", || {
        let bed = bed();
        let bystander = Bystander::start(&bed);
        let (way, hello) = (&bed.way, bed.tls.hello("origin.test"));
        let login = way.socks_login();
        let head = way.head("POST", "http://origin.test/sink", "", 1_000_000);
        let chunked = way.head("POST", "http://origin.test/sink", "Transfer-Encoding: chunked\r\n", 0);
        let phases: [(&str, Vec<u8>); 7] = [
            ("half a method", b"GE".to_vec()),
            ("half a head", head.as_bytes()[..head.len() - 3].to_vec()),
            ("a head, but no end of it", format!("{}X: y\r\n", &head[..head.len() - 2]).into_bytes()),
            ("half a greeting of SOCKS", vec![5, 3, 0]),
            ("half a login of SOCKS", [&[5, 1, 2], &login[..5]].concat()),
            ("half a request of SOCKS", [&[5, 1, 2], login.as_slice(), &[5, 1, 0, 3, 11, b'o']].concat()),
            ("half a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM".to_vec()),
        ];
        let began = Instant::now();
        let mut waiting = Vec::new();
        for (phase, bytes) in &phases {
            for _ in 0..EACH {
                let mut stream = way.open();
                stream.write_all(bytes).unwrap();
                waiting.push((*phase, stream));
            }
        }
        for _ in 0..EACH {
            let mut tunnel = way.connect("origin.test:443").unwrap();
            tunnel.write_all(&hello[..hello.len() / 2]).unwrap();
            waiting.push(("half a hello", tunnel));
            waiting.push(("a tunnel and no hello", way.connect("origin.test:443").unwrap()));
        }
        // Bodies may take their time; that they do not hurt others is what counts.
        let mut bodies = Vec::new();
        for start in [head.clone(), format!("{chunked}5\r\nhel")] {
            for _ in 0..EACH {
                let mut stream = way.open();
                stream.write_all(start.as_bytes()).unwrap();
                bodies.push(stream);
            }
        }
        // One byte a second does not keep a head alive for ever.
        let mut dribbling = way.open();
        let dribble = head.clone().into_bytes();
        let mut sent = 0;
        while sent < dribble.len() && dribbling.write_all(&dribble[sent..=sent]).is_ok() {
            sent += 1;
            std::thread::sleep(Duration::from_secs(1));
            if began.elapsed() > Duration::from_secs(25) {
                break;
            }
        }
        assert!(ends_within(dribbling, Duration::from_secs(1)), "a head that dribbles ends");
        for (phase, stream) in waiting {
            let left = Duration::from_secs(30).saturating_sub(began.elapsed());
            assert!(ends_within(stream, left), "{phase} ends within 30 s");
        }
        bystander.stop();
        drop(bodies);
        println!("{} connections ended in the middle", EACH * (phases.len() + 2) + 1);
    });
}

#[test]
fn survives_origins_that_never_answer() {
    inside(module_path!(), "survives_origins_that_never_answer", || {
        let bed = bed();
        let bystander = Bystander::start(&bed);
        let open: Vec<TcpStream> = (0..100)
            .map(|_| {
                let mut stream = bed.way.open();
                stream.write_all(bed.way.head("GET", "http://origin.test/never", "", 0).as_bytes()).unwrap();
                stream
            })
            .collect();
        std::thread::sleep(Duration::from_secs(3));
        assert!(bed.world.arrived.requests(0).iter().filter(|(_, r)| r.target == "/never").count() >= 100);
        drop(open);
        // The clients are gone; each request has its end.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let events = bed.owner().get("/v1/events?event_type=egress.completed&limit=500").unwrap();
            let events = events.expect(200).unwrap()["events"].as_array().unwrap().clone();
            let gone = events.iter().filter(|event| event["data"]["error_code"] == "client_gone").count();
            if gone >= 100 {
                break;
            }
            assert!(Instant::now() < deadline, "{gone} of 100 have their end: {} {:?}", events.len(), events.last());
            std::thread::sleep(Duration::from_millis(100));
        }
        bystander.stop();
    });
}

const SILENT: usize = 10_000;

#[test]
fn survives_ten_thousand_connections_that_say_nothing() {
    inside(module_path!(), "survives_ten_thousand_connections_that_say_nothing", || {
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert!(
            limits.maximum.is_none_or(|most| most >= 12_000),
            "the test needs 12,000 file descriptors (ulimit -Hn): {limits:?}"
        );
        let raised = rustix::process::Rlimit { current: limits.maximum, maximum: limits.maximum };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
        let bed = bed();
        let bystander = Bystander::start(&bed);
        let began = Instant::now();
        let (grown, open) = growth(&bed, || {
            // By many at once: they end by themselves after a while.
            let dial = || (0..SILENT / 20).map(|_| TcpStream::connect(bed.way.proxy).unwrap()).collect::<Vec<_>>();
            let open: Vec<TcpStream> = std::thread::scope(|scope| {
                let dialing: Vec<_> = (0..20).map(|_| scope.spawn(dial)).collect();
                dialing.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            });
            // All of them accepted.
            let deadline = Instant::now() + Duration::from_secs(10);
            let fds = || std::fs::read_dir(format!("/proc/{}/fd", bed.server.pid())).unwrap().count();
            while fds() < SILENT {
                assert!(Instant::now() < deadline, "{} are open", fds());
                std::thread::sleep(Duration::from_millis(100));
            }
            std::thread::sleep(Duration::from_secs(2));
            println!("all {SILENT} are open after {:?}", began.elapsed());
            open
        });
        println!("{SILENT} silent connections: {grown} KiB, {:.1} KiB each", grown as f64 / SILENT as f64);
        assert!(grown < 160 * 1024, "{grown} KiB for {SILENT} silent connections");
        bystander.stop();
        drop(open);
    });
}
