//! What a text becomes, and what is said of one that is wrong.

use model::Time;
use rules::load::{RULES_MAX, SET_BYTES_MAX, expired};
use rules::rule::{NamePattern, Ports, WhoPattern};
use rules::{Effect, Loaded, Problem, Source, load};

fn source(text: &str) -> Source {
    Source { name: "p.toml".into(), text: text.to_owned() }
}

fn good(text: &str) -> Loaded {
    load(&[source(text)]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn bad(text: &str) -> Vec<Problem> {
    load(&[source(text)]).expect_err("must not load")
}

#[test]
fn a_whole_set() {
    let loaded = good(
        r#"
[groups]
ci = ["agent:builder-1", "group:bots", "user:ann"]
bots = ["agent:bot"]

[tools."payment.send"]
"/amount" = "number"
"/currency" = { type = "string", optional = true }

[[allow]]
id = "github-read"
agent = "coder"
host = ["github.com", "*.githubusercontent.com"]
method = ["get", "HEAD"]
until = 2026-12-31
reason = "clones"

[[deny]]
id = "big-payments"
group = "ci"
tool = "payment.send"
when = { any = [{ arg = "/amount", gt = 100 }, { arg = "/currency", ne = "EUR" }] }

[[ask]]
id = "night"
everything = true
shadow = true
"#,
    );
    assert_eq!(loaded.warnings, []);
    let [allow, deny, ask] = &loaded.set.rules[..] else { panic!("three rules") };
    assert_eq!((allow.effect, allow.ports.clone()), (Effect::Allow, Ports::Web));
    assert_eq!(allow.until, Some(Time::parse("2026-12-31T00:00:00.000Z").unwrap()));
    assert_eq!(allow.place.line, 10);
    assert!(allow.methods.as_ref().unwrap().contains("GET"));
    assert_eq!((deny.effect, deny.ports.clone()), (Effect::Deny, Ports::Any));
    assert_eq!(deny.tools, Some(vec![NamePattern::Exact("payment.send".into())]));
    let builder = WhoPattern::Named(model::ActorType::Agent, "builder-1".into());
    assert!(deny.who.as_ref().unwrap().contains(&builder) && deny.who.as_ref().unwrap().len() == 3);
    assert!(ask.shadow && ask.who.is_none());
}

#[test]
fn says_precisely_what_is_wrong() {
    let cases = [
        "[[allow]]\nid = \"a\"\nmethd = \"GET\"",
        "[[allow]]\nid = \"a\"\nhost = []",
        "[[allow]]\nid = \"a\"\nhost = \"https://github.com/acme\"",
        "[[allow]]\nid = \"a\"\nhost = \"api.*.com\"",
        "[[allow]]\nid = \"a\"",
        "[[allow]]\nhost = \"a.com\"",
        "[[allow]]\nid = \"a\"\neverything = true\nhost = \"a.com\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\n[[deny]]\nid = \"a\"\nhost = \"b.com\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\ntool = \"grep\"",
        "[[allow]]\nid = \"a\"\ngroup = \"cii\"\n[groups]\nci = [\"agent:x\"]",
        "[groups]\na = [\"group:b\"]\nb = [\"group:c\"]\nc = [\"group:a\"]",
        "[groups]\na = [\"coder\"]",
        "[[allow]]\nid = \"a\"\nuntil = \"2026-12-31\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\nuntil = 2026-12-31T10:00:00",
        "[[allow]]\nid = \"a\"\nport = 0",
        "[[allow]]\nid = \"a\"\npath = \"/repos/*\"",
        "[[allow]]\nid = \"a\"\npath = \"/a%2fb\"",
        "[[allow]]\nid = \"a\"\nhours = \"weekdays\"",
        "[[rule]]\neffect = \"allow\"",
        "[allow]\nid = \"a\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\neffect = \"deny\"",
        "[[alow]]\nid = \"a\"",
        "[[allow]]\nid = \"a\"\nhost = 1",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\nshadow = \"yes\"",
        "[[allow]]\nid = \"a\nhost = 1",
        "[[deny]]\nid = \"a\"\ntool = \"pay\"\nwhen = { arg = \"/n\", gt = 1 }",
        "[tools.pay]\n\"/n\" = \"number\"\n[[deny]]\nid = \"a\"\ntool = \"pay\"\nwhen = { arg = \"/m\", gt = 1 }",
        "[tools.pay]\n\"/n\" = \"number\"\n[[deny]]\nid = \"a\"\ntool = \"pay\"\nwhen = { arg = \"/n\", prefix = \"x\" }",
        "[tools.pay]\n\"/n\" = \"number\"\n[[deny]]\nid = \"a\"\ntool = \"pay\"\nwhen = { arg = \"/n\", gtt = 1 }",
        "[tools.pay]\n\"/n\" = \"nummber\"",
        "[tools.pay]\nn = \"number\"",
        "[[deny]]\nid = \"a\"\nwhen = { arg = \"/n\", gt = 1 }",
        "[[deny]]\nid = \"a\"\nzone = \"sandboks\"",
        "[[deny]]\nid = \"a\"\nhost = \"a.com\"\ntunnel = \"opaque\"",
        "[[ask]]\nid = \"a\"\nhost = \"a.com\"\ntunnel = \"tls\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\ntunnel = \"ssh\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\ntunnel = true",
        "[[allow]]\nid = \"a\"\ntunnel = \"opaque\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\nmethod = [\"GET\", \"POST\"]\ntunnel = \"opaque\"",
        "[[allow]]\nid = \"a\"\nhost = \"a.com\"\ntunnel = \"opaque\"\npath = \"/a\"\nscheme = \"https\"",
        "[[allow]]\nid = \"a\"\ntool = \"grep\"\ntunnel = \"opaque\"",
    ];
    let told: String = cases
        .iter()
        .map(|text| {
            let problems: Vec<String> = bad(text).iter().map(ToString::to_string).collect();
            format!("{text}\n  → {}\n\n", problems.join("\n  → "))
        })
        .collect();
    insta::assert_snapshot!(told);
}

#[test]
fn tells_all_that_is_wrong_in_order() {
    let problems = bad("[[allow]]\nid = \"a\"\nhots = \"x\"\n[[deny]]\nid = \"b\"\nport = 0\n");
    let lines: Vec<u32> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 6]);
}

#[test]
fn states_its_limits() {
    let check = |text: &str, want: &str| {
        let told = bad(text)[0].to_string();
        assert!(told.contains(want), "{told}");
    };
    check(&format!("# {}", "x".repeat(SET_BYTES_MAX)), "the limit of a set is 8388608");
    let many: String = (0..=RULES_MAX).map(|n| format!("[[deny]]\nid=\"{n}\"\nuser=\"u\"\n")).collect();
    check(&many, "more than 50000 rules");
    let when = format!("{}{{arg=\"/n\",gt=1}}{}", "{not=".repeat(40), "}".repeat(40));
    check(
        &format!("[tools.p]\n\"/n\"=\"number\"\n[[deny]]\nid=\"a\"\ntool=\"p\"\nwhen={when}"),
        "nests deeper than 16",
    );
    check(&format!("[[deny]]\nid={}1{}", "[".repeat(5_000), "]".repeat(5_000)), "max recursion depth");
    let hosts: String = (0..3_000).map(|n| format!("\"h{n}.com\",")).collect();
    check(&format!("[[deny]]\nid=\"a\"\nhost=[{hosts}]"), "more than 2000 values");
}

#[test]
fn a_limit_is_not_a_wall_before_it() {
    let many: String = (0..RULES_MAX).map(|n| format!("[[deny]]\nid=\"{n}\"\nuser=\"u\"\n")).collect();
    assert_eq!(good(&many).set.rules.len(), RULES_MAX);
}

#[test]
fn warns_of_what_is_probably_not_meant() {
    let twice = "[[allow]]\nid=\"a\"\nhost=\"a.com\"\nuntil=2026-01-01\n[[allow]]\nid=\"b\"\nhost=\"a.com\"\nuntil=2027-01-01\n";
    let loaded = good(twice);
    assert_eq!(
        loaded.warnings[0].to_string(),
        "p.toml:5:1: rule `b` is rule `a` (p.toml:1) with another `until` (keep the one that ends later)"
    );
    let now = Time::parse("2026-06-01T00:00:00.000Z").unwrap();
    let over = expired(&loaded.set, now);
    assert_eq!(over.len(), 1);
    assert_eq!(over[0].to_string(), "p.toml:1:1: rule `a` has expired and matches nothing");
}
