//! Attempts that race with whoever looks at them. Whatever wins, the machine hears nothing.

use crate::Done;
use crate::machine::{Machine, users};

const GATE: &str = "Captured(203.0.113.99:443)";

#[test]
fn signals_do_not_lose_connections() -> Done {
    let machine = Machine::start()?;
    for user in users() {
        for restart in ["false", "true"] {
            for how in ["B", "B-held"] {
                let storm = format!("storm 203.0.113.99:443 {restart}");
                let ran = machine.run(user, how, &[&storm])?;
                assert_eq!(ran.felt, [format!("{storm}: 300 connected")], "{how}");
                assert_eq!(ran.came, [GATE; 300], "{how}");
            }
            let storm = format!("storm 127.0.0.1:7070 {restart}");
            let ran = machine.run(user, "A", &["serve 127.0.0.1:7070", &storm])?;
            assert_eq!(ran.felt, ["serve 127.0.0.1:7070: ok".to_owned(), format!("{storm}: 300 connected")]);
        }
    }
    Ok(())
}

#[test]
fn threads_are_served_side_by_side() -> Done {
    let machine = Machine::start()?;
    for user in users() {
        for how in ["B", "B-held"] {
            let ran = machine.run(user, how, &["threads 203.0.113.99:443"])?;
            assert_eq!(ran.felt, ["threads 203.0.113.99:443: 200 connected"], "{how}");
            assert_eq!(ran.came, [GATE; 200], "{how}");
        }
        let ran = machine.run(user, "A", &["serve 127.0.0.1:7071", "threads 127.0.0.1:7071"])?;
        assert_eq!(ran.felt.last().map(String::as_str), Some("threads 127.0.0.1:7071: 200 connected"));
    }
    Ok(())
}

/// An address that changes while it is looked at is connected to as it was looked at: what was connected came to
/// the gate, and nothing to the machine.
#[test]
fn an_address_that_changes_leads_to_the_gate() -> Done {
    let machine = Machine::start()?;
    let flip = format!("flip {} 203.0.113.99:443", machine.tcp);
    for user in users() {
        for how in ["B", "B-held"] {
            let ran = machine.run(user, how, &[&flip])?;
            assert!(!ran.felt.concat().contains("host"), "{how}: {:?}", ran.felt);
            let loopback = ran.seen.iter().filter(|line| line.contains("loopback")).count();
            assert!(loopback > 0 && !ran.came.is_empty(), "{how}: both were seen: {ran:?}");
            assert_eq!(loopback + ran.came.len(), 300, "{how}: every attempt is accounted for");
        }
    }
    assert_eq!(machine.heard(), [""; 0]);
    Ok(())
}

#[test]
fn a_path_that_changes_leads_nowhere() -> Done {
    let machine = Machine::start()?;
    let flip = format!("flip-unix {} /tmp/nobody-is-here", machine.unix.display());
    for user in users() {
        let ran = machine.run(user, "none", &[&flip])?;
        assert!(ran.felt.concat().contains("host"), "free, it gets through: {:?}", ran.felt);
        let before = machine.heard();
        for how in ["A", "B"] {
            let ran = machine.run(user, how, &[&flip])?;
            assert_eq!(ran.felt, [format!("{flip}: , some refused")], "{how}");
            assert_eq!(ran.seen.len(), 300, "{how}: every attempt is told");
        }
        assert_eq!(machine.heard(), before);
    }
    Ok(())
}

#[test]
fn a_descriptor_that_changes_leads_nowhere() -> Done {
    let machine = Machine::start()?;
    let exchange = format!("exchange {} {}", machine.unix.display(), machine.tcp);
    for user in users() {
        let ran = machine.run(user, "none", &[&exchange])?;
        assert_eq!(ran.felt, [format!("{exchange}: was exchanged, some")], "free, it gets through");
        let before = machine.heard();
        assert!(!before.is_empty());
        for how in ["A", "B", "B-held"] {
            let ran = machine.run(user, how, &[&exchange])?;
            assert_eq!(ran.felt, [format!("{exchange}: was exchanged, none")], "{how}");
        }
        assert_eq!(machine.heard(), before);
    }
    Ok(())
}

#[test]
fn a_descriptor_that_closes_harms_nobody() -> Done {
    let machine = Machine::start()?;
    let after = "connect 203.0.113.99:443";
    for user in users() {
        for how in ["B", "B-held"] {
            let ran = machine.run(user, how, &["close 203.0.113.99:443", after])?;
            let felt = ["close 203.0.113.99:443: survived".to_owned(), format!("{after}: gate {GATE}")];
            assert_eq!(ran.felt, felt, "{how}");
            assert!(ran.came.iter().all(|wanted| wanted == GATE), "{how}: {:?}", ran.came);
        }
    }
    Ok(())
}
