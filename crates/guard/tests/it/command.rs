//! A command runs with what it is given, and its end is told.

use super::*;

#[test]
fn says_what_it_says_and_ends_as_it_ends() {
    for rung in [Rung::A, Rung::B] {
        let said = run(&plan(rung), &shell("echo out; echo err >&2; exit 7"));
        assert_eq!(
            (said.exit, said.stdout.as_str(), said.stderr.as_str()),
            (Exit::Code(7), "out\n", "err\n"),
            "{rung}"
        );
    }
}

#[test]
fn runs_as_nobody_special_where_it_was_told_to() {
    let folder = folder();
    let plan = writable(Rung::A, folder.path());
    let mut command = shell("pwd; id -u; hostname; echo $HOME $MARK; cat /proc/1/comm");
    command.cwd = folder.path().canonicalize().unwrap();
    command.env.push((b"MARK".to_vec(), b"seen".to_vec()));
    let jail = LAUNCHER.launch(&plan).unwrap();
    let said = start(&jail, &command).unwrap().end();
    let uid = if am_root() { 65534 } else { rustix::process::geteuid().as_raw() };
    let lines: Vec<&str> = said.stdout.lines().collect();
    let want = format!("{}|{uid}|jail|{} seen", folder.path().display(), plan::HOME);
    assert_eq!(lines.iter().take(4).copied().collect::<Vec<_>>().join("|"), want, "{said:?}");
    assert_eq!(prints(&plan, "echo one"), "one");
}
