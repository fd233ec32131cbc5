//! Readings of whole heads; what is refused is a table of vectors in `tests/it`.

use super::*;

fn read(text: &str, mode: Mode) -> Result<Head, Fault> {
    read_head(text.as_bytes(), mode, &HeadLimits::DEFAULT).map(|read| {
        let (head, taken) = read.unwrap();
        assert_eq!(taken, text.len());
        head
    })
}

fn proxy(text: &str) -> Head {
    read(text, Mode::Proxy).unwrap()
}

#[test]
fn reads_what_a_plain_request_says() {
    let head = proxy(concat!(
        "POST http://Example.COM:8080/a/b?c=d HTTP/1.1\r\n",
        "Host: other.example\r\n",
        "Proxy-Authorization: Basic eDp5\r\n",
        "User-Agent:\t curl/8 \r\n",
        "Connection: keep-alive, X-Mine\r\n",
        "X-Mine: 1\r\n",
        "TE: trailers\r\n",
        "Via: 1.1 a\r\n",
        "Expect: 100-Continue\r\n",
        "Content-Length: 3\r\n",
        "X-Empty:\r\n",
        "via: 1.0 b, 1.1 c\r\n",
        "\r\n",
    ));
    assert_eq!((head.method(), head.version(), head.body()), ("POST", Version::Http11, Body::Length(3)));
    assert_eq!(head.authority().to_string(), "example.com:8080");
    assert_eq!(head.path_and_query(), "/a/b?c=d");
    assert_eq!(head.url(), "http://example.com:8080/a/b?c=d");
    assert_eq!(head.proxy_authorization(), Some(&b"Basic eDp5"[..]));
    assert!(head.is_keep_alive() && head.expect_continue() && !head.is_connect());
    assert_eq!(head.via().collect::<Vec<_>>(), [&b"1.1 a"[..], b"1.0 b, 1.1 c"]);
    let passed: Vec<_> = head.end_to_end().map(|field| (field.name(), field.value())).collect();
    assert_eq!(
        passed,
        [
            ("User-Agent", &b"curl/8"[..]),
            ("Via", b"1.1 a"),
            ("Expect", b"100-Continue"),
            ("Content-Length", b"3"),
            ("X-Empty", b""),
            ("via", b"1.0 b, 1.1 c"),
        ]
    );
    assert!(!format!("{head:?}").contains("eDp5"));
    assert!(!format!("{:?}", head.fields().collect::<Vec<_>>()).contains("eDp5"));
}

#[test]
fn gives_each_target_form_its_parts() {
    let check = |text: &str, mode, authority: &str, path: &str, url: &str| {
        let head = read(&format!("{text}\r\nHost: h.example\r\n\r\n"), mode).unwrap();
        assert_eq!((head.authority().to_string().as_str(), head.path_and_query()), (authority, path), "{text}");
        assert_eq!(head.url(), url, "{text}");
    };
    check("CONNECT h.example:443 HTTP/1.1", Mode::Proxy, "h.example:443", "", "https://h.example/");
    check("CONNECT [::1]:443 HTTP/1.1", Mode::Proxy, "[::1]:443", "", "https://[::1]/");
    check("GET HTTP://h.example HTTP/1.1", Mode::Proxy, "h.example:80", "/", "http://h.example/");
    check("GET http://h.example?q HTTP/1.1", Mode::Proxy, "h.example:80", "/?q", "http://h.example/?q");
    check("OPTIONS http://h.example HTTP/1.1", Mode::Proxy, "h.example:80", "*", "http://h.example/");
    check("GET /a?b HTTP/1.1", Mode::Origin, "h.example:80", "/a?b", "http://h.example/a?b");
    check("GET //a HTTP/1.1", Mode::Origin, "h.example:80", "//a", "http://h.example//a");
    check("OPTIONS * HTTP/1.1", Mode::Origin, "h.example:80", "*", "http://h.example/");
    check("GET http://h.example:80/ HTTP/1.1", Mode::Origin, "h.example:80", "/", "http://h.example/");
}

#[test]
fn keeps_alive_as_both_sides_agree() {
    for (version, fields, want) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Keep-Alive, CLOSE\r\n", false),
        ("1.1", "Proxy-Connection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Proxy-Connection: keep-alive\r\n", false),
        ("1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
    ] {
        let head = proxy(&format!("GET http://h/ HTTP/{version}\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!(head.is_keep_alive(), want, "{version} {fields:?}");
    }
}

#[test]
fn upgrades_only_where_everything_says_so() {
    for (version, fields, want) in [
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", Some("websocket")),
        ("1.1", "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", Some("WebSocket")),
        ("1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n", Some("h2c")),
        ("1.1", "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n", Some("HTTP/2.0")),
        ("1.1", "Upgrade: websocket\r\n", None),
        ("1.1", "Connection: Upgrade\r\n", None),
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n", None),
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n", None),
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", None),
        ("1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n", None),
    ] {
        let head = proxy(&format!("GET http://h/ HTTP/{version}\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!(head.upgrade(), want, "{version} {fields:?}");
        assert_eq!(head.upgrades_to_websocket(), want.is_some_and(|p| p.eq_ignore_ascii_case("websocket")));
        assert!(head.end_to_end().all(|field| field.name() != "Upgrade" && field.name() != "HTTP2-Settings"));
    }
}

#[test]
fn reads_one_request_after_another() {
    let one = "GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n";
    let two = "\r\nGET http://b.example/ HTTP/1.1\r\nHost: b\r\n\r\n";
    let mut buffer = BytesMut::from(format!("{one}{two}\r\n").as_str());
    let mut reader = HeadReader::new(Mode::Proxy, HeadLimits::DEFAULT);
    let mut hosts = Vec::new();
    while let Some(head) = reader.read(&mut buffer).unwrap() {
        assert_eq!(head.size_bytes(), one.len());
        hosts.push(head.authority().to_string());
    }
    assert_eq!(hosts, ["a.example:80", "b.example:80"]);
    assert!(reader.is_between_requests(&buffer));
    buffer.extend_from_slice(b"G");
    assert!(!reader.is_between_requests(&buffer));
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = HeadLimits { head_bytes_max: 100, fields_max: 2, target_bytes_max: 20 };
    let read = |text: &str| read_head(text.as_bytes(), Mode::Proxy, &limits).map(|read| read.is_some());
    let padded = |n: usize| format!("GET http://h/ HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(n));
    let fits = 100 - padded(0).len();
    assert_eq!(read(&padded(fits)), Ok(true));
    assert_eq!(read(&format!("\r\n{}", padded(fits))), Ok(true));
    assert_eq!(read(&padded(fits + 1)), Err(Fault::HeadLong));
    assert_eq!(read(&"G".repeat(99)), Ok(false));
    assert_eq!(read(&"G".repeat(100)), Err(Fault::TargetLong));

    let target = |n: usize| format!("GET http://h/{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(n));
    assert_eq!(read(&target(11)), Ok(true));
    assert_eq!(read(&target(12)), Err(Fault::TargetLong));

    let fields = |n: usize| format!("GET http://h/ HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: 1\r\n".repeat(n));
    assert_eq!(read(&fields(1)), Ok(true));
    assert_eq!(read(&fields(2)), Err(Fault::TooManyFields));
}
