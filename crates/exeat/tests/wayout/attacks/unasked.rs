//! Names that are denied, or that a human has still to allow: no name server hears of them.

use super::{ALL, Carrier, SENDING, Since, Told, ask, assert_blocked, denied};
use crate::bed::Bed;
use crate::dns::Answer;
use crate::network::inside;

const RULES: &str = r#"
[[deny]]
id = "no"
host = ["denied.test", "*.denied.test"]
[[ask]]
id = "perhaps"
host = "asked.test"
[[allow]]
id = "yes"
host = ["allowed.test", "*.allowed.test"]
"#;

#[test]
fn a_name_that_may_not_go_out_is_not_looked_up() {
    inside(module_path!(), "a_name_that_may_not_go_out_is_not_looked_up", || {
        let bed = Bed::make(RULES);
        let names = ["denied.test", "x.denied.test", "asked.test", "unheard.test", "allowed.test", "x.allowed.test"];
        for name in names {
            bed.world.names.say(name, vec![Answer::of(&["45.79.2.1"]).ttl(0)]);
        }
        let mut vectors = 0;
        for carrier in ALL {
            for (spelled, code) in [
                ("denied.test", "policy_denies"),
                ("DENIED.test", "policy_denies"),
                ("denied.test.", "policy_denies"),
                ("x.denied.test", "policy_denies"),
                ("X.Denied.Test.", "policy_denies"),
                ("secret-in-a-label.denied.test", "policy_denies"),
                ("asked.test", "policy_requires_approval"),
                ("ASKED.TEST.", "policy_requires_approval"),
            ] {
                let (what, since) = (format!("{spelled} by {carrier:?}"), Since::now(&bed));
                assert_eq!(ask(&bed, carrier, spelled, "a.test"), denied(carrier, code), "{what}");
                since.assert_nothing(&what);
                assert_blocked(&bed, code, &what);
                vectors += 1;
            }
            let since = Since::now(&bed);
            let told = ask(&bed, carrier, "unheard.test", "unheard.test");
            assert!(matches!(told, Told::Refused { .. }), "a name without a rule by {carrier:?}: {told:?}");
            since.assert_nothing("a name without a rule");
        }
        for carrier in SENDING {
            for name in ["allowed.test", "x.allowed.test"] {
                let (since, told) = (Since::now(&bed), ask(&bed, carrier, name, name));
                assert!(matches!(told, Told::Arrived(_)), "the control {name} by {carrier:?}: {told:?}");
                assert!(since.asked() > 0, "the control: {name} is looked up");
            }
        }
        println!("{vectors} names were not looked up");
        assert_eq!(vectors, 40);
    });
}

/// A rule that names no port means 80 and 443, however a port is asked for.
#[test]
fn a_port_that_no_rule_names_is_not_reached() {
    inside(module_path!(), "a_port_that_no_rule_names_is_not_reached", || {
        let bed = Bed::make(RULES);
        bed.world.names.say("allowed.test", vec![Answer::of(&["45.79.2.1"]).ttl(0)]);
        let mut vectors = 0;
        for port in [1, 22, 25, 53, 81, 442, 444, 2375, 6379, 8080, 8443, 65_535] {
            let since = Since::now(&bed);
            let plain = bed.way.get(&format!("http://allowed.test:{port}/")).unwrap();
            assert_eq!(plain.status, 403, "{port}");
            let connect = bed.way.connect(&format!("allowed.test:{port}"));
            assert!(matches!(connect, Err(crate::carrier::NoTunnel::Http(ref no)) if no.status == 403), "{port}");
            let socks = bed.way.socks("allowed.test", port);
            assert!(matches!(socks, Err(crate::carrier::NoTunnel::Socks(2))), "{port}");
            since.assert_nothing(&format!("port {port}"));
            vectors += 3;
        }
        assert_eq!(bed.way.get("http://allowed.test:443/x").map(|a| a.status).ok(), Some(200), "the control");
        assert!(matches!(ask(&bed, Carrier::Connect, "allowed.test", "allowed.test"), Told::Arrived(_)));
        println!("{vectors} ports were not reached");
    });
}
