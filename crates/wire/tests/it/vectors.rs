//! The tricks: each refused for its own reason, beside an accepted sibling.
//!
//! The tables are data in `vectors/`, so that a test of the whole program can send the same bytes. `bytes` holds
//! `\r`, `\n`, `\t`, `\\` and `\xNN`; every other character is one byte, or UTF-8 for the carrier `api`. `target`
//! of a TLS vector is the CONNECT target in whose tunnel it is sent. `code` is that of the reader; `sni_mismatch`
//! stands for a hello that can be read but names something else. `status` is that of the answer, where it is HTTP.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::hello::{Hello, SniMatch};
use wire::http::Mode;
use wire::{Authority, Host};

use crate::feed;

const FILES: [(&str, &str); 6] = [
    ("http", include_str!("../../vectors/http.json")),
    ("connect", include_str!("../../vectors/connect.json")),
    ("tunnel", include_str!("../../vectors/tunnel.json")),
    ("socks", include_str!("../../vectors/socks.json")),
    ("tls", include_str!("../../vectors/tls.json")),
    ("api", include_str!("../../vectors/api.json")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    carrier: String,
    bytes: String,
    expect: Expect,
    host: Option<String>,
    port: Option<u16>,
    code: Option<String>,
    status: Option<u16>,
    control: Option<String>,
    target: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Accepted,
    Refused,
}

fn vectors(text: &str) -> Vec<Vector> {
    serde_json::from_str(text).unwrap()
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut chars) = (Vec::new(), text.chars());
    while let Some(c) = chars.next() {
        if c != '\\' {
            assert!(c.is_ascii(), "{text}");
            bytes.push(c as u8);
            continue;
        }
        bytes.push(match chars.next().unwrap() {
            'r' => b'\r',
            'n' => b'\n',
            't' => b'\t',
            '\\' => b'\\',
            'x' => u8::from_str_radix(&chars.by_ref().take(2).collect::<String>(), 16).unwrap(),
            other => panic!("\\{other} in {text}"),
        });
    }
    bytes
}

/// What came out, in the words of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Accepted(String, u16),
    Refused(String, Option<u16>),
    Incomplete,
}

fn accepted(authority: &Authority) -> Outcome {
    Outcome::Accepted(authority.host().domain(), authority.port())
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused(code.to_owned(), None)
}

fn outcome(vector: &Vector, pieces: &[&[u8]]) -> Outcome {
    match vector.carrier.as_str() {
        "socks" => match feed::socks(pieces) {
            Ok(Some(ask)) => accepted(&ask.target),
            Ok(None) => Outcome::Incomplete,
            Err(fault) => refused(fault.code()),
        },
        "tls" => {
            let target = Authority::of_connect(vector.target.as_ref().unwrap().as_bytes()).unwrap();
            match feed::hello(pieces) {
                Ok(Some((hello, _))) if may_pass(&hello, target.host()) => accepted(&target),
                Ok(Some(_)) => refused("sni_mismatch"),
                Ok(None) => Outcome::Incomplete,
                Err(fault) => refused(fault.code()),
            }
        }
        "api" => match std::str::from_utf8(&pieces.concat()).map(model::TargetUrl::parse).unwrap() {
            Ok(target) => Outcome::Accepted(target.domain().to_owned(), target.port()),
            Err(_) => refused("invalid_target_url"),
        },
        carrier => {
            let mode = if carrier == "tunnel" { Mode::Origin } else { Mode::Proxy };
            match feed::http(pieces, mode) {
                Ok(Some(request)) => {
                    assert_eq!(request.head.is_connect(), carrier == "connect", "{}", vector.name);
                    accepted(request.head.authority())
                }
                Ok(None) => Outcome::Incomplete,
                Err(fault) => Outcome::Refused(fault.code().to_owned(), Some(fault.status())),
            }
        }
    }
}

/// Whether a hello may pass to `host`: a name must be indicated, an address must not.
fn may_pass(hello: &Hello, host: &Host) -> bool {
    let wanted = if host.name().is_some() { SniMatch::Match } else { SniMatch::Absent };
    hello.sni().compare(host) == wanted
}

fn wanted(vector: &Vector) -> Outcome {
    match vector.expect {
        Expect::Accepted => Outcome::Accepted(vector.host.clone().unwrap(), vector.port.unwrap()),
        Expect::Refused => Outcome::Refused(vector.code.clone().unwrap(), vector.status),
    }
}

fn check_all(split: impl Fn(&[u8]) -> Vec<usize>) {
    let mut wrong = Vec::new();
    for (_, text) in FILES {
        for vector in vectors(text) {
            let bytes = unescape(&vector.bytes);
            let (got, want) = (outcome(&vector, &feed::pieces(&bytes, &split(&bytes))), wanted(&vector));
            if got != want {
                wrong.push(format!("{}, {}: {got:?}, not {want:?}", vector.carrier, vector.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} vectors:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_vector_yields_what_it_says() {
    check_all(|_| Vec::new());
}

#[test]
fn every_vector_yields_the_same_byte_by_byte() {
    check_all(|bytes| (0..bytes.len()).collect());
}

#[test]
fn every_vector_yields_the_same_in_random_pieces() {
    for seed in 1..=8_u64 {
        check_all(|bytes| {
            // Steps of 1 to 64 from a simple generator; the same in every run.
            let (mut cuts, mut at, mut state) = (Vec::new(), 0, seed);
            while at < bytes.len() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                at += 1 + usize::try_from(state >> 58).unwrap();
                cuts.push(at);
            }
            cuts
        });
    }
}

#[test]
fn every_refused_vector_has_an_accepted_sibling() {
    let (mut refused, mut accepted) = (0, 0);
    for (carrier, text) in FILES {
        let vectors = vectors(text);
        let by_name: BTreeMap<&str, &Vector> = vectors.iter().map(|vector| (vector.name.as_str(), vector)).collect();
        assert_eq!(by_name.len(), vectors.len(), "{carrier}: a name twice");
        for vector in &vectors {
            assert_eq!(vector.carrier, carrier, "{}", vector.name);
            assert_eq!(vector.target.is_some(), carrier == "tls", "{}", vector.name);
            match vector.expect {
                Expect::Accepted => {
                    accepted += 1;
                    assert!(vector.code.is_none() && vector.control.is_none(), "{}", vector.name);
                }
                Expect::Refused => {
                    refused += 1;
                    let control = by_name[vector.control.as_deref().unwrap()];
                    assert_eq!(control.expect, Expect::Accepted, "{}", vector.name);
                    assert_ne!(control.bytes, vector.bytes, "{}", vector.name);
                    assert!(vector.host.is_none() && vector.port.is_none(), "{}", vector.name);
                }
            }
        }
    }
    assert!(refused >= 650 && accepted >= 130, "{refused} refused, {accepted} accepted");
}

/// The words of the API and of the wire for one host must be the same, or none.
#[test]
fn the_api_refuses_the_hosts_that_the_wire_refuses() {
    let mut compared = 0;
    for vector in vectors(FILES[0].1).iter().chain(&vectors(FILES[1].1)) {
        let bytes = unescape(&vector.bytes);
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        let Some(target) = text.split(' ').nth(1) else { continue };
        let host = target.strip_prefix("http://").unwrap_or(target).split(['/', '?', '#']).next().unwrap();
        if !host.is_ascii() || host.is_empty() {
            continue;
        }
        compared += 1;
        let wire = Authority::of_host_field(host.as_bytes(), 80).ok();
        let api = model::TargetUrl::parse(&format!("http://{host}/")).ok();
        let api = api.map(|url| {
            (Host::of_bytes(url.domain().as_bytes()).map_or(url.domain().to_owned(), |h| h.domain()), url.port())
        });
        assert_eq!(wire.map(|a| (a.host().domain(), a.port())), api, "{}: {host}", vector.name);
    }
    assert!(compared > 300, "{compared}");
}
