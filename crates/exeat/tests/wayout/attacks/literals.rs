//! Forbidden addresses written out, in every spelling, by every carrier.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{ALL, Carrier, Since, Told, ask, assert_blocked, assert_ended, denied};
use crate::bed::{ANYWHERE, Bed};
use crate::network::{NEAR, NEAR_V6, inside};
use crate::world::World;

/// One of each block that is not the public Internet, and some that are special in it.
const FORBIDDEN_V4: [&str; 26] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "93.184.100.2",
];

const FORBIDDEN_V6: [&str; 25] = [
    "::",
    "::1",
    "::7f00:1",
    "::a00:1",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:2d4f:1::80ff:fffe",
    "2001:2::1",
    "2001:db8::1",
    "2001:10::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "2002:2d4f:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2606:4700:100::2",
];

type Spelling = fn(Ipv4Addr) -> String;

/// What resolvers and URL parsers somewhere take for an IPv4 address.
const SPELLINGS: [(&str, Spelling); 12] = [
    ("dotted", |a| a.to_string()),
    ("trailing dot", |a| format!("{a}.")),
    ("decimal", |a| u32::from(a).to_string()),
    ("hexadecimal", |a| format!("0x{:x}", u32::from(a))),
    ("upper hexadecimal", |a| format!("0X{:X}", u32::from(a))),
    ("octal", |a| format!("0{:o}", u32::from(a))),
    ("dotted hexadecimal", |a| a.octets().map(|o| format!("0x{o:x}")).join(".")),
    ("dotted octal", |a| a.octets().map(|o| format!("0{o:o}")).join(".")),
    ("padded octal", |a| a.octets().map(|o| format!("000{o:o}")).join(".")),
    ("two parts", |a| format!("{}.{}", a.octets()[0], u32::from(a) & 0x00ff_ffff)),
    ("three parts", |a| format!("{}.{}.{}", a.octets()[0], a.octets()[1], u32::from(a) & 0xffff)),
    ("mapped", |a| format!("[{}]", a.to_ipv6_mapped())),
];

#[test]
fn no_forbidden_address_is_reached_by_any_spelling_and_carrier() {
    inside(module_path!(), "no_forbidden_address_is_reached_by_any_spelling_and_carrier", || {
        let bed = Bed::make(ANYWHERE);
        FORBIDDEN_V4.iter().chain(&FORBIDDEN_V6).for_each(|address| assert_reachable(&bed, address.parse().unwrap()));
        // What came to the machine itself is written down a moment later.
        std::thread::sleep(Duration::from_millis(300));
        let control: Ipv4Addr = match World::public(7) {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => unreachable!(),
        };
        for (spelling, spell) in SPELLINGS {
            for carrier in ALL {
                arrives(&bed, carrier, &spell(control), control.into(), spelling);
            }
        }
        let mut vectors = 0;
        for address in FORBIDDEN_V4 {
            let address: Ipv4Addr = address.parse().unwrap();
            for (spelling, spell) in SPELLINGS {
                for carrier in ALL {
                    is_refused(&bed, carrier, &spell(address), spelling);
                    vectors += 1;
                }
            }
            socks_by_number_is_refused(&bed, address.into());
            vectors += 1;
        }
        let control: Ipv6Addr = "2600:3c00::7".parse().unwrap();
        for carrier in ALL {
            arrives(&bed, carrier, &format!("[{control}]"), control.into(), "IPv6");
        }
        for address in FORBIDDEN_V6 {
            let address: Ipv6Addr = address.parse().unwrap();
            let written_out = address.segments().map(|segment| format!("{segment:04X}")).join(":");
            for spelled in [address.to_string(), written_out] {
                for carrier in ALL {
                    is_refused(&bed, carrier, &format!("[{spelled}]"), "IPv6");
                    vectors += 1;
                }
            }
            socks_by_number_is_refused(&bed, address.into());
            vectors += 1;
        }
        println!("{vectors} spellings of forbidden addresses were refused");
        assert_eq!(vectors, FORBIDDEN_V4.len() * (SPELLINGS.len() * 5 + 1) + FORBIDDEN_V6.len() * 11);
    });
}

/// exeat's own listeners are no destination, on whichever port they are.
#[test]
fn exeat_itself_is_not_reached() {
    inside(module_path!(), "exeat_itself_is_not_reached", || {
        let bed = Bed::make(ANYWHERE);
        for own in [bed.server.address(), bed.way.proxy] {
            for host in [own.to_string(), format!("localhost:{}", own.port()), format!("{NEAR}:{}", own.port())] {
                let answer = bed.way.get(&format!("http://{host}/livez")).unwrap();
                assert_eq!((answer.status, answer.code().as_str()), (403, "destination_denied"), "{host}");
            }
        }
        let answer = bed.way.get(&format!("http://[{NEAR_V6}]:8080/")).unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (403, "destination_denied"));
        let answer = bed.way.get("http://45.79.0.9:8080/x").unwrap();
        assert_eq!(answer.status, 200, "the control");
    });
}

fn arrives(bed: &Bed, carrier: Carrier, spelled: &str, address: IpAddr, what: &str) {
    let what = format!("the control {what} by {carrier:?}: {spelled}");
    let since = Since::now(bed);
    let told = ask(bed, carrier, spelled, &address.to_string());
    match carrier {
        Carrier::Api => assert_eq!(told, Told::Allowed, "{what}"),
        _ => {
            assert_eq!(told, Told::Arrived(SocketAddr::new(address, carrier.port())), "{what}");
            since.assert_only(address, &what);
        }
    }
}

fn is_refused(bed: &Bed, carrier: Carrier, spelled: &str, what: &str) {
    let what = format!("{what} by {carrier:?}: {spelled}");
    let since = Since::now(bed);
    let told = ask(bed, carrier, spelled, "a.test");
    since.assert_nothing(&what);
    if carrier == Carrier::Api && is_own(spelled) {
        // Which addresses the machine has is not for the API to say, which sends nothing.
        assert_eq!(told, Told::Allowed, "{what}");
        return;
    }
    assert_eq!(told, denied(carrier, "destination_denied"), "{what}");
    assert_refused(bed, is_own(spelled), &what);
}

fn socks_by_number_is_refused(bed: &Bed, address: IpAddr) {
    let since = Since::now(bed);
    let refused = bed.way.socks_address(address, 443);
    assert!(matches!(refused, Err(crate::carrier::NoTunnel::Socks(2))), "{address}: {refused:?}");
    since.assert_nothing(&format!("SOCKS by number: {address}"));
    assert_refused(bed, is_own(&SocketAddr::new(address, 443).to_string()), &format!("SOCKS by number: {address}"));
}

/// Whether this spells an address of the machine itself, which nobody but the dialer can know to be forbidden.
fn is_own(spelled: &str) -> bool {
    let target = model::TargetUrl::parse(&format!("http://{spelled}/")).unwrap();
    let address: IpAddr = target.domain().parse().unwrap();
    address == IpAddr::from(NEAR) || address == IpAddr::from(NEAR_V6)
}

fn assert_refused(bed: &Bed, own: bool, what: &str) {
    match own {
        true => assert_ended(bed, "failed", Some("destination_denied"), what),
        false => assert_blocked(bed, "destination_denied", what),
    }
}

/// The control of every refusal: a program that is not held back sends something there, and it is seen.
fn assert_reachable(bed: &Bed, address: IpAddr) {
    let (since, to) = (Since::now(bed), SocketAddr::new(address, 80));
    // The kernel itself sends no TCP to groups, to everybody, to a link without naming it; 0.0.0.0 is this machine.
    let kernel = match address {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] >= 240,
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_unicast_link_local() || v6.octets()[..12] == [0; 12],
    };
    // A new link takes a moment before it carries IPv6.
    let attempts = if kernel { 1 } else { 20 };
    let seen = (0..attempts).any(|_| {
        let _connected = TcpStream::connect_timeout(&to, Duration::from_millis(200));
        since.sent().contains(&to)
    });
    assert!(seen || kernel || address.is_unspecified(), "{address} can be sent to");
}
