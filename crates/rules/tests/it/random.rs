//! Random sets and asks over alphabets so small that rules and asks often meet.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use model::ask::Tunnel;
use model::domain::DomainPattern;
use model::{ActorType, Category, Label, Time, Zone};
use policy::{Fact, Facts, Who};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rules::hours::Hours;
use rules::rule::{ArgType, NamePattern, Place, Ports, Scheme, WhoPattern};
use rules::when::{Is, Test, When};
use rules::{Effect, PolicySet, Rule};
use serde_json::{Value, json};

pub(crate) struct Dice(SmallRng);

const HOSTS: [&str; 7] = ["a.com", "x.a.com", "y.x.a.com", "ba.com", "b.org", "10.0.0.1", "com"];
const ACTIONS: [&str; 5] = ["external.write", "external.read", "email.send", "email", "tool.call.pay"];
const METHODS: [&str; 4] = ["GET", "POST", "PURGE", "DELETE"];
const PATHS: [&str; 6] = ["/", "/a", "/a/b", "/ab", "/a/b/c", "/b"];
const NAMES: [&str; 3] = ["ann", "bob", "coder"];
const TOOLS: [&str; 4] = ["pay", "pay.out", "grep", "payx"];
const WORDS: [&str; 5] = ["EUR", "USD", "US", "EURO", "x"];

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    pub(crate) fn one_in(&mut self, n: u32) -> bool {
        self.0.random_range(0..n) == 0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn some<T: Copy>(&mut self, from: &[T]) -> Vec<T> {
        (0..=self.below(2)).map(|_| self.pick(from)).collect()
    }

    fn maybe<T>(&mut self, n: u32, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(n).then(|| make(self))
    }

    fn names(&mut self, from: &[&str]) -> Vec<NamePattern> {
        let some = self.some(from);
        some.into_iter()
            .map(|name| if self.one_in(3) { NamePattern::Below(name.into()) } else { NamePattern::Exact(name.into()) })
            .collect()
    }

    fn texts(&mut self, from: &[&str]) -> BTreeSet<Arc<str>> {
        self.some(from).into_iter().map(Arc::from).collect()
    }

    fn when(&mut self, depth: usize) -> When {
        let roll = self.below(if depth == 0 { 1 } else { 4 });
        match roll {
            1 => When::Not(Box::new(self.when(depth - 1))),
            2 => When::All(vec![self.when(depth - 1), self.when(depth - 1)]),
            3 => When::Any(vec![self.when(depth - 1), self.when(depth - 1)]),
            _ => When::Test(self.test()),
        }
    }

    fn test(&mut self) -> Test {
        let number = [0.0, 1.0, 2.5, 10.0];
        let (at, kind, is) = match self.below(8) {
            0 => ("/n", ArgType::Number, Is::Less(self.pick(&number))),
            1 => ("/n", ArgType::Number, Is::AtLeast(self.pick(&number))),
            2 => ("/n", ArgType::Number, Is::OneOf(self.some(&number))),
            3 => ("/s", ArgType::String, Is::Prefix(self.pick(&WORDS).into())),
            4 => ("/s", ArgType::String, Is::Suffix(self.pick(&WORDS).into())),
            5 => ("/s", ArgType::String, Is::In(self.some(&WORDS).into_iter().map(Arc::from).collect())),
            6 => ("/b", ArgType::Boolean, Is::Bool(self.one_in(2))),
            _ => (
                "/ip",
                ArgType::Ip,
                Is::Within(vec![self.pick(&["10.0.0.0/8", "10.1.0.0/16", "::/0"]).parse().unwrap()]),
            ),
        };
        Test { at: at.into(), kind, optional: self.one_in(3), is }
    }

    pub(crate) fn rule(&mut self, number: usize) -> Rule {
        let effect = self.pick(&Effect::ALL);
        let about = self.below(4);
        let (leaves, tool, data) = (about < 2, about == 2, about == 3);
        let n = |there: bool| if there { 2 } else { 20 };
        Rule {
            id: format!("r{number}").into(),
            effect,
            reason: None,
            shadow: self.one_in(6),
            until: self.maybe(6, |dice| Time::from_millis(dice.pick(&[1_000, 2_000]))),
            place: Place { file: "t.toml".into(), line: 1, column: 1 },
            who: self.maybe(3, |dice| {
                let kind = dice.pick(ActorType::ALL);
                if dice.one_in(4) {
                    return vec![WhoPattern::Kind(kind)];
                }
                dice.some(&NAMES).into_iter().map(|name| WhoPattern::Named(kind, name.into())).collect()
            }),
            groups: Vec::new(),
            actions: self.maybe(5, |dice| dice.names(&ACTIONS)),
            hosts: self.maybe(n(leaves), |dice| {
                let some = dice.some(&HOSTS);
                some.into_iter()
                    .map(|host| match dice.below(6) {
                        0 | 1 if host != "10.0.0.1" => DomainPattern::Suffix(host.into()),
                        2 if dice.one_in(3) => DomainPattern::Any,
                        _ => DomainPattern::Exact(host.into()),
                    })
                    .collect()
            }),
            methods: self.maybe(n(leaves) * 2, |dice| dice.texts(&METHODS)),
            paths: self
                .maybe(n(leaves) * 2, |dice| dice.some(&["", "/a", "/a/b"]).into_iter().map(Arc::from).collect()),
            ports: match self.below(4) {
                0 => Ports::Web,
                1 => Ports::In(vec![(80, 80), (8000, 8999)]),
                _ => Ports::Any,
            },
            tunnel: if self.one_in(4) { Tunnel::Opaque } else { Tunnel::Tls },
            schemes: self.maybe(8, |dice| [dice.pick(&[Scheme::Http, Scheme::Https])].into()),
            zones: self.maybe(6, |dice| [dice.pick(Zone::ALL)].into()),
            rooms: self.maybe(8, |dice| dice.texts(&["room_a", "room_b"])),
            tools: self.maybe(n(tool), |dice| dice.names(&TOOLS)),
            when: self.maybe(n(tool), |dice| dice.when(2)),
            labels: self.maybe(n(data), |dice| dice.some(Label::ALL).into_iter().collect()),
            purposes: self.maybe(n(data), |dice| dice.texts(&["billing", "support"])),
            hours: self.maybe(8, |dice| {
                Hours::parse([dice.pick(&["thu 00:00-00:01", "mon-sun", "thu 12:00-11:00"])]).unwrap()
            }),
        }
    }

    pub(crate) fn set(&mut self, most: usize) -> PolicySet {
        let rules = (0..=self.below(most)).map(|number| self.rule(number)).collect();
        PolicySet { rules, ..PolicySet::default() }
    }

    fn fact<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Fact<T> {
        if self.one_in(6) { Fact::Unseen } else { Fact::Seen(make(self)) }
    }

    pub(crate) fn ask(&mut self) -> AskedFor {
        let category = self.pick(Category::ALL);
        let egress = category == Category::Egress;
        let mut ask = AskedFor {
            category,
            action: self.pick(&ACTIONS),
            kind: self.pick(ActorType::ALL),
            name: self.pick(&NAMES),
            zone: self.pick(Zone::ALL),
            room: self.maybe(2, |dice| dice.pick(&["room_a", "room_b", "room_c"])),
            host: Fact::Absent,
            method: Fact::Absent,
            path: Fact::Absent,
            port: Fact::Absent,
            scheme: Fact::Absent,
            opaque: false,
            tool: Fact::Absent,
            input: Fact::Absent,
            label: Fact::Absent,
            purposes: Fact::Absent,
        };
        if egress {
            ask.host = self.fact(|dice| dice.pick(&HOSTS));
            ask.method = self.fact(|dice| dice.pick(&METHODS));
            ask.path = self.fact(|dice| dice.pick(&PATHS));
            ask.port = self.fact(|dice| dice.pick(&[80, 443, 8080, 22]));
            ask.scheme = self.fact(|dice| dice.pick(&["http", "https"]));
            ask.opaque = self.one_in(4);
        }
        match category {
            Category::Action if self.one_in(2) => ask.host = Fact::Seen(self.pick(&HOSTS)),
            Category::ToolCall => {
                ask.tool = self.fact(|dice| dice.pick(&TOOLS));
                ask.input = self.fact(Self::input);
            }
            Category::DataAccess => {
                ask.label = Fact::Seen(self.pick(Label::ALL));
                ask.purposes =
                    Fact::Seen(self.some(&["billing", "support", "ads"]).into_iter().map(str::to_owned).collect());
            }
            _ => {}
        }
        ask
    }

    fn input(&mut self) -> Value {
        let mut input = json!({});
        if !self.one_in(4) {
            input["n"] = self
                .pick(
                    &[json!(0), json!(1), json!(2.5), json!(11), json!("1"), json!(null)][..]
                        .iter()
                        .collect::<Vec<_>>(),
                )
                .clone();
        }
        if !self.one_in(4) {
            input["s"] = json!(self.pick(&["EUR", "EURO", "US", "xUSD", "", "x"]));
        }
        if !self.one_in(4) {
            input["b"] = json!(self.one_in(2));
        }
        if !self.one_in(4) {
            input["ip"] = json!(self.pick(&["10.1.2.3", "10.2.0.1", "::ffff:10.1.0.1", "2001:db8::1", "no"]));
        }
        input
    }

    pub(crate) fn now(&mut self) -> Time {
        Time::from_millis(self.pick(&[0, 999, 1_000, 1_500, 2_000, 60_000, 43_200_000]))
    }
}

/// An ask that owns its facts.
#[derive(Debug, Clone)]
pub(crate) struct AskedFor {
    pub(crate) category: Category,
    pub(crate) action: &'static str,
    pub(crate) kind: ActorType,
    pub(crate) name: &'static str,
    pub(crate) zone: Zone,
    pub(crate) room: Option<&'static str>,
    pub(crate) host: Fact<&'static str>,
    pub(crate) method: Fact<&'static str>,
    pub(crate) path: Fact<&'static str>,
    pub(crate) port: Fact<u16>,
    pub(crate) scheme: Fact<&'static str>,
    pub(crate) opaque: bool,
    pub(crate) tool: Fact<&'static str>,
    pub(crate) input: Fact<Value>,
    pub(crate) label: Fact<Label>,
    pub(crate) purposes: Fact<BTreeSet<String>>,
}

impl AskedFor {
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            category: self.category,
            action: self.action,
            who: Who { kind: self.kind, name: self.name },
            zone: self.zone,
            room: self.room,
            host: self.host,
            method: self.method,
            path: match self.path {
                Fact::Seen(path) => Fact::Seen(Cow::Borrowed(path)),
                Fact::Unseen => Fact::Unseen,
                Fact::Absent => Fact::Absent,
            },
            port: self.port,
            scheme: self.scheme,
            opaque: self.opaque,
            tool: self.tool,
            input: self.input.as_ref(),
            label: self.label,
            purposes: self.purposes.as_ref(),
        }
    }
}
