//! Names that lead to forbidden places: by every kind of answer that a name server can give.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Carrier, SENDING, Since, Told, ask, assert_ended, denied};
use crate::bed::{ANYWHERE, Bed};
use crate::dns::Answer;
use crate::network::inside;

/// What a name must never lead to, of each kind.
const BAD: [&str; 36] = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "93.184.100.2",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::2d4f:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "2606:4700:100::2",
];

const GOOD: &str = "45.79.1.1";
const GOOD_V6: &str = "2600:3c00::1";

#[test]
fn no_name_leads_to_a_forbidden_place() {
    inside(module_path!(), "no_name_leads_to_a_forbidden_place", || {
        let bed = Bed::make(ANYWHERE);
        let mut vectors = 0;
        for (number, bad) in BAD.into_iter().enumerate() {
            let family = if bad.contains(':') { GOOD_V6 } else { GOOD };
            let other = if bad.contains(':') { GOOD } else { GOOD_V6 };
            let shapes: [(&str, Answer); 5] = [
                ("alone", Answer::of(&[bad])),
                ("behind a good one", Answer::of(&[family, bad])),
                ("before a good one", Answer::of(&[bad, family])),
                ("beside the other family", Answer::of(&[bad, other])),
                ("behind an alias", Answer::of(&[bad]).chain(&["cdn.test", "inner.test"]).ttl(0)),
            ];
            for (shape, answer) in shapes {
                for carrier in SENDING {
                    let name = format!("n{number}-{}.test", shape.replace(' ', "-"));
                    bed.world.names.say(&name, vec![answer.clone()]);
                    let what = format!("{bad} {shape} by {carrier:?}");
                    let since = Since::now(&bed);
                    let told = ask(&bed, carrier, &name, &name);
                    assert_eq!(told, denied(carrier, "destination_denied"), "{what}");
                    since.assert_nothing_sent(&what);
                    assert!(bed.world.names.asked(&name) <= 2, "{what}: each family is asked for once");
                    assert_ended(&bed, "failed", Some("destination_denied"), &what);
                    vectors += 1;
                }
            }
        }
        println!("{vectors} names led nowhere");
        assert_eq!(vectors, BAD.len() * 20);
        for (shape, answer, to) in [
            ("alone", Answer::of(&[GOOD]), GOOD),
            ("alone v6", Answer::of(&[GOOD_V6]), GOOD_V6),
            ("behind an alias", Answer::of(&[GOOD]).chain(&["cdn.test", "inner.test"]).ttl(0), GOOD),
            ("mapped", Answer::of(&[GOOD]), GOOD),
        ] {
            for carrier in SENDING {
                let name = format!("good-{}.test", shape.replace(' ', "-"));
                bed.world.names.say(&name, vec![answer.clone()]);
                arrives(&bed, carrier, &name, to, shape);
            }
        }
    });
}

fn arrives(bed: &Bed, carrier: Carrier, name: &str, to: &str, what: &str) {
    let to: IpAddr = to.parse().unwrap();
    let what = format!("the control {what} by {carrier:?}");
    let since = Since::now(bed);
    assert_eq!(ask(bed, carrier, name, name), Told::Arrived(SocketAddr::new(to, carrier.port())), "{what}");
    since.assert_only(to, &what);
}

/// What is vetted is what is dialed: a name is not looked up again between the two, and anew for the next request.
#[test]
fn an_answer_that_changes_does_not_help() {
    inside(module_path!(), "an_answer_that_changes_does_not_help", || {
        let bed = Bed::make(ANYWHERE);
        for carrier in SENDING {
            for bad in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "93.184.100.2"] {
                let name = format!("rebinding-{carrier:?}-{}.test", bad.replace('.', "-")).to_lowercase();
                bed.world.names.say(&name, vec![Answer::of(&[GOOD]).ttl(0), Answer::of(&[bad]).ttl(0)]);
                let (what, since) = (format!("rebinding to {bad} by {carrier:?}"), Since::now(&bed));
                // The first request is vetted and goes where it was vetted to.
                let first = ask(&bed, carrier, &name, &name);
                assert_eq!(first, Told::Arrived(SocketAddr::new(GOOD.parse().unwrap(), carrier.port())), "{what}");
                since.assert_only(GOOD.parse().unwrap(), &what);
                assert!(bed.world.names.asked(&name) <= 2, "{what}: each family once for one request");
                let since = Since::now(&bed);
                let second = ask(&bed, carrier, &name, &name);
                if second == first {
                    // A cache may hold for a moment; never longer than it says, which is 0 s here.
                    std::thread::sleep(Duration::from_millis(1_500));
                    assert_eq!(ask(&bed, carrier, &name, &name), denied(carrier, "destination_denied"), "{what}");
                } else {
                    assert_eq!(second, denied(carrier, "destination_denied"), "{what}");
                }
                assert!(since.sent().iter().all(|sent| sent.ip() == GOOD.parse::<IpAddr>().unwrap()), "{what}");
            }
        }
    });
}

#[test]
fn odd_answers_are_read_in_full_or_not_at_all() {
    inside(module_path!(), "odd_answers_are_read_in_full_or_not_at_all", || {
        let bed = Bed::make(ANYWHERE);
        let names = &bed.world.names;
        let many: Vec<String> = (0..1_000).map(|n| format!("45.79.{}.{}", 10 + n / 250, 1 + n % 250)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let with_bad: Vec<&str> = many.iter().copied().take(999).chain(["10.0.0.1"]).collect();
        names.say("many.test", vec![Answer::of(&many)]);
        names.say("many-and-one.test", vec![Answer::of(&with_bad)]);
        names.say("some.test", vec![Answer::of(&many[..20])]);
        names.say("cut-off.test", vec![Answer::of(&[GOOD]).truncated()]);
        names.say("cut-off-bad.test", vec![Answer::of(&[GOOD, "10.0.0.1"]).truncated()]);
        names.say("slow.test", vec![Answer::of(&[GOOD]).delay(Duration::from_millis(900))]);
        names.say("slow-bad.test", vec![Answer::of(&["127.0.0.1"]).delay(Duration::from_millis(900))]);
        names.say("silent.test", vec![Answer::silent()]);
        names.say("failing.test", vec![Answer::code(2)]);
        names.say("refused.test", vec![Answer::code(5)]);
        names.say("empty.test", vec![Answer::of(&[])]);
        names.say("astray.test", vec![Answer::of(&[GOOD]).astray()]);
        names.say("loop.test", vec![Answer::of(&[]).chain(&["loop.test"])]);
        let deep: Vec<String> = (0..40).map(|n| format!("deep{n}.test")).collect();
        let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
        names.say("deep.test", vec![Answer::of(&["10.0.0.1"]).chain(&deep)]);
        for carrier in SENDING {
            for (name, want) in [
                ("many-and-one.test", &["destination_denied", "dns_error"][..]),
                ("cut-off-bad.test", &["destination_denied"]),
                ("slow-bad.test", &["destination_denied"]),
                ("silent.test", &["dns_timeout"]),
                ("failing.test", &["dns_error"]),
                ("refused.test", &["dns_error"]),
                ("empty.test", &["dns_not_found"]),
                ("nowhere.test", &["dns_not_found"]),
                ("astray.test", &["dns_timeout", "dns_error", "dns_not_found"]),
                ("loop.test", &["dns_error", "dns_not_found"]),
                ("deep.test", &["destination_denied", "dns_error"]),
            ] {
                let (what, since, began) = (format!("{name} by {carrier:?}"), Since::now(&bed), Instant::now());
                let told = ask(&bed, carrier, name, name);
                assert!(began.elapsed() < Duration::from_secs(15), "{what}: a name takes no longer");
                match &told {
                    Told::Refused { status, .. } if carrier == Carrier::Socks => {
                        assert!((1..=4).contains(status), "{what}: {told:?}");
                    }
                    Told::Refused { status, code } => {
                        assert!(want.contains(&code.as_str()), "{what}: {told:?}");
                        let class = if code == "destination_denied" { 403..=403 } else { 502..=504 };
                        assert!(class.contains(status), "{what}: {told:?}");
                    }
                    _ => panic!("{what}: {told:?}"),
                }
                since.assert_nothing_sent(&what);
                let end = bed.completed(&bed.newest());
                assert_eq!(end["outcome"], "failed", "{what}: {end}");
                assert!(want.contains(&end["error_code"].as_str().unwrap_or_default()), "{what}: {end}");
            }
            for name in ["some.test", "cut-off.test", "slow.test"] {
                assert!(
                    matches!(ask(&bed, carrier, name, name), Told::Arrived(_)),
                    "the control {name} by {carrier:?}"
                );
            }
            // As many as that are more than anybody needs: all are vetted, or the answer is refused.
            let told = ask(&bed, carrier, "many.test", "many.test");
            let fault = matches!(told, Told::Refused { status, .. } if carrier == Carrier::Socks || status == 502);
            assert!(fault || matches!(told, Told::Arrived(_)), "many.test by {carrier:?}: {told:?}");
        }
    });
}
