//! Writing, reading and formatting: what is written reads back, formatting is stable.

use model::Time;
use rules::rule::{Place, Ports};
use rules::{Effect, PolicySet, Rule, Source, fmt, load, write};

use crate::random::Dice;

const DECLARED: &str =
    "[tools.pay]\n\"/n\" = \"number\"\n\"/s\" = \"string\"\n\"/b\" = \"boolean\"\n\"/ip\" = \"ip\"\n";

fn loaded(text: &str) -> PolicySet {
    load(&[Source { name: "t.toml".into(), text: text.into() }]).unwrap_or_else(|e| panic!("{e:#?}\n{text}")).set
}

/// A rule as reading its text gives it.
fn plain(mut rule: Rule) -> Rule {
    rule.place = Place { file: "t.toml".into(), line: 1, column: 1 };
    rule
}

/// A random rule that a text can hold.
fn writable(dice: &mut Dice, number: usize) -> Option<Rule> {
    let mut rule = dice.rule(number);
    rule.ports = match (rule.effect, rule.ports) {
        (Effect::Allow, Ports::Any) | (Effect::Ask | Effect::Deny, Ports::Web) => Ports::In(vec![(80, 80), (443, 443)]),
        (_, ports) => ports,
    };
    if rule.effect != Effect::Allow {
        rule.tunnel = model::ask::Tunnel::Tls;
    }
    if let Some(when) = &rule.when {
        rule.tools = Some(vec![rules::rule::NamePattern::Exact("pay".into())]);
        let mut optional = false;
        when.each_test(&mut |test| optional |= test.optional);
        if optional {
            return None;
        }
    }
    if let Some(who) = &mut rule.who {
        who.sort();
        who.dedup();
    }
    if let Some(hosts) = &mut rule.hosts {
        hosts.sort();
        hosts.dedup();
    }
    if let Some(paths) = &mut rule.paths {
        paths.sort();
        paths.dedup();
    }
    Some(rule)
}

#[test]
fn what_is_written_reads_back_formatted_or_not() {
    let mut seen = 0;
    for seed in 0..3_000 {
        let mut dice = Dice::new(seed);
        let Some(rule) = writable(&mut dice, 1) else { continue };
        let text = format!("{DECLARED}\n{}", write::rule(&rule));
        // Random rules may contradict themselves; those are refused, and tested elsewhere.
        let Ok(read) = load(&[Source { name: "t.toml".into(), text: text.clone() }]) else { continue };
        assert_eq!(plain(read.set.rules[0].clone()), plain(rule), "{text}");
        let formatted = fmt::format("t.toml", &text).unwrap();
        assert_eq!(plain(loaded(&formatted).rules[0].clone()), plain(read.set.rules[0].clone()), "{formatted}");
        assert_eq!(fmt::format("t.toml", &formatted).unwrap(), formatted);
        seen += 1;
    }
    assert!(seen > 500, "too few rules were writable: {seen}");
}

const UNTIDY: &str = r#"

# who is in
[groups]
 ci=["agent:a",   "agent:b"] # two


[tools."pay"]
"/n"   =    "number"
   # Money needs a human.

  # Always.
[[ask]]   # really
  reason='because'
tool = "pay"

    # a lot
when = {arg="/n",gt=100}
id   =  "pay"
[[allow]]
id = "hosts"
host = ["one.example.com","two.example.com", "three.example.com", "four.example.com", "five.example.com"]
[[allow]]
host = [ # ours
 "one.example.com", # first
 # the second
 "two.example.com"
 # no more
]
id = "commented"
# the end
"#;

#[test]
fn keeps_comments_and_puts_order_into_the_rest() {
    let formatted = fmt::format("t.toml", UNTIDY).unwrap();
    insta::assert_snapshot!(formatted);
    assert_eq!(fmt::format("t.toml", &formatted).unwrap(), formatted);
    for comment in UNTIDY.lines().filter_map(|line| line.split_once('#')).map(|(_, comment)| comment) {
        assert!(formatted.contains(comment), "{comment} is lost");
    }
}

#[test]
fn says_where_a_text_is_no_toml() {
    let problem = fmt::format("t.toml", "[[allow]]\nid = 'a\n").unwrap_err();
    assert_eq!((problem.line, problem.column), (2, 8), "{problem}");
}

#[test]
fn a_date_is_written_as_a_date() {
    let at = |text: &str| write::until(Time::parse(text).unwrap());
    assert_eq!(at("2026-12-31T00:00:00.000Z"), "2026-12-31");
    assert_eq!(at("2026-12-31T10:00:00.000Z"), "2026-12-31T10:00:00Z");
}
