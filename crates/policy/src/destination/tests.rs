use super::*;

fn kind(text: &str) -> Option<Forbidden> {
    forbidden(text.parse().unwrap())
}

#[test]
fn global_addresses_pass() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "168.63.129.15",
        "2606:4700::1111",
        "2001:4860::8888",
        "::ffff:8.8.8.8",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "2620::1",
        "2620:4f:8000::1",
    ] {
        assert_eq!(kind(text), None, "{text}");
    }
}

#[test]
fn special_addresses_do_not() {
    use Forbidden::*;
    let cases: &[(Forbidden, &[&str])] = &[
        (
            Loopback,
            &[
                "127.0.0.1",
                "127.255.255.255",
                "::1",
                "::ffff:127.0.0.1",
                "64:ff9b::7f00:1",
                "2002:7f00:1::",
                "::127.0.0.1",
            ],
        ),
        (
            Private,
            &[
                "10.0.0.0",
                "10.255.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.1",
                "fc00::1",
                "fdff::1",
                "fec0::1",
                "feff::1",
                "::ffff:10.1.2.3",
                "64:ff9b::a00:1",
                "2002:c0a8:1::1",
                "2001:0:a00:1::1",
                "2001:0:808:808:0:0:f5ff:fffe",
                "2606:4700::5efe:a00:1",
            ],
        ),
        (LinkLocal, &["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1"]),
        (SharedNat, &["100.64.0.0", "100.127.255.255"]),
        (Multicast, &["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"]),
        (Documentation, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"]),
        (Benchmarking, &["198.18.0.1", "198.19.255.255", "2001:2::1"]),
        (
            Metadata,
            &[
                "169.254.169.254",
                "168.63.129.16",
                "100.100.100.200",
                "fd00:ec2::254",
                "::ffff:169.254.169.254",
                "2002:a9fe:a9fe::",
            ],
        ),
        (
            Translation,
            &[
                "64:ff9b::808:808",
                "64:ff9b:1::1",
                "64:ff9b:1:808:8:800::",
                "2002:808:808::1",
                "2001:0:808:808::f7f7:f7f7",
                "::ffff:0:808:808",
            ],
        ),
        (
            Reserved,
            &[
                "0.0.0.0",
                "0.1.2.3",
                "192.0.0.1",
                "192.88.99.1",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::8.8.8.8",
                "100::1",
                "100:0:0:1::1",
                "192.0.0.9",
                "2001:1::1",
                "2001:10::1",
                "2001:20::1",
                "2001:1ff::1",
                "4000::1",
                "5f00::1",
            ],
        ),
    ];
    for (want, texts) in cases {
        for text in *texts {
            assert_eq!(kind(text), Some(*want), "{text}");
        }
    }
}

#[test]
fn literals_are_told_from_names() {
    for name in ["example.com", "127.0.0.1.example.com", "cafe", "localhost", "", "dead.beef", "1.2.3.4.nip.io"] {
        assert_eq!(forbidden_literal(name, None, &[]), None, "{name}");
    }
    for literal in ["127.0.0.1", "[::1]", "::1", "127.0.0.1.", "::ffff:7f00:1", "fe80::"] {
        assert!(forbidden_literal(literal, Some(80), &[]).is_some(), "{literal}");
    }
    assert_eq!(forbidden_literal("8.8.8.8", Some(80), &[]), None);
}

#[test]
fn trusted_upstreams_except_exactly_what_they_name() {
    let trust = |host: &str, net: Option<&str>, port| TrustedUpstream {
        host: host.into(),
        net: net.map(|n| n.parse().unwrap()),
        port,
    };
    let check = |trusted: TrustedUpstream, port, excepted: bool| {
        assert_eq!(
            forbidden_literal("10.0.0.5", port, std::slice::from_ref(&trusted)).is_none(),
            excepted,
            "{trusted:?} {port:?}"
        );
    };
    check(trust("10.0.0.5", None, None), Some(80), true);
    check(trust("10.0.0.5", None, None), None, true);
    check(trust("10.0.0.5", Some("10.0.0.0/24"), Some(80)), Some(80), true);
    check(trust("10.0.0.5", Some("10.0.1.0/24"), Some(80)), Some(80), false);
    check(trust("10.0.0.5", None, Some(80)), Some(81), false);
    check(trust("10.0.0.5", None, Some(80)), None, false);
    check(trust("10.0.0.6", None, None), Some(80), false);
    check(trust("db.internal", Some("10.0.0.0/8"), None), Some(80), false);
}

#[test]
fn an_embedded_address_is_found_under_each_length_of_prefix() {
    let check = |prefix: &str, address: &str, want: Option<&str>| {
        let found = embedded_v4(prefix.parse().unwrap(), address.parse().unwrap());
        assert_eq!(found, want.map(|text| text.parse().unwrap()), "{prefix} {address}");
    };
    // The examples of RFC 6052, section 2.4.
    let inner = Some("192.0.2.33");
    check("2001:db8::/32", "2001:db8:c000:221::", inner);
    check("2001:db8:100::/40", "2001:db8:1c0:2:21::", inner);
    check("2001:db8:122::/48", "2001:db8:122:c000:2:2100::", inner);
    check("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", inner);
    check("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::", inner);
    check("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33", inner);
    check("64:ff9b::/96", "64:ff9b::192.0.2.33", inner);
    check("64:ff9b::/96", "64:ff9c::192.0.2.33", None);
    check("2001:db8:122:344::/64", "2001:db8:122:344:01c0:2:2100::", None);
    check("2001:db8:122:344::/72", "2001:db8:122:344::", None);
}
