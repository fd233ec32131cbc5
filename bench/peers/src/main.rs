//! Decisions per engine on the same rules and asks: the index of exeat, a walk over its rules, Cedar
//! and CEL. The answers are compared before anything is timed; one that differs ends the program.
//!
//! Cedar and CEL know no `ask`, so the rules allow and deny. CEL has no sets of rules: each rule is a
//! program, and all are run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet as Cedar, Request, RestrictedExpression,
};
use model::{ActorType, Category, Time};
use policy::{Fact, Facts, RulePack, RuleVerdict, Who};
use rules::{Compiled, Source, compile, linear, load};

const AGENTS: usize = 100;
const ASKS: usize = 4_096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Allow,
    Deny,
    Silent,
}

struct Ask {
    agent: String,
    host: String,
    method: &'static str,
    path: &'static str,
}

/// What rule `n` says, for every engine.
struct Rule {
    deny: bool,
    agent: usize,
    suffix: bool,
    host: String,
    methods: &'static [&'static str],
    path: Option<&'static str>,
}

fn now() -> Time {
    Time::from_millis(0)
}

fn rule(n: usize) -> Rule {
    let suffix = n % 2 == 0;
    Rule {
        deny: n % 3 == 0,
        agent: n % AGENTS,
        suffix,
        host: if suffix { format!("svc{}.example.com", n / 4) } else { format!("api{}.example.org", n / 4) },
        methods: if n % 5 == 0 { &["GET", "HEAD"] } else { &["GET", "POST", "PUT"] },
        path: (n % 4 == 1).then_some("/v1"),
    }
}

fn asks(rules: usize) -> Vec<Ask> {
    (0..ASKS)
        .map(|n| {
            let n = n.wrapping_mul(7_919) % rules;
            let about = rule(n);
            Ask {
                // Two of three hit the rule's agent, the rest its neighbour.
                agent: format!("agent-{}", if n % 3 == 2 { (about.agent + 1) % AGENTS } else { about.agent }),
                host: if about.suffix { format!("a.{}", about.host) } else { about.host },
                method: ["GET", "POST", "DELETE"][n % 3],
                path: ["/v1/items", "/v2", "/v10"][n % 3],
            }
        })
        .collect()
}

fn facts(ask: &Ask) -> Facts<'_> {
    let mut facts = Facts::bare(Category::Egress, "external.write", Who { kind: ActorType::Agent, name: &ask.agent });
    facts.host = Fact::Seen(&ask.host);
    facts.method = Fact::Seen(ask.method);
    facts.path = Fact::Seen(Cow::Borrowed(ask.path));
    facts.port = Fact::Seen(443);
    facts.scheme = Fact::Seen("https");
    facts
}

fn answer(verdict: &RuleVerdict) -> Answer {
    match verdict {
        RuleVerdict::Allow(_) => Answer::Allow,
        RuleVerdict::Silent => Answer::Silent,
        _ => Answer::Deny,
    }
}

/// The rules as exeat reads them.
fn ours(rules: usize) -> rules::PolicySet {
    let mut text = String::new();
    for n in 0..rules {
        let rule = self::rule(n);
        let methods: Vec<String> = rule.methods.iter().map(|method| format!("\"{method}\"")).collect();
        let effect = if rule.deny { "deny" } else { "allow" };
        let star = if rule.suffix { "*." } else { "" };
        writeln!(text, "[[{effect}]]\nid = \"r{n}\"\nagent = \"agent-{}\"", rule.agent).unwrap();
        writeln!(text, "host = \"{star}{}\"\nmethod = [{}]\nport = \"*\"", rule.host, methods.join(", ")).unwrap();
        if let Some(path) = rule.path {
            writeln!(text, "path = \"{path}\"").unwrap();
        }
    }
    load(&[Source { name: "bench.toml".into(), text }]).unwrap_or_else(|e| panic!("{e:?}")).set
}

fn cedar(rules: usize) -> Cedar {
    let mut text = String::new();
    for n in 0..rules {
        let rule = self::rule(n);
        let effect = if rule.deny { "forbid" } else { "permit" };
        let methods: Vec<String> = rule.methods.iter().map(|method| format!("\"{method}\"")).collect();
        let host = match rule.suffix {
            true => format!("(context.host == \"{0}\" || context.host like \"*.{0}\")", rule.host),
            false => format!("context.host == \"{}\"", rule.host),
        };
        let path = rule.path.map_or(String::new(), |path| {
            format!(" && (context.path == \"{path}\" || context.path like \"{path}/*\")")
        });
        writeln!(
            text,
            "{effect}(principal == Agent::\"agent-{}\", action, resource) when {{ {host} && [{}].contains(context.method){path} }};",
            rule.agent,
            methods.join(", ")
        )
        .unwrap();
    }
    text.parse().unwrap_or_else(|e| panic!("{e:?}"))
}

fn cedar_request(ask: &Ask) -> Request {
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let pairs = [("host", text(&ask.host)), ("method", text(ask.method)), ("path", text(ask.path))];
    let context = Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value))).unwrap();
    let agent = uid(&format!("Agent::\"{}\"", ask.agent));
    Request::new(agent, uid("Action::\"egress\""), uid("Host::\"any\""), context, None).unwrap()
}

fn cedar_answer(authorizer: &Authorizer, set: &Cedar, request: &Request, nobody: &Entities) -> Answer {
    let response = authorizer.is_authorized(request, set, nobody);
    match response.decision() {
        Decision::Allow => Answer::Allow,
        Decision::Deny if response.diagnostics().reason().next().is_some() => Answer::Deny,
        Decision::Deny => Answer::Silent,
    }
}

fn cel(rules: usize) -> Vec<(bool, cel::Program)> {
    (0..rules)
        .map(|n| {
            let rule = self::rule(n);
            let methods: Vec<String> = rule.methods.iter().map(|method| format!("'{method}'")).collect();
            let host = match rule.suffix {
                true => format!("(host == '{0}' || host.endsWith('.{0}'))", rule.host),
                false => format!("host == '{}'", rule.host),
            };
            let path =
                rule.path.map_or(String::new(), |path| format!(" && (path == '{path}' || path.startsWith('{path}/'))"));
            let text = format!("agent == 'agent-{}' && {host} && method in [{}]{path}", rule.agent, methods.join(", "));
            (rule.deny, cel::Program::compile(&text).unwrap_or_else(|e| panic!("{text}: {e:?}")))
        })
        .collect()
}

fn cel_answer(programs: &[(bool, cel::Program)], ask: &Ask) -> Answer {
    let mut context = cel::Context::default();
    for (name, value) in [("agent", &*ask.agent), ("host", &ask.host), ("method", ask.method), ("path", ask.path)] {
        context.add_variable(name, value).unwrap();
    }
    let mut answer = Answer::Silent;
    for (deny, program) in programs {
        if program.execute(&context).unwrap() == cel::Value::Bool(true) {
            answer = match (deny, answer) {
                (true, _) => return Answer::Deny,
                (false, _) => Answer::Allow,
            };
        }
    }
    answer
}

/// Times each ask on its own, over and over for `most`.
fn time(asks: &[Ask], most: Duration, mut once: impl FnMut(usize, &Ask)) -> Vec<u64> {
    let (mut times, start) = (Vec::new(), Instant::now());
    'all: loop {
        for (n, ask) in asks.iter().enumerate() {
            let begun = Instant::now();
            once(n, ask);
            times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if start.elapsed() > most {
                break 'all;
            }
        }
    }
    times.sort_unstable();
    times
}

fn at(times: &[u64], share: f64) -> u64 {
    times[((times.len() - 1) as f64 * share) as usize]
}

fn main() {
    println!("{:>7}  {:<16} {:>12} {:>12} {:>9}", "rules", "engine", "p50 ns", "p99 ns", "ratio");
    for count in [100, 1_000, 10_000] {
        let set = ours(count);
        let index: Compiled = compile(&set);
        let cedar = cedar(count);
        let (authorizer, nobody) = (Authorizer::new(), Entities::empty());
        let programs = cel(count);
        let asks = asks(count);
        let requests: Vec<Request> = asks.iter().map(cedar_request).collect();

        let mut seen = BTreeMap::new();
        for (ask, request) in asks.iter().zip(&requests).take(200) {
            let want = answer(&linear::eval(&set, &facts(ask), now()).live);
            assert_eq!(answer(&index.eval(&facts(ask), now()).live), want, "the index differs");
            assert_eq!(cedar_answer(&authorizer, &cedar, request, &nobody), want, "Cedar differs");
            assert_eq!(cel_answer(&programs, ask), want, "CEL differs");
            *seen.entry(format!("{want:?}")).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 3, "all three answers have to come up: {seen:?}");

        let most = Duration::from_secs(3);
        let results = [
            ("exeat index", time(&asks, most, |_, ask| drop(black_box(index.eval(&facts(ask), now()))))),
            ("exeat walk", time(&asks, most, |_, ask| drop(black_box(linear::eval(&set, &facts(ask), now()))))),
            (
                "cedar",
                time(&asks, most, |n, _| {
                    black_box(cedar_answer(&authorizer, &cedar, &requests[n], &nobody));
                }),
            ),
            (
                "cel",
                time(&asks, most, |_, ask| {
                    black_box(cel_answer(&programs, ask));
                }),
            ),
        ];
        let ours = at(&results[0].1, 0.5).max(1) as f64;
        for (name, times) in &results {
            let ratio = at(times, 0.5) as f64 / ours;
            println!("{count:>7}  {name:<16} {:>12} {:>12} {ratio:>8.1}x", at(times, 0.5), at(times, 0.99));
        }
    }
}
