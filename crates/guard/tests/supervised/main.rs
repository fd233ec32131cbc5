//! The filter and the supervisor on a real kernel: a process makes attempts, and what it felt and what was seen
//! of it are compared, in both rungs, for the user who runs the tests and, where that is root, for one who is
//! nobody. `guard-attempts` is that process.

mod machine;
mod races;
mod table;
#[cfg(feature = "weaken")]
mod weakened;

use machine::{Machine, ordinary_user, users};

type Done = Result<(), Box<dyn std::error::Error>>;

#[test]
fn what_is_exposed_is_reached_and_nothing_else() -> Done {
    let machine = Machine::start()?;
    let there = format!("connect {}", machine.tcp);
    for user in users() {
        for how in ["B", "B-held"] {
            let ran = machine.run(user, how, &[&there])?;
            assert_eq!(ran.felt, [format!("{there}: ECONNREFUSED")], "{how}");
            let ran = machine.run_with(user, &[], how, &[&there], &[("EXPOSED", machine.tcp.port().to_string())])?;
            assert_eq!(ran.felt, [format!("{there}: host")], "{how}");
            assert_eq!(ran.seen, [""; 0], "{how}");
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_recorded_kills_before_it_is_answered() -> Done {
    let machine = Machine::start()?;
    for user in users() {
        for how in ["A", "B", "B-held"] {
            for witness in ["--unrecorded", "--panics"] {
                let attempts = ["call personality-now", "socket 40 1 0", "call personality-now"];
                let ran = machine.run_with(user, &[witness], how, &attempts, &[])?;
                let mut end = vec!["violation: socket vsock none none", "killed"];
                if witness == "--panics" {
                    end.insert(0, "panicked");
                }
                assert_eq!(ran.felt, ["call personality-now: ok"], "{how} {witness}");
                assert_eq!(ran.seen, end, "{how} {witness}");
            }
        }
    }
    Ok(())
}

/// Only who has no rights over others is kept out of their memory.
#[test]
fn what_cannot_be_looked_at_is_refused_and_told() -> Done {
    let machine = Machine::start()?;
    let (tcp, unix) = (format!("connect {}", machine.tcp), format!("unix {}", machine.unix.display()));
    for how in ["B", "B-held"] {
        let ran = machine.run(ordinary_user(), how, &["undumpable", &tcp, &unix])?;
        assert_eq!(ran.felt, ["undumpable: ok".to_owned(), format!("{tcp}: EACCES"), format!("{unix}: EACCES")]);
        assert_eq!(ran.seen, ["violation: unreadable_call none none none"; 2], "{how}");
    }
    assert_eq!(machine.heard(), [""; 0]);
    Ok(())
}
