use crate::program::exeat;

#[test]
fn the_front_page_leads_with_examples() {
    let ran = exeat(&["--help"]).exits(0);
    insta::assert_snapshot!("help", ran.stdout);
    assert_eq!(exeat(&["-h"]).exits(0).stdout, ran.stdout);
    assert_eq!(exeat(&[]).exits(2).stderr, ran.stdout);
}

#[test]
fn every_noun_has_its_page() {
    for noun in
        ["check", "approvals", "egress", "events", "capabilities", "agents", "kill-switch", "config", "runs", "demo"]
    {
        insta::assert_snapshot!(format!("help-{noun}"), exeat(&[noun, "--help"]).exits(0).stdout);
    }
}

#[test]
fn a_verb_shows_its_flags() {
    insta::assert_snapshot!("help-runs-create", exeat(&["runs", "create", "--help"]).exits(0).stdout);
    insta::assert_snapshot!("help-approvals-approve", exeat(&["approvals", "approve", "--help"]).exits(0).stdout);
}
