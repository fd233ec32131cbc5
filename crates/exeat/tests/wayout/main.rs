//! The way out as attackers, clients and accidents meet it: the binary in a network of its own, with a world around it
//! that the test plays, so that whatever leaves by whatever trick is seen where it arrives.
//!
//! Needs Linux with user namespaces (or root), `unshare` and `ip`; whatever is missing fails the test by name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first surprise, in what it shares with others too"
)]

mod attacks;
mod authority;
mod bed;
mod carrier;
mod carriers;
mod clients;
mod dns;
mod gate_auth_coverage;
mod gate_event_log;
mod network;
mod origin;
mod outbound;
mod survive;
mod watch;
mod world;

mod bed_test {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use crate::network::inside;
    use crate::watch::{Kind, Sent};
    use crate::world::World;

    /// The ground the other tests stand on: what is sent anywhere is seen, and arrives where there is a listener.
    #[test]
    fn whatever_is_sent_is_seen() {
        inside(module_path!(), "whatever_is_sent_is_seen", || {
            let world = World::make();
            for to in ["45.79.0.1:80", "10.0.0.1:80", "169.254.169.254:80", "[fd00::1]:80", "[64:ff9b::7f00:1]:80"] {
                let to = to.parse().unwrap();
                let (mark, arrived) = (world.watch.mark(), world.arrived.mark());
                let mut stream = TcpStream::connect(to).unwrap();
                stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).unwrap();
                assert!(said.ends_with(&format!("arrived at {to} by GET /x\n")), "{said}");
                assert!(world.watch.since(mark).contains(&Sent { kind: Kind::Tcp, to }), "{to}");
                assert_eq!(world.arrived.requests(arrived)[0].0, to);
            }
            for to in ["127.0.0.1:80", "[::1]:443", "93.184.100.2:8080"] {
                let to = to.parse().unwrap();
                let mark = world.watch.mark();
                let mut stream = TcpStream::connect(to).unwrap();
                stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
                stream.read_to_string(&mut String::new()).unwrap();
                assert!(world.watch.since(mark).contains(&Sent { kind: Kind::Tcp, to }), "{to}");
                assert_eq!(world.intruded.requests(0).last().unwrap().0, to);
            }
        });
    }
}
