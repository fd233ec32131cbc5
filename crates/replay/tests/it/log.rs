//! Random asks, random rules, and what is logged of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::ask::{CONNECT, DataSubject, EgressSubject, Subject, Tunnel};
use model::*;
use policy::*;
use proptest::prelude::*;
use proptest::sample::select;
use replay::entry::{Made, Redaction};
use replay::{Encoder, Entry};
use rules::PolicySet;
use serde_json::{Value, json};

pub(crate) const WORKSPACE: &str = "ws_a";
/// A Saturday at midnight.
pub(crate) const START: i64 = 1_795_219_200_000;

pub(crate) fn id<T: TryFrom<String>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap_or_else(|_| panic!("not an id: {text}"))
}

/// Keeps everything that does not have the word in it.
pub(crate) struct Word(pub(crate) &'static str);

impl Redaction for Word {
    fn keeps_text(&self, text: &str) -> bool {
        !text.contains(self.0)
    }

    fn keeps_value(&self, value: &Value) -> bool {
        !value.to_string().contains(self.0)
    }
}

pub(crate) const HIDES: Word = Word("hush");

/// An ask with its moment.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    pub(crate) at: Time,
}

/// What the gate knows: two agents, a user, a default that denies or allows.
pub(crate) fn snapshot(default: DefaultDecision, rules: Option<&PolicySet>) -> Snapshot {
    let defaults =
        Defaults { mode: Mode::Shadow, kill_switch: false, egress_max_requests_per_hour: 0, trusted_upstreams: vec![] };
    let mut snapshot = Snapshot::new(defaults);
    for name in ["coder", "tester"] {
        let principal_id: PrincipalId = id(&format!("p_{name}"));
        snapshot.put_principal(Principal {
            principal_id: principal_id.clone(),
            workspace_id: Some(id(WORKSPACE)),
            kind: ActorType::Agent,
            legacy: None,
            revoked_at: None,
        });
        snapshot.put_agent(Agent {
            agent_id: id(&format!("a_{name}")),
            name: name.into(),
            workspace_id: Some(id(WORKSPACE)),
            principal_id,
            zone_max: Zone::HighStakes,
            revoked_at: None,
            quarantined_at: None,
        });
    }
    let settings = Settings { default_decision: Some(default), ..Settings::default() };
    snapshot.put_settings(&id(WORKSPACE), settings);
    if let Some(set) = rules {
        let pack = Arc::new(rules::compile(set));
        snapshot.put_rules(&id(WORKSPACE), Some(Rules { version: 1, pack }));
    }
    snapshot
}

fn hosts() -> impl Strategy<Value = &'static str> {
    select(&["api.example.com", "www.example.com", "cdn.example.com", "example.org", "hush.example.net"][..])
}

fn subject() -> impl Strategy<Value = (Action, Subject)> {
    let egress = (
        prop::option::weighted(0.9, hosts()),
        prop::option::weighted(0.8, select(&["GET", "POST"][..])),
        select(&["/", "/a", "/a/b", "/hush/b", "/a%2fb"][..]),
        select(&["https", "http"][..]),
        select(&["", ":8443"][..]),
        any::<bool>(),
        prop::option::weighted(0.3, select(Tunnel::ALL)),
    );
    let egress = egress.prop_map(|(host, method, path, scheme, port, seen, tunnel)| {
        let target =
            host.filter(|_| seen).map(|host| TargetUrl::parse(&format!("{scheme}://{host}{port}{path}")).unwrap());
        // A tunnel has a target.
        let tunnel = tunnel.filter(|_| target.is_some());
        let method = if tunnel.is_some() { Some(CONNECT) } else { method };
        let action = if method == Some("GET") { "external.read" } else { "external.write" };
        let subject =
            EgressSubject { tunnel, ..EgressSubject::of(target, host.map(str::to_owned), method.map(str::to_owned)) };
        (Action::parse(action).unwrap(), Subject::Egress(subject))
    });
    let input = prop_oneof![
        Just(None),
        select(&[1, 5, 50][..]).prop_map(|n| Some(json!({ "amount": n }))),
        Just(Some(json!({ "amount": 50, "note": "hush" }))),
        Just(Some(json!({}))),
    ];
    let tool = (prop::option::weighted(0.9, select(&["pay", "mail.send", "mail.read"][..])), input);
    let tool = tool.prop_map(|(tool, input)| {
        let action = Action::tool_call(tool.unwrap_or("unknown")).unwrap();
        (action, Subject::ToolCall { tool_name: tool.map(str::to_owned), input: input.map(Arc::new) })
    });
    let words = || prop::collection::btree_set(select(&["billing", "support"][..]).prop_map(str::to_owned), 0..3);
    let data = (select(Label::ALL), words(), words(), any::<bool>());
    let data = data.prop_map(|(label, purposes, resource_purposes, justified)| {
        let subject = DataSubject {
            resource_type: "document".into(),
            resource_id: "d1".into(),
            label,
            resource_room: None,
            resource_purposes,
            purposes,
            justification: justified.then(|| "because".to_owned()),
        };
        (Action::parse("data.read").unwrap(), Subject::DataAccess(subject))
    });
    let action = (select(&["deploy.prod", "deploy.stage"][..]), prop::option::of(hosts()));
    let action = action.prop_map(|(action, host)| {
        (Action::parse(action).unwrap(), Subject::Action { target_domain: host.map(str::to_owned) })
    });
    prop_oneof![6 => egress, 3 => tool, 2 => data, 2 => action]
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    let who = select(&["coder", "tester", "anna", "hushed"][..]);
    let zone = prop::option::of(select(Zone::ALL));
    let run = prop::option::of(select(&["run_1", "run_2", "run_3"][..]));
    (subject(), who, zone, run, 0..4 * 24 * 3_600_000_i64).prop_map(|((action, subject), who, zone, run, later)| {
        let agent = matches!(who, "coder" | "tester");
        let actor =
            if agent { Actor::new(ActorType::Agent, format!("a_{who}")) } else { Actor::new(ActorType::User, who) };
        let ask = Ask {
            workspace_id: id(WORKSPACE),
            action,
            actor,
            principal_id: agent.then(|| id(&format!("p_{who}"))),
            capability_token_id: None,
            token_required: false,
            zone,
            room_id: None,
            thread_id: None,
            run_id: run.map(id),
            step_id: None,
            subject,
            narrowing: None,
            ask_digest: None,
        };
        // Whole minutes: the ends of hours are met exactly.
        Asked { ask, at: Time::from_millis(START + later / 60_000 * 60_000) }
    })
}

fn rule() -> impl Strategy<Value = String> {
    let selector = prop_oneof![
        select(&["agent = \"coder\"", "agent = \"*\"", "user = \"anna\""][..]).prop_map(str::to_owned),
        select(
            &["host = \"*.example.com\"", "host = \"api.example.com\"", "host = \"*\"", "host = \"example.org\""][..]
        )
        .prop_map(str::to_owned),
    ];
    let more = select(
        &[
            "",
            "method = \"GET\"",
            "path = \"/a\"",
            "port = 8443",
            "scheme = \"https\"",
            "method = \"CONNECT\"",
            "tunnel = \"opaque\"",
            "zone = \"sandbox\"",
            "hours = \"sat 08:00-18:00\"",
            "until = 2026-11-22T12:00:00Z",
            "shadow = true",
            "action = \"external.*\"",
        ][..],
    );
    let tools = select(
        &[
            "tool = \"mail.*\"",
            "tool = \"pay\"",
            "tool = \"pay\"\nwhen = { arg = \"/amount\", gt = 10 }",
            "label = \"restricted\"",
            "purpose = \"billing\"",
            "action = \"deploy.*\"",
        ][..],
    );
    let body = prop_oneof![
        3 => (selector, more).prop_map(|(selector, more)| format!("{selector}\n{more}")),
        2 => tools.prop_map(str::to_owned),
    ];
    (select(&["allow", "ask", "deny"][..]), body).prop_map(|(effect, body)| {
        // Of an allow only.
        let body = if effect == "allow" { body } else { body.replace("tunnel = \"opaque\"", "") };
        format!("[[{effect}]]\n{body}\n")
    })
}

const TOOLS: &str = "[tools.pay]\n\"/amount\" = { type = \"integer\", optional = true }\n";

/// A random set; one that does not load is not a set.
pub(crate) fn set() -> impl Strategy<Value = PolicySet> {
    prop::collection::vec(rule(), 0..6).prop_map(|rules| {
        let rules: String = rules
            .iter()
            .enumerate()
            .map(|(n, rule)| {
                let (head, body) = rule.split_once('\n').unwrap();
                format!("{head}\nid = \"r{n}\"\n{body}\n")
            })
            .collect();
        load(&format!("{TOOLS}\n{rules}"))
    })
}

pub(crate) fn load(text: &str) -> PolicySet {
    let source = rules::Source { name: "test.toml".into(), text: text.to_owned() };
    rules::load(&[source]).unwrap_or_else(|problems| panic!("{problems:?}\n{text}")).set
}

/// What is logged of asks decided on `snapshot`.
pub(crate) fn entries(snapshot: &Snapshot, asked: &[Asked], redaction: &Word) -> Vec<Entry> {
    let log = asked.iter().zip(0_u32..).map(|(Asked { ask, at }, n)| {
        let decision = decide(snapshot, ask, *at, &[]);
        let made =
            Made { id: id(&format!("dec_{n:05}")), principal_id: snapshot.asker(ask), mode: Mode::Shadow, at: *at };
        Entry::of(made, ask, &snapshot.facts(ask), &decision, redaction)
    });
    log.collect()
}

pub(crate) fn encode(entries: &[Entry]) -> replay::segment::Encoded {
    let mut encoder = Encoder::new();
    entries.iter().for_each(|entry| encoder.push(entry).unwrap());
    encoder.encode()
}

pub(crate) fn words(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
