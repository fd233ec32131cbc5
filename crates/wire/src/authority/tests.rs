use super::*;

#[test]
fn brings_every_spelling_into_one_form() {
    for (text, want) in [
        ("example.com:443", "example.com:443"),
        ("EXAMPLE.com.:443", "example.com:443"),
        ("xn--bcher-kva.example:1", "xn--bcher-kva.example:1"),
        ("XN--BCHER-KVA.example:1", "xn--bcher-kva.example:1"),
        ("a_b.example:65535", "a_b.example:65535"),
        ("h2:80", "h2:80"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("0x7f.1:80", "127.0.0.1:80"),
        ("2130706433:00080", "127.0.0.1:80"),
        ("0177.0.0.1.:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("[2001:DB8:0::1]:80", "[2001:db8::1]:80"),
        ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
        ("[::ffff:7f00:1]:80", "127.0.0.1:80"),
        ("[::127.0.0.1]:80", "[::7f00:1]:80"),
    ] {
        let authority = Authority::of_connect(text.as_bytes()).unwrap();
        assert_eq!(authority.to_string(), want, "{text}");
        assert_eq!(Authority::of_connect(want.as_bytes()), Ok(authority.clone()), "{text}");
        assert_eq!(Authority::of_host_field(text.as_bytes(), 9), Ok(authority), "{text}");
    }
}

#[test]
fn gives_the_parts() {
    let v6 = Authority::of_host_field(b"[::1]", 80).unwrap();
    assert_eq!((v6.host().domain().as_str(), v6.host().name()), ("::1", None));
    assert_eq!(v6.host().ip(), Some(Ipv6Addr::LOCALHOST.into()));
    assert_eq!((v6.host_field(80).as_str(), v6.host_field(8080).as_str()), ("[::1]", "[::1]:80"));
    let name = Authority::of_connect(b"h.example:443").unwrap();
    assert_eq!((name.host().name(), name.host().ip(), name.port()), (Some("h.example"), None, 443));
    assert_eq!(Authority::new(Host::V4(Ipv4Addr::LOCALHOST), 0), Err(Fault::Port));
}
