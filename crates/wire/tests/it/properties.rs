//! Bytes that are nearly right, and any bytes at all, against everything that must hold.

use proptest::prelude::*;

use crate::check;

fn any_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec())
}

/// Mostly `good`, now and then something else.
fn mostly(good: &'static [&'static str], odd: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![12 => any_of(good), 1 => any_of(odd)]
}

fn host() -> impl Strategy<Value = Vec<u8>> {
    mostly(
        &[
            "origin.test",
            "ORIGIN.test",
            "origin.test.",
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "[::ffff:1.2.3.4]",
            "h",
            "xn--bcher-kva.test",
        ],
        &["", "a@b", "a..b", "*", "a%62", "a,b", "1.2.3.4.5", "::1", "[::1", "[fe80::1%1]", "a\tb", "a\0b", "xn--a"],
    )
}

fn authority() -> impl Strategy<Value = Vec<u8>> {
    let port =
        mostly(&["", ":80", ":443", ":00443", ":65535"], &[":", ":0", ":65536", ":+1", ":1:1", ":1,2", ":000080"]);
    (host(), port).prop_map(|(host, port)| [host, port].concat())
}

fn target() -> impl Strategy<Value = Vec<u8>> {
    let path = mostly(&["", "/", "/a?b=c", "?q", "//a/../b", "/%41"], &["#f", "/\\", "/\u{1}", "/a b", "\u{fc}"]);
    let scheme = mostly(&["http://", "http://", "HTTP://", "", "/", "*"], &["https://", "ftp://", "http:/", "//"]);
    (scheme, authority(), path).prop_map(|(scheme, authority, path)| match scheme.as_slice() {
        b"/" | b"*" => [scheme, path].concat(),
        b"" => authority,
        _ => [scheme, authority, path].concat(),
    })
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    let plain = any_of(&[
        "X-A: b",
        "X-A:\t b ",
        "Connection: close",
        "Connection: keep-alive, x-a",
        "Connection: upgrade",
        "Upgrade: websocket",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "Content-Length: 0",
        "Expect: 100-continue",
        "TE: trailers",
        "Proxy-Authorization: Basic eDp5",
        "Via: 1.1 a",
        "Trailer: x",
        "Proxy-Connection: close",
        "Keep-Alive: 5",
    ]);
    let odd = any_of(&[
        "X-A : b",
        " X-A: b",
        ": b",
        "X-A",
        "X-A: b\rc",
        "X-A: b\nc",
        "X-A: b\0",
        "Host: h",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding : chunked",
        "Connection: host",
        "Expect: a",
        "content-length: 6",
        "Transfer-Encoding: chunked, chunked",
        "X\u{80}: a",
        "X-A: \u{ff}",
    ]);
    prop_oneof![12 => plain, 1 => odd]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    any_of(&[
        "",
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
        "5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
        "0\r\n\r\n",
        "5\r\nhello",
        "5\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "6\r\nhello\r\n0\r\n\r\n",
        "0\r\nHost: a\r\n\r\n",
        "-1\r\n",
        "g",
    ])
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let line_end = mostly(&["\r\n"], &["\n", "\r", "\r\r\n", " \r\n", "\r\n "]);
    let method = mostly(&["GET", "POST", "CONNECT", "OPTIONS", "M-SEARCH"], &["get", "TRACE", "", "G ET", "G\0"]);
    let version = mostly(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"], &["HTTP/2.0", "HTTP/1.1 ", "", "http/1.1"]);
    let fields = prop::collection::vec((field(), line_end), 0..4);
    (any::<bool>(), method, target(), version, authority(), fields, body()).prop_map(
        |(empty_line, method, target, version, host, fields, body)| {
            let mut bytes = if empty_line { b"\r\n".to_vec() } else { Vec::new() };
            bytes.extend([&method[..], b" ", &target, b" ", &version, b"\r\nHost: ", &host, b"\r\n"].concat());
            for (field, line_end) in fields {
                bytes.extend([field, line_end].concat());
            }
            bytes.extend([b"\r\n", &body[..]].concat());
            bytes
        },
    )
}

fn vector16(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

fn hello() -> impl Strategy<Value = Vec<u8>> {
    let name = (
        any_of(&["origin.test", "ORIGIN.Test", "a.", "", "1.2.3.4", "::1", "a\0b"]),
        prop_oneof![9 => Just(0_u8), 1 => Just(1)],
    )
        .prop_map(|(name, kind)| [&[kind][..], &vector16(&name)].concat());
    let names = prop::collection::vec(name, 1..3).prop_map(|names| (0_u16, vector16(&names.concat())));
    let other = (0_u16..60, prop::collection::vec(any::<u8>(), 0..9));
    let extension =
        prop_oneof![3 => names, 2 => Just((43, vec![2, 3, 4])), 1 => Just((16, vec![0, 3, 2, b'h', b'2'])), 2 => other];
    let one = (prop::collection::vec(extension, 0..5), 1_usize..300, 0_usize..400, any::<u8>()).prop_map(
        |(extensions, record, at, flip)| {
            let extensions: Vec<u8> = extensions
                .iter()
                .flat_map(|(kind, body)| [&kind.to_be_bytes()[..], &vector16(body)].concat())
                .collect();
            let mut body = vec![3, 3];
            body.extend([7; 32]);
            body.extend([0, 0, 2, 0x13, 1, 1, 0]);
            body.extend(vector16(&extensions));
            let length = u32::try_from(body.len()).unwrap().to_be_bytes();
            let mut message = [&[1][..], &length[1..], &body].concat();
            if let Some(b) = message.get_mut(at) {
                *b ^= flip & flip >> 1 & flip >> 2;
            }
            message.chunks(record).flat_map(|part| [&[22, 3, 1][..], &vector16(part)].concat()).collect::<Vec<u8>>()
        },
    );
    let between = any_of(&[
        "",
        "\u{14}\u{3}\u{3}\0\u{1}\u{1}",
        "\u{17}\u{3}\u{3}\0\u{2}ab",
        "\u{15}\u{3}\u{3}\0\u{2}\u{1}\0",
        "x",
    ]);
    (one.clone(), between, prop::option::of(one))
        .prop_map(|(first, between, second)| [first, between, second.unwrap_or_default()].concat())
}

fn socks() -> impl Strategy<Value = Vec<u8>> {
    let greeting = prop_oneof![
        4 => Just(vec![5, 1, 0]),
        4 => Just(b"\x05\x02\x00\x02\x01\x01x\x03key".to_vec()),
        1 => Just(vec![4, 1, 0]),
        1 => Just(vec![5, 0]),
    ];
    let name = host().prop_map(|name| [&[3, u8::try_from(name.len()).unwrap()], &name[..]].concat());
    let v4 = any::<[u8; 4]>().prop_map(|octets| [&[1][..], &octets].concat());
    let v6 = any::<[u8; 16]>().prop_map(|octets| [&[4][..], &octets].concat());
    let start = prop_oneof![9 => Just([5, 1, 0]), 1 => any::<[u8; 3]>()];
    (
        greeting,
        start,
        prop_oneof![4 => name, 1 => v4, 1 => v6],
        any::<[u8; 2]>(),
        prop::collection::vec(any::<u8>(), 0..9),
    )
        .prop_map(|(greeting, start, address, port, rest)| [&greeting[..], &start, &address, &port, &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn requests_hold(bytes in request()) {
        check::http(&bytes);
    }

    #[test]
    fn targets_hold(bytes in authority()) {
        check::target(&bytes);
    }

    #[test]
    fn hellos_hold(bytes in hello()) {
        check::hello(&bytes);
    }

    #[test]
    fn socks_holds(bytes in socks()) {
        check::socks(&bytes);
    }

    #[test]
    fn any_bytes_hold(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check::http(&bytes);
        check::target(&bytes);
        check::hello(&bytes);
        check::socks(&bytes);
    }
}

/// The generators reach every kind of answer, so that the properties above are not about nothing.
#[test]
fn generators_reach_both_sides() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut words = std::collections::BTreeMap::<&str, usize>::new();
    for _ in 0..4_000 {
        *words.entry(check::http(&request().new_tree(&mut runner).unwrap().current())).or_default() += 1;
        *words.entry(check::hello(&hello().new_tree(&mut runner).unwrap().current())).or_default() += 1;
        *words.entry(check::socks(&socks().new_tree(&mut runner).unwrap().current())).or_default() += 1;
    }
    for word in ["request", "length", "chunked", "connect", "name", "second", "second_differs", "open", "password"] {
        assert!(words.get(word).is_some_and(|count| *count > 5), "{word}: {words:?}");
    }
    assert!(words.len() > 40, "{words:?}");
}

/// What is near a limit is too long for the generators.
#[test]
fn limits_do_not_depend_on_splits() {
    let head = |n: usize| format!("GET http://h/ HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(n)).into_bytes();
    let fits = 64 * 1024 - head(0).len();
    let chunked = |rest: &str| {
        format!("POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{rest}").into_bytes()
    };
    let trailer = |n: usize| chunked(&format!("X: {}\r\n\r\n", "x".repeat(n)));
    for (bytes, want) in [
        (head(fits), "request"),
        (head(fits + 1), "head_too_long"),
        (vec![b'G'; 64 * 1024 - 1], "incomplete"),
        (vec![b'G'; 64 * 1024], "target_too_long"),
        (trailer(16 * 1024 - 7), "chunked"),
        (trailer(16 * 1024 - 6), "trailers_too_long"),
        (chunked(&"X: 1\r\n".repeat(64)), "incomplete"),
        (chunked(&"X".repeat(16 * 1024)), "trailers_too_long"),
    ] {
        assert_eq!(check::http(&bytes), want, "{} bytes", bytes.len());
    }

    let records = |length: usize, sent: usize| {
        let mut message = vec![1];
        message.extend(&u32::try_from(length).unwrap().to_be_bytes()[1..]);
        message.resize(sent, 0);
        message.chunks(1000).flat_map(|part| [&[22, 3, 1][..], &vector16(part)].concat()).collect::<Vec<u8>>()
    };
    for (bytes, want) in [
        (records(65_536, 60_000), "incomplete"),
        (records(65_537, 60_000), "tls_hello_too_long"),
        (records(65_536, 65_540), "tls_hello_too_long"),
        (records(60_000, 60_004), "tls_version"),
    ] {
        assert_eq!(check::hello(&bytes), want, "{} bytes", bytes.len());
        let second = [include_bytes!("../../corpus/hello/openssl"), &bytes[..]].concat();
        let want = if want == "incomplete" { "name" } else { "second_refused" };
        assert_eq!(check::hello(&second), want, "{} bytes", second.len());
    }
}
