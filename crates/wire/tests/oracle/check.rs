//! What must hold for any bytes, one function per reader. Each panics when it does not, and gives back in one word
//! how the bytes were read, so that a search can tell new behaviour from old.

use std::net::IpAddr;

use wire::chunk::peek_first_size;
use wire::hello::{HELLO_BYTES_MAX, Sni, TlsWatch, Verdict};
use wire::http::{Body, HeadLimits, Mode, RequestTarget, Version, read_head};
use wire::sniff::sniff;
use wire::{Authority, Host};

use crate::feed::{self, Request};
use crate::naive::{self, Framing};

/// Splits to try, from the bytes themselves, so that a finding can be repeated from its bytes alone.
fn splits(bytes: &[u8]) -> Vec<Vec<usize>> {
    let length = bytes.len();
    let mut state =
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let mut random = Vec::new();
    let mut at = 0;
    while at < length {
        random.push(at);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at += 1 + usize::try_from(state % 97).unwrap();
    }
    // Byte by byte is quadratic in what this file does around the readers.
    let step = 1 + length / 4096;
    vec![(0..length).step_by(step).collect(), random, vec![length / 2], vec![length.saturating_sub(1)]]
}

fn same<T: PartialEq + std::fmt::Debug>(bytes: &[u8], read: impl Fn(&[&[u8]]) -> T) -> T {
    let whole = read(&[bytes]);
    for cuts in splits(bytes) {
        assert_eq!(read(&feed::pieces(bytes, &cuts)), whole, "split at {cuts:?}: {}", bytes.escape_ascii());
    }
    whole
}

/// A request in a form that can be compared.
type Plain = (String, Version, RequestTarget, Body, Vec<(String, Vec<u8>)>, Vec<u8>, Vec<(String, Vec<u8>)>);

fn plain(request: &Request) -> Plain {
    let head = &request.head;
    let fields = head.fields().map(|field| (field.name().to_owned(), field.value().to_vec())).collect();
    let (body, trailers) = (request.body.clone(), request.trailers.clone());
    (head.method().to_owned(), head.version(), head.target().clone(), head.body(), fields, body, trailers)
}

/// One HTTP/1 request with its body, at the proxy and inside a tunnel.
pub(crate) fn http(bytes: &[u8]) -> &'static str {
    let words = [Mode::Proxy, Mode::Origin].map(|mode| http_in(bytes, mode));
    let [at_proxy, in_tunnel] = words;
    if at_proxy == "origin_form" { in_tunnel } else { at_proxy }
}

fn http_in(bytes: &[u8], mode: Mode) -> &'static str {
    let read = |pieces: &[&[u8]]| feed::http(pieces, mode);
    let result = same(bytes, |pieces| read(pieces).map(|request| request.map(|r| (plain(&r), r.rest))));
    let head = read_head(bytes, mode, &HeadLimits::DEFAULT);
    match result {
        Err(fault) => {
            assert!((400..=505).contains(&fault.status()));
            // A body whose first size line is wrong must be seen before anything is sent.
            if let Ok(Some((head, taken))) = head
                && head.body() == Body::Chunked
                && let Err(first) = peek_first_size(&bytes[taken..])
            {
                assert_eq!(first, fault);
            }
            fault.code()
        }
        Ok(None) => "incomplete",
        Ok(Some(_)) => {
            let (head, taken) = head.unwrap().unwrap();
            assert!(taken <= bytes.len());
            let request = read(&[bytes]).unwrap().unwrap();
            assert!(bytes.ends_with(&request.rest));
            accepted(bytes, taken, &request, mode);
            match head.body() {
                _ if head.is_connect() => "connect",
                Body::None => "request",
                Body::Length(_) => "length",
                Body::Chunked => "chunked",
            }
        }
    }
}

fn accepted(bytes: &[u8], head_length: usize, request: &Request, mode: Mode) {
    let head = &request.head;
    let text = bytes.escape_ascii().to_string();

    // Nothing that another reader could take for a line end or another host.
    let raw = bytes[..head_length].strip_prefix(b"\r\n").unwrap_or(&bytes[..head_length]);
    assert_eq!(head.size_bytes(), raw.len());
    for (at, b) in raw.iter().enumerate() {
        assert!(*b != 0 && (*b != b'\n' || raw[at - 1] == b'\r') && (*b != b'\r' || raw[at + 1] == b'\n'), "{text}");
    }
    let url = model::TargetUrl::parse(&head.url()).unwrap();
    assert_eq!(
        (url.domain(), url.port()),
        (head.authority().host().domain().as_str(), head.authority().port()),
        "{text}"
    );
    authority_is_normal(head.authority());

    // Every naive reader agrees.
    for naive in naive::readings(raw) {
        assert_eq!(naive.method, head.method(), "{text}");
        assert_eq!((naive.host, naive.port), (head.authority().host().domain(), head.authority().port()), "{text}");
        let framing = match head.body() {
            Body::None => Framing::None,
            Body::Length(length) => Framing::Length(length),
            Body::Chunked => Framing::Chunked,
        };
        assert_eq!(naive.framing, framing, "{text}");
        let fields: Vec<(String, String)> = head
            .fields()
            .map(|field| (field.name().to_owned(), field.value().iter().map(|&b| char::from(b)).collect()))
            .collect();
        assert_eq!(naive.fields, fields, "{text}");
    }
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut peer = httparse::Request::new(&mut headers);
    assert_eq!(peer.parse(raw), Ok(httparse::Status::Complete(raw.len())), "{text}");
    assert_eq!(peer.method, Some(head.method()), "{text}");
    let theirs: Vec<_> = peer.headers.iter().map(|header| (header.name, header.value)).collect();
    assert_eq!(theirs, head.fields().map(|field| (field.name(), field.value())).collect::<Vec<_>>(), "{text}");

    // Nothing of one hop goes on, and what goes on reads the same again.
    for field in head.end_to_end() {
        let name = field.name().to_ascii_lowercase();
        let ends_here = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"];
        assert!(!ends_here.contains(&name.as_str()) && !name.starts_with("proxy-"), "{text}");
        assert_eq!(field.value_shared(), field.value());
    }
    let sent_on = serialise(request);
    if sent_on.len() > HeadLimits::DEFAULT.head_bytes_max {
        // A spelling may grow, and then it can be too long for the same limits.
        return;
    }
    let again = feed::http(&[&sent_on], mode).unwrap().unwrap();
    assert!(again.rest.is_empty(), "{text}");
    assert_eq!(again.head.authority(), head.authority(), "{text}");
    assert_eq!(again.head.path_and_query(), head.path_and_query(), "{text}");
    assert_eq!((again.head.body(), again.head.method()), (head.body(), head.method()), "{text}");
    assert_eq!((&again.body, &again.trailers), (&request.body, &request.trailers), "{text}");
    let passed = |request: &Request| -> Vec<(String, Vec<u8>)> {
        request.head.end_to_end().map(|field| (field.name().to_owned(), field.value().to_vec())).collect()
    };
    assert_eq!(passed(&again), passed(request), "{text}");
}

/// The request as a proxy would write it anew.
fn serialise(request: &Request) -> Vec<u8> {
    let head = &request.head;
    let authority = head.authority();
    let target = match head.target() {
        RequestTarget::Authority(authority) => authority.to_string(),
        RequestTarget::Absolute { .. } if head.path_and_query() == "*" => format!("http://{authority}"),
        RequestTarget::Absolute { .. } => format!("http://{authority}{}", head.path_and_query()),
        RequestTarget::Origin { .. } | RequestTarget::Asterisk { .. } => head.path_and_query().to_owned(),
    };
    let mut bytes =
        format!("{} {target} HTTP/1.1\r\nHost: {}\r\n", head.method(), authority.host_field(80)).into_bytes();
    let line = |bytes: &mut Vec<u8>, name: &str, value: &[u8]| {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    for field in head.end_to_end() {
        line(&mut bytes, field.name(), field.value());
    }
    if head.body() != Body::Chunked {
        bytes.extend(b"\r\n");
        bytes.extend(&request.body);
        return bytes;
    }
    bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
    for data in request.body.chunks(7) {
        bytes.extend(format!("{:x}\r\n", data.len()).as_bytes());
        bytes.extend([data, b"\r\n"].concat());
    }
    bytes.extend(b"0\r\n");
    for (name, value) in &request.trailers {
        line(&mut bytes, name, value);
    }
    bytes.extend(b"\r\n");
    bytes
}

/// A SOCKS conversation.
pub(crate) fn socks(bytes: &[u8]) -> &'static str {
    match same(bytes, feed::socks) {
        Err(fault) => {
            assert!(fault.answer().len() <= 22);
            fault.code()
        }
        Ok(None) => "incomplete",
        Ok(Some(ask)) => {
            assert!(bytes.ends_with(&ask.rest));
            authority_is_normal(&ask.target);
            let again = feed::socks(&[&socks_bytes(&ask)]).unwrap().unwrap();
            assert_eq!(again, ask);
            if ask.credentials.is_some() { "password" } else { "open" }
        }
    }
}

fn socks_bytes(ask: &feed::SocksAsk) -> Vec<u8> {
    let short = |length: usize| u8::try_from(length).unwrap();
    let mut bytes = match &ask.credentials {
        None => vec![5, 1, 0],
        Some((username, password)) => {
            let lengths = [short(username.len()), short(password.len())];
            [&[5, 1, 2, 1, lengths[0]], &username[..], &[lengths[1]], password].concat()
        }
    };
    bytes.extend([5, 1, 0]);
    match ask.target.host() {
        Host::Name(name) => bytes.extend([&[3, short(name.len())], name.as_bytes()].concat()),
        Host::V4(address) => bytes.extend([&[1][..], &address.octets()].concat()),
        Host::V6(address) => bytes.extend([&[4][..], &address.octets()].concat()),
    }
    bytes.extend(ask.target.port().to_be_bytes());
    bytes.extend(&ask.rest);
    bytes
}

/// A ClientHello, and a watch over what follows it.
pub(crate) fn hello(bytes: &[u8]) -> &'static str {
    let result = same(bytes, feed::hello);
    match result {
        Err(fault) => fault.code(),
        Ok(None) => {
            assert!(bytes.len() <= HELLO_BYTES_MAX);
            "incomplete"
        }
        Ok(Some((hello, taken))) => {
            assert!(taken <= bytes.len() && taken <= HELLO_BYTES_MAX);
            let (first, rest) = bytes.split_at(taken);
            assert_eq!(feed::hello(&[first]), Ok(Some((hello.clone(), taken))), "it needs nothing behind it");
            assert_eq!(feed::hello(&[&first[..taken - 1]]), Ok(None), "it needs every byte");
            if let Sni::Name(name) = hello.sni() {
                assert_eq!(Host::of_bytes(name.as_bytes()), Ok(Host::Name(name.clone())));
                assert!(
                    without_headers(first).windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()))
                );
            }
            agrees_with_rustls(first, hello.sni());
            let watched = same(rest, watch);
            match (hello.sni(), watched) {
                (_, Ok(Some(second))) => {
                    if *second.sni() == *hello.sni() {
                        "second"
                    } else {
                        "second_differs"
                    }
                }
                (_, Err(_)) => "second_refused",
                (Sni::Name(_), _) => "name",
                (Sni::Absent, _) => "sni_absent",
                (Sni::Several, _) => "sni_several",
                (Sni::Address, _) => "sni_address",
                (Sni::Malformed, _) => "sni_malformed",
            }
        }
    }
}

/// The bodies of records, one behind the other.
fn without_headers(mut bytes: &[u8]) -> Vec<u8> {
    let mut bodies = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<5>() {
        let (body, rest) = rest.split_at(usize::from(u16::from_be_bytes([header[3], header[4]])));
        bodies.extend_from_slice(body);
        bytes = rest;
    }
    bodies
}

/// The second hello among what a client sends, if there is one. What is held back is bounded.
fn watch(pieces: &[&[u8]]) -> Result<Option<wire::hello::Hello>, wire::hello::NotTls> {
    let (mut watch, mut held) = (TlsWatch::new(), 0);
    for piece in pieces {
        match watch.client(piece)? {
            Verdict::Hello(hello) => return Ok(Some(*hello)),
            Verdict::Done => return Ok(None),
            Verdict::Relay => held = 0,
            Verdict::Hold => held += piece.len(),
        }
        assert!(held <= HELLO_BYTES_MAX + piece.len() + 5);
    }
    Ok(None)
}

/// Another reader of the same bytes must not see another name. It may refuse more: it wants to talk, not to relay.
fn agrees_with_rustls(bytes: &[u8], sni: &Sni) {
    let mut acceptor = rustls::server::Acceptor::default();
    let mut input = bytes;
    while !input.is_empty() {
        if acceptor.read_tls(&mut input).is_err() {
            return;
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let theirs = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
                match sni {
                    Sni::Name(name) => assert_eq!(theirs.as_deref(), Some(&**name), "{}", bytes.escape_ascii()),
                    Sni::Absent | Sni::Address => assert_eq!(theirs, None, "{}", bytes.escape_ascii()),
                    Sni::Several | Sni::Malformed => {}
                }
                return;
            }
            Err(_) => return,
        }
    }
}

/// An authority, and the same host in a URL of the API.
pub(crate) fn target(bytes: &[u8]) -> &'static str {
    // What a protocol is called must not change as more of it comes.
    let named = (0..=bytes.len().min(32)).find_map(|length| sniff(&bytes[..length]));
    assert_eq!(named, sniff(bytes));

    let connect = Authority::of_connect(bytes);
    let field = Authority::of_host_field(bytes, 80);
    if let Ok(authority) = &connect {
        assert_eq!(field.as_ref(), Ok(authority));
        authority_is_normal(authority);
    }
    // A URL is text, is trimmed, may be of another script, and ends its authority at any of three marks.
    if bytes.is_ascii() && !bytes.iter().any(|b| b"/?#".contains(b)) {
        let text = std::str::from_utf8(bytes).unwrap();
        let api = model::TargetUrl::parse(&format!("http://{text}/"));
        let plain = field.as_ref().ok().map(|a| (a.host().domain(), a.port()));
        assert_eq!(plain, api.ok().map(|url| (url.domain().to_owned(), url.port())), "{}", bytes.escape_ascii());
        assert_eq!(Host::of_bytes(bytes).ok().map(|h| h.domain()), bare_host(text), "{}", bytes.escape_ascii());
    }
    match (&connect, &field) {
        (Ok(_), _) => "with_port",
        (_, Ok(authority)) => {
            authority_is_normal(authority);
            let text = std::str::from_utf8(bytes).unwrap();
            assert_eq!(naive::host_form(text), authority.host().domain(), "{text}");
            if authority.host().ip().is_some() { "address" } else { "name" }
        }
        (_, Err(fault)) => fault.code(),
    }
}

/// A host without port as the API reads one; it takes IPv6 without brackets too.
fn bare_host(text: &str) -> Option<String> {
    if text.contains(':') && !text.starts_with('[') {
        return None;
    }
    model::target::normalise_host(text).ok().filter(|_| !text.contains('@'))
}

fn authority_is_normal(authority: &Authority) {
    let text = authority.to_string();
    assert_eq!(Authority::of_connect(text.as_bytes()).as_ref(), Ok(authority), "{text}");
    assert_ne!(authority.port(), 0);
    match authority.host() {
        Host::Name(name) => {
            assert!(name.parse::<IpAddr>().is_err() && !name.ends_with('.'), "{name}");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)),
                "{name}"
            );
        }
        Host::V4(_) => {}
        Host::V6(address) => assert!(address.to_ipv4_mapped().is_none(), "{address}"),
    }
}
