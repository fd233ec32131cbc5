//! Each rule that can be taken away is what holds: without it, its attempt gets through.

use crate::Done;
use crate::machine::{Machine, ordinary_user};

fn without(rule: &str) -> [(&str, String); 1] {
    [("EXEAT_WEAKEN", rule.to_owned())]
}

#[test]
fn without_its_rule_a_call_is_made() -> Done {
    let machine = Machine::start()?;
    for (rule, attempt) in [("drop_vsock_rule", "socket 40 1 0"), ("drop_ptrace_rule", "call ptrace")] {
        for how in ["A", "B"] {
            let with = machine.run(None, how, &[attempt])?;
            assert_eq!(with.seen.len(), 1, "{rule} {how}: {with:?}");
            let free = machine.run(None, "none", &[attempt])?;
            let ran = machine.run_with(None, &[], how, &[attempt], &without(rule))?;
            assert_eq!((ran.felt, ran.seen), (free.felt, vec![]), "{rule} {how}");
        }
    }
    Ok(())
}

#[test]
fn without_the_unix_guard_the_machine_is_reached() -> Done {
    let machine = Machine::start()?;
    let attempt = format!("unix {}", machine.unix.display());
    for how in ["A", "B"] {
        let ran = machine.run_with(None, &[], how, &[&attempt], &without("skip_unix_guard"))?;
        assert_eq!(ran.felt, [format!("{attempt}: host")], "{how}");
    }
    Ok(())
}

#[test]
fn going_on_with_what_cannot_be_read_reaches_the_machine() -> Done {
    let machine = Machine::start()?;
    let attempt = format!("unix {}", machine.unix.display());
    let weak = without("continue_on_unreadable");
    let ran = machine.run_with(ordinary_user(), &[], "B", &["undumpable", &attempt], &weak)?;
    assert_eq!(ran.felt, ["undumpable: ok".to_owned(), format!("{attempt}: host")]);
    Ok(())
}

#[test]
fn without_the_guard_of_files_those_of_others_are_changed() -> Done {
    let machine = Machine::start()?;
    for how in ["mode", "mode-open", "owner", "times"] {
        let attempt = format!("change {how} ../UID");
        let ran = machine.run(ordinary_user(), "B", &[&attempt])?;
        assert_eq!(ran.felt, [format!("{attempt}: EPERM")]);
        let ran = machine.run_with(ordinary_user(), &[], "B", &[&attempt], &without("skip_file_guard"))?;
        assert_eq!((ran.felt, ran.seen), (vec![format!("{attempt}: ok")], vec![]));
    }
    Ok(())
}
