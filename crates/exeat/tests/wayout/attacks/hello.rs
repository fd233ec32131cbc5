//! A tunnel carries what it was asked for: the name in the TLS hello, however the hello comes, and nothing else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{assert_cut, assert_ended};
use crate::bed::{ANYWHERE, Bed};
use crate::carrier::{Answer, NoTunnel};
use crate::dns::Answer as Resolved;
use crate::network::inside;
use crate::origin::{BANNER, RETRIES, What};

const GOOD: &str = "45.79.4.1";

fn bed(rules: &str) -> Bed {
    let bed = Bed::make(rules);
    bed.world.names.otherwise(Resolved::of(&[GOOD]).ttl(0));
    bed
}

/// By which carrier a tunnel is opened.
const CARRIERS: [&str; 2] = ["CONNECT", "SOCKS"];

fn open(bed: &Bed, carrier: &str, host: &str, port: u16) -> Result<TcpStream, NoTunnel> {
    match carrier {
        "SOCKS" => bed.way.socks(host, port),
        _ => bed.way.connect(&format!("{host}:{port}")),
    }
}

/// What came to the origin besides connections.
fn came(bed: &Bed, mark: usize) -> Vec<What> {
    let all = bed.world.arrived.since(mark).into_iter().map(|each| each.what);
    all.filter(|what| !matches!(what, What::Connected)).collect()
}

#[test]
fn a_hello_in_pieces_is_read_whole() {
    inside(module_path!(), "a_hello_in_pieces_is_read_whole", || {
        let bed = bed(ANYWHERE);
        let mut vectors = 0;
        for carrier in CARRIERS {
            for pieces in [1, 2, 3, 5, 10, 50, 100, 200] {
                for (name, honest) in [("origin.test", true), ("other.test", false)] {
                    let what = format!("{pieces} segments by {carrier}, hello for {name}");
                    let arrived = bed.world.arrived.mark();
                    let mut tunnel = open(&bed, carrier, "origin.test", 443).unwrap();
                    let hello = bed.tls.hello(name);
                    for piece in hello.chunks(hello.len().div_ceil(pieces)) {
                        if tunnel.write_all(piece).is_err() {
                            assert!(!honest, "{what}: closed early");
                            break;
                        }
                        if pieces > 1 {
                            std::thread::sleep(Duration::from_millis(2));
                        }
                    }
                    if honest {
                        assert_eq!(tunnel.read(&mut [0; 5]).unwrap_or(0), 5, "{what}: the server's hello comes");
                        let came = came(&bed, arrived);
                        assert!(matches!(&came[0], What::Hello(Some(sni)) if sni == name), "{what}: {came:?}");
                    } else {
                        assert_cut(tunnel, &what);
                        assert!(came(&bed, arrived).is_empty(), "{what}");
                        assert_ended(&bed, "cut", Some("sni_mismatch"), &what);
                    }
                    vectors += 1;
                }
            }
        }
        println!("{vectors} hellos in pieces");
        assert_eq!(vectors, 32);
    });
}

#[test]
fn what_is_not_tls_is_cut_where_tls_must_be() {
    inside(module_path!(), "what_is_not_tls_is_cut_where_tls_must_be", || {
        let bed = bed(ANYWHERE);
        let first: [(&str, &[u8]); 7] = [
            ("plain HTTP", b"GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"),
            ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
            ("SMTP", b"EHLO origin.test\r\n"),
            ("SOCKS", &[5, 1, 0]),
            ("a hello of SSL 2", &[0x80, 0x2e, 1, 3, 1, 0, 0x15]),
            ("zeros", &[0; 64]),
            ("one byte of a hello, then HTTP", b"\x16GET / HTTP/1.1\r\n\r\n"),
        ];
        for carrier in CARRIERS {
            for port in [443, 8443, 22] {
                for (what, bytes) in first {
                    let what = format!("{what} to port {port} by {carrier}");
                    let arrived = bed.world.arrived.mark();
                    let mut tunnel = open(&bed, carrier, "origin.test", port).unwrap();
                    tunnel.write_all(bytes).unwrap();
                    assert_cut(tunnel, &what);
                    assert!(came(&bed, arrived).is_empty(), "{what}: {:?}", came(&bed, arrived));
                    assert_ended(&bed, "cut", Some("not_tls"), &what);
                }
            }
            let tunnel = open(&bed, carrier, "origin.test", 443).unwrap();
            assert_eq!(bed.tls.get(tunnel, "origin.test", "/x").unwrap().status, 200, "the control by {carrier}");
        }
    });
}

/// Silence is no TLS either: the tunnel ends, and the server was never allowed to speak first.
#[test]
fn a_tunnel_on_which_nothing_is_said_ends() {
    inside(module_path!(), "a_tunnel_on_which_nothing_is_said_ends", || {
        let bed = bed(ANYWHERE);
        let tunnel = bed.way.connect("origin.test:22").unwrap();
        let began = Instant::now();
        assert_cut(tunnel, "silence");
        assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
        assert_ended(&bed, "cut", Some("not_tls"), "silence");
    });
}

/// A rule may say that a tunnel carries anything: then the server may speak first, on any port, and only there.
#[test]
fn an_opaque_tunnel_carries_anything_where_a_rule_says_so() {
    inside(module_path!(), "an_opaque_tunnel_carries_anything_where_a_rule_says_so", || {
        let rules = "[[allow]]\nid = \"ssh\"\nhost = \"git.test\"\nport = [22, 443]\ntunnel = \"opaque\"\n\
                     [[allow]]\nid = \"web\"\nhost = \"*.test\"\nport = [22, 443]\n";
        let bed = bed(rules);
        for carrier in CARRIERS {
            let mut tunnel = open(&bed, carrier, "git.test", 22).unwrap();
            let mut banner = vec![0; BANNER.len()];
            tunnel.read_exact(&mut banner).unwrap();
            assert_eq!(banner, BANNER, "{carrier}: the server speaks first");
            tunnel.write_all(b"SSH-2.0-client\r\n").unwrap();
            let mut echoed = [0; 16];
            tunnel.read_exact(&mut echoed).unwrap();
            assert_eq!(&echoed, b"SSH-2.0-client\r\n");
            let mut tunnel = open(&bed, carrier, "git.test", 443).unwrap();
            tunnel.write_all(b"SSH-2.0-client\r\n").unwrap();
            tunnel.read_exact(&mut echoed).unwrap();
            for port in [22, 443] {
                let arrived = bed.world.arrived.mark();
                let mut tunnel = open(&bed, carrier, "other.test", port).unwrap();
                tunnel.write_all(b"SSH-2.0-client\r\n").unwrap();
                assert_cut(tunnel, "SSH without such a rule");
                assert!(came(&bed, arrived).is_empty(), "{carrier} {port}");
            }
        }
    });
}

/// The hello after a HelloRetryRequest counts too.
#[test]
fn a_second_hello_for_another_name_is_cut() {
    inside(module_path!(), "a_second_hello_for_another_name_is_cut", || {
        let bed = bed(ANYWHERE);
        for (second, honest) in [("origin.test", true), ("other.test", false)] {
            let arrived = bed.world.arrived.mark();
            let mut tunnel = bed.way.connect(&format!("origin.test:{RETRIES}")).unwrap();
            tunnel.write_all(&bed.tls.hello("origin.test")).unwrap();
            // The whole HelloRetryRequest.
            let mut head = [0; 5];
            tunnel.read_exact(&mut head).unwrap();
            assert_eq!(head[0], 0x16, "the server asks for another hello");
            tunnel.read_exact(&mut vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))]).unwrap();
            let first = came(&bed, arrived).len();
            let _sent = tunnel.write_all(&bed.tls.hello(second));
            if honest {
                let mut more = [0; 5];
                tunnel.read_exact(&mut more).unwrap();
                assert!(came(&bed, arrived).len() > first, "the control: the second hello arrives");
            } else {
                let what = "a second hello for another name";
                assert_cut(tunnel, what);
                assert_eq!(came(&bed, arrived).len(), first, "{what} does not arrive");
                assert_ended(&bed, "cut", Some("sni_mismatch"), what);
            }
        }
    });
}

/// On port 80 a tunnel carries HTTP for its target, each request asked for like any other.
#[test]
fn a_tunnel_to_port_80_carries_http_for_its_target() {
    inside(module_path!(), "a_tunnel_to_port_80_carries_http_for_its_target", || {
        let rules =
            "[[deny]]\nid = \"no\"\nhost = \"*\"\npath = \"/secret\"\n[[allow]]\nid = \"anywhere\"\nhost = \"*\"\n";
        let bed = bed(rules);
        for carrier in CARRIERS {
            let mut tunnel = open(&bed, carrier, "origin.test", 80).unwrap();
            let arrived = bed.world.arrived.mark();
            tunnel.write_all(b"GET /x HTTP/1.1\r\nHost: origin.test\r\n\r\n").unwrap();
            assert_eq!(Answer::read(&mut tunnel).unwrap().status, 200, "the control by {carrier}");
            tunnel.write_all(b"GET /y HTTP/1.1\r\nHost: origin.test\r\n\r\n").unwrap();
            assert_eq!(Answer::read(&mut tunnel).unwrap().status, 200, "a second one on it");
            tunnel.write_all(b"GET /secret HTTP/1.1\r\nHost: origin.test\r\n\r\n").unwrap();
            let answer = Answer::read(&mut tunnel).unwrap();
            assert_eq!((answer.status, answer.code().as_str()), (403, "policy_denies"), "by {carrier}");
            let seen: Vec<String> = bed.world.arrived.requests(arrived).into_iter().map(|(_, r)| r.target).collect();
            assert_eq!(seen, ["/x", "/y"], "{carrier}");
            for bytes in [bed.tls.hello("origin.test"), b"SSH-2.0-client\r\n\r\n".to_vec(), b"\0\0\r\n\r\n".to_vec()] {
                let arrived = bed.world.arrived.mark();
                let mut tunnel = open(&bed, carrier, "origin.test", 80).unwrap();
                let _sent = tunnel.write_all(&bytes);
                let mut said = Vec::new();
                let ended = tunnel.read_to_end(&mut said);
                assert!(ended.is_ok() || !said.is_empty(), "what is not HTTP is cut: {ended:?}");
                assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&said));
                assert!(came(&bed, arrived).is_empty(), "{carrier}: {:?}", came(&bed, arrived));
            }
        }
    });
}
