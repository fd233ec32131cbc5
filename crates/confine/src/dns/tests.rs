//! Queries as clients send them, and as nobody should.

use std::net::{IpAddr, Ipv4Addr};

use guard::attempt::{Class, Seen};
use proptest::prelude::*;

use super::{ANSWER_BYTES_MAX, Nameserver, Reply, Transport};
use crate::names::{NAMES_MAX, NameTable};

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// The same with EDNS: this version, and the bit that asks for signatures.
fn with_edns(mut bytes: Vec<u8>, version: u8) -> Vec<u8> {
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 0x10, 0, 0, version, 0x80, 0, 0, 0]);
    bytes
}

fn ask(server: &Nameserver, names: &NameTable, bytes: &[u8]) -> Reply {
    server.reply(names, bytes, OURS, Transport::Udp)
}

fn code(reply: &Reply) -> u8 {
    reply.answer.as_ref().unwrap()[3] & 0x0f
}

fn ops(seen: &[Seen]) -> Vec<(&'static str, Class)> {
    seen.iter().map(|seen| (seen.attempt.op, seen.class)).collect()
}

/// The addresses in an answer without EDNS.
fn address(reply: &Reply) -> Option<IpAddr> {
    let answer = reply.answer.as_ref().unwrap();
    match answer[7] {
        0 => None,
        1 if answer[answer.len() - 6..answer.len() - 4] == [0, 4] => {
            Some(IpAddr::from(<[u8; 4]>::try_from(&answer[answer.len() - 4..]).unwrap()))
        }
        _ => Some(IpAddr::from(<[u8; 16]>::try_from(&answer[answer.len() - 16..]).unwrap())),
    }
}

#[test]
fn a_name_gets_an_address_that_stands_for_it() {
    let (server, names) = (Nameserver::new("jail", Vec::new()), NameTable::default());
    let sent = query("Example.TEST", 1);
    let reply = ask(&server, &names, &sent);
    let answer = reply.answer.as_ref().unwrap();
    assert_eq!(answer[..4], [0xab, 0xcd, 0x81, 0x80], "the same id, an answer, recursion desired and available");
    assert_eq!(answer[12..sent.len()], sent[12..], "the question with its case");
    assert_eq!(address(&reply), Some("198.18.0.1".parse().unwrap()));
    assert_eq!(address(&ask(&server, &names, &query("example.test", 1))), address(&reply), "whatever the case");
    assert_eq!(address(&ask(&server, &names, &query("b.test", 1))), Some("198.18.0.2".parse().unwrap()));
    assert!(reply.seen.is_empty());
    for kind in [28, 65] {
        let reply = ask(&server, &names, &query("example.test", kind));
        assert_eq!((code(&reply), address(&reply), reply.seen.len()), (0, None, 0), "{kind}");
    }
}

#[test]
fn what_is_local_is_answered_locally() {
    let (server, names) = (Nameserver::new("Jail", Vec::new()), NameTable::default());
    for name in ["localhost", "a.localhost", "LOCALHOST", "jail"] {
        assert_eq!(address(&ask(&server, &names, &query(name, 1))), Some(OURS), "{name}");
        assert_eq!(address(&ask(&server, &names, &query(name, 28))), Some("::1".parse().unwrap()), "{name}");
    }
    assert_eq!(address(&ask(&server, &names, &query("notlocalhost", 1))), Some("198.18.0.1".parse().unwrap()));
}

#[test]
fn other_questions_are_refused_and_told() {
    let (server, names) = (Nameserver::new("jail", Vec::new()), NameTable::default());
    let long = "a".repeat(41);
    let deep = "a.b.c.d.e.f.g.h.i";
    let wide = vec!["a".repeat(30); 5].join(".");
    let v6 = format!("{}ip6.arpa", "f.".repeat(32));
    for (name, kind, want) in [
        ("a.test", 16, ("resolve_txt", Class::Violation)),
        ("a.test", 10, ("resolve_null", Class::Violation)),
        ("a.test", 255, ("resolve_any", Class::Violation)),
        ("a.test", 4711, ("resolve_other", Class::Violation)),
        ("a.test", 33, ("resolve_srv", Class::Notice)),
        ("4.3.2.1.in-addr.arpa", 12, ("resolve_ptr", Class::Notice)),
        (v6.as_str(), 12, ("resolve_ptr", Class::Notice)),
        (long.as_str(), 1, ("resolve_tunnel_shaped", Class::Violation)),
        (deep, 1, ("resolve_tunnel_shaped", Class::Violation)),
        (wide.as_str(), 28, ("resolve_tunnel_shaped", Class::Violation)),
        ("a b.test", 1, ("resolve_tunnel_shaped", Class::Violation)),
    ] {
        let reply = ask(&server, &names, &query(name, kind));
        assert_eq!((code(&reply), address(&reply), ops(&reply.seen)), (5, None, vec![want]), "{name} {kind}");
        assert!(reply.seen.iter().all(|seen| seen.subject.is_none()), "no label is kept");
    }
    // The controls: just within the limits.
    for name in ["a".repeat(40), "a.b.c.d.e.f.g.h".to_owned(), vec!["a".repeat(31); 4].join(".")] {
        let reply = ask(&server, &names, &query(&name, 1));
        assert!(address(&reply).is_some() && reply.seen.is_empty(), "{name}");
    }
    // What is no host has no address.
    for name in ["1.2.3.4", "0x7f.1", "a..b"] {
        let reply = ask(&server, &names, &query(name, 1));
        let expected = if name == "a..b" { 0 } else { 3 };
        assert_eq!((code(&reply), reply.seen.len()), (expected, 0), "{name}");
    }
}

#[test]
fn a_flood_is_told_once() {
    let (server, names) = (Nameserver::new("jail", Vec::new()), NameTable::default());
    for n in 0..NAMES_MAX {
        assert_eq!(code(&ask(&server, &names, &query(&format!("n{n}.test"), 1))), 0);
    }
    let reply = ask(&server, &names, &query("more.test", 1));
    assert_eq!((code(&reply), ops(&reply.seen)), (2, vec![("dns_flood", Class::Violation)]));
    let reply = ask(&server, &names, &query("still.more.test", 1));
    assert_eq!((code(&reply), reply.seen.len()), (2, 0));
    assert_eq!(code(&ask(&server, &names, &query("n0.test", 1))), 0, "what was given stays");
}

#[test]
fn a_query_to_another_nameserver_is_answered_and_told() {
    let names = NameTable::default();
    let own: IpAddr = "10.0.0.2".parse().unwrap();
    let server = Nameserver::new("jail", vec![own]);
    for (to, by, want) in [
        ("8.8.8.8", Transport::Udp, Some(("udp", "public"))),
        ("8.8.8.8", Transport::Tcp, Some(("tcp", "public"))),
        ("10.0.0.3", Transport::Udp, Some(("udp", "private"))),
        ("10.0.0.2", Transport::Udp, None),
        ("127.0.0.53", Transport::Udp, None),
        ("::1", Transport::Udp, None),
    ] {
        let reply = server.reply(&names, &query("a.test", 1), to.parse().unwrap(), by);
        assert!(address(&reply).is_some(), "{to}");
        let told: Vec<_> = reply.seen.iter().map(|seen| (seen.attempt.protocol, seen.attempt.destination)).collect();
        let told: Vec<_> = told.iter().map(|(by, to)| (*by, serde_json::to_value(to).unwrap())).collect();
        let want: Vec<_> = want.into_iter().map(|(by, to)| (by, serde_json::json!(to))).collect();
        assert_eq!(told, want, "{to}");
    }
}

#[test]
fn edns_is_answered_and_what_is_malformed_too() {
    let (server, names) = (Nameserver::new("jail", Vec::new()), NameTable::default());
    let reply = ask(&server, &names, &with_edns(query("a.test", 1), 0));
    let answer = reply.answer.as_ref().unwrap();
    assert_eq!(answer[answer.len() - 11..], [0, 0, 41, 2, 0, 0, 0, 0x80, 0, 0, 0]);
    let reply = ask(&server, &names, &with_edns(query("a.test", 1), 1));
    let answer = reply.answer.as_ref().unwrap();
    assert_eq!((code(&reply), answer[answer.len() - 6]), (0, 1), "the version is not known: 16");
    let good = query("a.test", 1);
    let change = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    for (bytes, want) in [
        (change(2, 0x29), 4),
        (change(5, 2), 1),
        (change(5, 0), 1),
        (change(7, 1), 1),
        (change(11, 1), 1),
        (change(12, 0xc0), 1),
        (change(12, 60), 1),
        (good[..15].to_vec(), 1),
        (good[..12].to_vec(), 1),
    ] {
        let reply = ask(&server, &names, &bytes);
        assert_eq!((code(&reply), reply.seen.len()), (want, 0), "{bytes:?}");
    }
    assert_eq!(ask(&server, &names, &change(2, 0x81)).answer, None, "an answer is no query");
    assert_eq!(ask(&server, &names, &good[..11]).answer, None);
    let chaos = change(good.len() - 1, 3);
    assert_eq!(ops(&ask(&server, &names, &chaos).seen), [("resolve_class", Class::Notice)]);
}

proptest! {
    #[test]
    fn whatever_comes_is_answered_in_bounds(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), query_like: bool) {
        if query_like && bytes.len() >= 12 {
            bytes[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        }
        let (server, names) = (Nameserver::new("jail", Vec::new()), NameTable::default());
        let reply = ask(&server, &names, &bytes);
        if let Some(answer) = reply.answer {
            prop_assert!(answer.len() <= ANSWER_BYTES_MAX && answer.len() >= 12);
            prop_assert_eq!(&answer[..2], &bytes[..2]);
            prop_assert_eq!(answer[2] & 0x80, 0x80);
        }
    }

    #[test]
    fn a_changed_query_never_surprises(at in 0_usize..40, to: u8, cut in 0_usize..40) {
        let (server, names) = (Nameserver::new("jail", Vec::new()), NameTable::default());
        let mut bytes = with_edns(query("www.example.test", 1), 0);
        let n = bytes.len();
        bytes[at % n] = to;
        bytes.truncate(n - cut % n);
        let reply = ask(&server, &names, &bytes);
        prop_assert!(reply.answer.is_none_or(|answer| answer.len() <= ANSWER_BYTES_MAX));
    }
}
