//! A few decisions told in full.

use model::*;
use policy::*;

use crate::world::*;

fn told(change: fn(&mut World, &mut Ask), category: Category) -> String {
    let (mut world, mut ask) = (base_world(), base_ask(category));
    change(&mut world, &mut ask);
    let decision = decide(&world.snapshot(), &ask, at(NOW), &[]);
    format!("{}\n{}", explain(&decision), serde_json::to_string_pretty(&decision).unwrap())
}

#[test]
fn allowed_by_default_with_a_quota() {
    let change = |w: &mut World, _: &mut Ask| w.defaults.egress_max_requests_per_hour = 100;
    insta::assert_snapshot!(told(change, Category::Egress));
}

#[test]
fn one_approval_lifts_every_ask() {
    let change = |w: &mut World, ask: &mut Ask| {
        ask.action = action("email.send");
        let mut once = approval("ap", "email.send");
        once.scope.kind = model::approval::ScopeKind::Once;
        w.approvals.push(once);
        w.rules.push((id("ws_a"), RuleVerdict::Ask(vec!["mail-asks".into()])));
    };
    insta::assert_snapshot!(told(change, Category::Action));
}

#[test]
fn several_denies_and_an_ask() {
    let change = |w: &mut World, ask: &mut Ask| {
        ask.action = Action::external_write();
        w.tokens[2].revoked_at = Some(at(1));
        w.tokens[0].scopes.rooms.clear();
        w.agents[0].quarantined_at = Some(at(1));
        w.settings().kill_switch = true;
    };
    insta::assert_snapshot!(told(change, Category::Egress));
}

#[test]
fn a_forbidden_destination() {
    let change = |_: &mut World, ask: &mut Ask| ask.subject = to("http://0x7f.1:8080/");
    insta::assert_snapshot!(told(change, Category::Egress));
}
