//! What rules say of tunnels that may carry anything, beside those that are bound to TLS.

use model::ask::{CONNECT, EgressSubject, Subject, Tunnel};
use model::{Action, Actor, ActorType, Ask, TargetUrl, Time, WorkspaceId};
use policy::{Facts, RulePack, RuleVerdict};
use rules::{Source, compile, linear, load};

fn ask(host: &str, port: u16, tunnel: Option<Tunnel>) -> Ask {
    let target = TargetUrl::parse(&format!("https://{host}:{port}/")).unwrap();
    let method = Some(if tunnel.is_some() { CONNECT } else { "GET" }.to_owned());
    Ask {
        workspace_id: WorkspaceId::from_stored("ws_a".to_owned()),
        action: Action::parse(if tunnel.is_some() { "external.write" } else { "external.read" }).unwrap(),
        actor: Actor::new(ActorType::Agent, "coder"),
        principal_id: None,
        capability_token_id: None,
        narrowing: None,
        token_required: false,
        zone: None,
        room_id: None,
        thread_id: None,
        run_id: None,
        step_id: None,
        subject: Subject::Egress(EgressSubject {
            target_domain: Some(host.to_owned()),
            target: Some(target),
            method,
            tunnel,
            credentials: Vec::new(),
        }),
        ask_digest: None,
    }
}

/// What the rules say to a request, to a tunnel for TLS and to an opaque one, on a port.
fn said(rules: &str, port: u16) -> [&'static str; 3] {
    let set = load(&[Source { name: "p.toml".into(), text: rules.into() }]).unwrap().set;
    let index = compile(&set);
    [None, Some(Tunnel::Tls), Some(Tunnel::Opaque)].map(|tunnel| {
        let ask = ask("a.com", port, tunnel);
        let facts = Facts::of(&ask, None, None);
        let now = Time::from_millis(0);
        let verdict = index.eval(&facts, now);
        assert_eq!(verdict, linear::eval(&set, &facts, now));
        match verdict.live {
            RuleVerdict::Silent => "none",
            RuleVerdict::Allow(_) => "allow",
            RuleVerdict::Ask(_) => "ask",
            RuleVerdict::Deny(_) | RuleVerdict::Unevaluable(_) => "deny",
        }
    })
}

#[test]
fn only_an_allow_that_says_so_lets_anything_through_a_tunnel() {
    let check = |rules: &str, port: u16, want: [&str; 3]| assert_eq!(said(rules, port), want, "{rules} on {port}");
    let allow = "[[allow]]\nid = \"a\"\nhost = \"a.com\"\n";
    check(allow, 443, ["allow", "allow", "none"]);
    check(&format!("{allow}tunnel = \"tls\"\n"), 443, ["allow", "allow", "none"]);
    check(&format!("{allow}port = 22\n"), 22, ["allow", "allow", "none"]);
    // It is wider: what may carry anything may carry TLS.
    check(&format!("{allow}port = 22\ntunnel = \"opaque\"\n"), 22, ["allow", "allow", "allow"]);
    // Without a port it means 80 and 443, as ever.
    let opaque = format!("{allow}tunnel = \"opaque\"\n");
    check(&opaque, 443, ["allow", "allow", "allow"]);
    check(&opaque, 80, ["allow", "allow", "allow"]);
    check(&opaque, 22, ["none", "none", "none"]);
    check(&format!("{opaque}method = \"CONNECT\"\n"), 443, ["none", "allow", "allow"]);
    check("[[allow]]\nid = \"a\"\neverything = true\ntunnel = \"opaque\"\n", 443, ["allow", "allow", "allow"]);
}

#[test]
fn what_is_denied_or_asked_for_is_so_whatever_a_tunnel_carries() {
    let opaque = "[[allow]]\nid = \"a\"\nhost = \"*\"\nport = \"*\"\ntunnel = \"opaque\"\n";
    let with = |rule: &str| format!("{opaque}{rule}");
    assert_eq!(said(&with("[[deny]]\nid = \"b\"\nhost = \"a.com\"\n"), 443), ["deny"; 3]);
    assert_eq!(said(&with("[[ask]]\nid = \"b\"\nhost = \"a.com\"\nport = 22\n"), 22), ["ask"; 3]);
    // A deny that would have to see the path, or the scheme, denies where nobody sees it.
    assert_eq!(said(&with("[[deny]]\nid = \"b\"\nhost = \"*\"\npath = \"/x\"\n"), 443), ["allow", "deny", "deny"]);
    assert_eq!(said(&with("[[deny]]\nid = \"b\"\nscheme = \"http\"\n"), 443), ["allow", "allow", "deny"]);
}
