//! Invariant 12: every route of the live table refuses every bad credential with the same bytes, before
//! it says anything else, and every role that is not entitled.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use api::routes::{ROUTES, Route};
use data_encoding::BASE64URL_NOPAD;
use gate::capabilities::GrantCapabilityOutput;
use http::Method;
use model::capability::{Bearer, Caveat};
use model::{Role, Time, TokenId};
use sha2::{Digest as _, Sha256};
use testkit::http::{Client, Response};

use crate::app::{App, OTHER, WORKSPACE, problem, text, without_request_id};

/// What anybody may read. A constant: a new public route has to be added here by hand.
const PUBLIC: [&str; 5] = ["/docs", "/livez", "/openapi.json", "/readyz", "/version"];

/// The path of a route with an id that is not there.
fn path(route: &Route) -> String {
    match route.path.split_once('{') {
        Some((before, rest)) => format!("{before}unknown{}", rest.split_once('}').map_or("", |(_, after)| after)),
        None => route.path.to_owned(),
    }
}

fn send(client: &mut Client, route: &Route, headers: &[(&str, &str)], body: &[u8]) -> Response {
    client.send(route.method.as_str(), &path(route), headers, body).unwrap()
}

/// A name, the headers, and what is put after the path.
pub(crate) type BadCredential = (&'static str, Vec<(&'static str, String)>, String);

/// Every way in which a credential can be bad.
pub(crate) fn bad_credentials(app: &App) -> Vec<BadCredential> {
    let good = app.secret(Role::Owner);
    let expired = text(&app.key_until(Role::Owner, Some(WORKSPACE), None, Some(Time::from_millis(1))));
    let revoked = app.key(Role::Owner, Some(WORKSPACE));
    app.block_on(gate::revoke_key(app.store(), &revoked.key_id)).unwrap();
    let other = text(&app.key(Role::Owner, Some(OTHER)));
    let (front, secret) = good.rsplit_once('_').unwrap();
    let of_another = format!("{front}_{}", other.rsplit_once('_').unwrap().1);
    let unknown = format!("exk_{}_{secret}", "0".repeat(24));
    let tokens = bad_tokens(app);
    let bearer = |key: &str| vec![("authorization", format!("Bearer {key}"))];
    vec![
        ("no header", vec![], String::new()),
        ("empty", vec![("authorization", String::new())], String::new()),
        ("no credential", bearer(""), String::new()),
        ("basic", vec![("authorization", format!("Basic {good}"))], String::new()),
        ("no scheme", vec![("authorization", good.clone())], String::new()),
        ("unknown id", bearer(&unknown), String::new()),
        ("another key's secret", bearer(&of_another), String::new()),
        ("truncated", bearer(good.get(..good.len() - 1).unwrap()), String::new()),
        ("suffixed", bearer(&format!("{good}a")), String::new()),
        ("expired", bearer(&expired), String::new()),
        ("revoked", bearer(&text(&revoked)), String::new()),
        ("twice", [bearer(&good), bearer(&good)].concat(), String::new()),
        ("two in one", vec![("authorization", format!("Bearer {good}, Bearer {good}"))], String::new()),
        ("in the query", vec![], format!("?access_token={good}&authorization=Bearer%20{good}&key={good}")),
        ("another header", vec![("x-api-key", good.clone()), ("cookie", format!("key={good}"))], String::new()),
        ("not text", bearer("\u{e9}\u{e9}"), String::new()),
        ("endless", bearer(&"a".repeat(10_000)), String::new()),
    ]
    .into_iter()
    .chain(tokens.into_iter().map(|(name, token)| (name, bearer(&token), String::new())))
    .collect()
}

/// Every way in which a capability token can be bad. Each is first shown to be good, where it can be.
fn bad_tokens(app: &App) -> Vec<(&'static str, String)> {
    let tool = Caveat { tools: Some(BTreeSet::from(["grep".to_owned()])), ..Caveat::default() };
    let over = Caveat { expires_at: Some(Time::from_millis(1)), ..Caveat::default() };
    let narrow = |token: &str, caveat: &Caveat| Bearer::parse(token).unwrap().attenuate(caveat).unwrap();
    let (live, revoked) = (app.token(None, None), app.token(None, None));
    let parent = app.token(None, None);
    let child = app.token(Some(&parent.token_id), None);
    let expired = app.token(None, Some("2020-01-01T00:00:00Z"));
    let narrowed = narrow(&live.token, &tool);
    let revoked_narrowed = narrow(&revoked.token, &tool);
    for good in [&live.token, &narrowed, &revoked.token, &revoked_narrowed, &child.token] {
        assert_eq!(app.stranger().bearer(good).get("/v1/whoami").unwrap().status, 200);
    }
    app.revoke_token(&revoked.token_id);
    app.revoke_token(&parent.token_id);
    let (front, mac) = narrowed.rsplit_once('.').unwrap();
    let secret = live.token.rsplit('.').next().unwrap();
    vec![
        ("a token's id", format!("cap1.{}", live.token_id)),
        ("no token", "cap1.a.b.c.d".to_owned()),
        ("an unknown token", format!("cap1.{}.{secret}", TokenId::new())),
        ("another token's secret", format!("cap1.{}.{secret}", child.token_id)),
        ("a truncated token", live.token.get(..live.token.len() - 1).unwrap().to_owned()),
        ("a secret in the place of the mac", format!("{front}.{secret}")),
        ("a mac in the place of the secret", format!("cap1.{}.{mac}", live.token_id)),
        ("an unknown caveat", unknown_caveat(&live)),
        ("an expired token", expired.token),
        ("a revoked token", revoked.token),
        ("a revoked narrowed token", revoked_narrowed),
        ("a token of a revoked one", child.token),
        ("an expired caveat", narrow(&live.token, &over)),
    ]
}

/// A caveat that is none of ours under a MAC as it should be: only the holder can make that, and it lets
/// nobody in.
fn unknown_caveat(token: &GrantCapabilityOutput) -> String {
    let secret = BASE64URL_NOPAD.decode(token.token.rsplit('.').next().unwrap().as_bytes()).unwrap();
    // HMAC-SHA-256 from its definition.
    let mac = |key: &[u8], bytes: &[u8]| {
        let padded = |pad: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ pad).collect::<Vec<u8>>();
        let inner = Sha256::digest([&padded(0x36), bytes].concat());
        Sha256::digest([padded(0x5c), inner.to_vec()].concat())
    };
    let start = mac(&secret, format!("exeat capability chain v1\0{}", token.token_id).as_bytes());
    let with = |caveat: &str| {
        let list = BASE64URL_NOPAD.encode(format!("[{caveat}]").as_bytes());
        format!("cap1.{}.{list}.{}", token.token_id, BASE64URL_NOPAD.encode(&mac(&start, caveat.as_bytes())))
    };
    // The control: what is made by hand like this is the same as what the program makes.
    let uses = Caveat { uses: Some(1), ..Caveat::default() };
    assert_eq!(with(r#"{"uses":1}"#), Bearer::parse(&token.token).unwrap().attenuate(&uses).unwrap());
    with(r#"{"unless":"monday"}"#)
}

#[test]
fn every_route_refuses_every_bad_credential_with_the_same_bytes() {
    let app = App::start();
    let mut client = app.stranger();
    let bad = bad_credentials(&app);
    let reference = without_request_id(&client.send("GET", "/v1/whoami", &[], b"").unwrap());
    assert_eq!(reference.0, 401);
    assert!(reference.1.iter().any(|(name, value)| name.eq_ignore_ascii_case("www-authenticate") && value == "Bearer"));
    let private: Vec<&Route> = ROUTES.iter().filter(|route| route.roles.is_some()).collect();
    let (mut cases, huge) = (0, vec![b'{'; 2 << 20]);
    for route in &private {
        for (name, headers, query) in &bad {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let target = format!("{}{query}", path(route));
            let response = client.send(route.method.as_str(), &target, &headers, b"").unwrap();
            assert_eq!(without_request_id(&response), reference, "{name}: {} {target}", route.method);
            cases += 1;
        }
        // Before anything else that is wrong with the request.
        let wrong = if route.method == Method::PUT { "POST" } else { "DELETE" };
        let json = [("content-type", "application/json")];
        let odd = [("content-type", "image/png"), ("accept", "image/png")];
        for (what, response) in [
            ("a wrong method", client.send(wrong, &path(route), &[], b"").unwrap()),
            ("bad JSON", send(&mut client, route, &json, b"{\"a\":")),
            ("a wrong type", send(&mut client, route, &odd, b"x")),
            ("a bad workspace", send(&mut client, route, &[("x-workspace-id", "*")], b"")),
        ] {
            assert_eq!(without_request_id(&response), reference, "{what}: {} {}", route.method, route.path);
            cases += 1;
        }
    }
    // What is large is large everywhere: three routes stand for all, as the door is one.
    for route in private.iter().filter(|route| route.creates).take(3) {
        let response = send(&mut client, route, &[("content-type", "application/json")], &huge);
        assert_eq!(without_request_id(&response), reference, "2 MiB: {}", route.path);
        cases += 1;
    }
    for unknown in ["/", "/v1", "/v1/", "/v1/unknown", "/v1/rooms/", "/v2/rooms", "//v1/rooms", "/livez/x"] {
        let response = client.send("GET", unknown, &[], b"").unwrap();
        assert_eq!(without_request_id(&response), reference, "{unknown}");
        cases += 1;
    }
    assert_eq!(cases, private.len() * (bad.len() + 4) + 3 + 8);
    println!("{cases} refusals of {} routes and {} bad credentials", private.len(), bad.len());
    // The positive control: the same client with a good key.
    assert_eq!(app.client(Role::Owner).get("/v1/whoami").unwrap().status, 200);
}

#[test]
fn the_public_set_is_what_it_is() {
    let app = App::start();
    let public: BTreeSet<&str> = ROUTES.iter().filter(|route| route.roles.is_none()).map(|route| route.path).collect();
    assert_eq!(public, BTreeSet::from(PUBLIC));
    for path in PUBLIC {
        let response = app.stranger().get(path).unwrap();
        assert_eq!(response.status, 200, "{path}");
        // A bad key is not looked at where none is needed.
        assert_eq!(app.stranger().bearer("exk_bad").get(path).unwrap().status, 200, "{path}");
    }
}

#[test]
fn every_route_refuses_every_role_that_is_not_entitled() {
    let app = App::start();
    let private: Vec<&Route> = ROUTES.iter().filter(|route| route.roles.is_some()).collect();
    let (mut refused, mut admitted) = (0, 0);
    for &role in Role::ALL {
        let key = app.secret(role);
        for route in &private {
            // A stream that is open takes its connection with it.
            let mut client = app.stranger().bearer(&key);
            let streams = route.produces == "text/event-stream" && !route.path.contains('{');
            if streams && route.roles.unwrap().contains(role) {
                client.events(route.path, &[]).unwrap();
                admitted += 1;
                continue;
            }
            let response = send(&mut client, route, &[], b"");
            let name = format!("{role}: {} {} -> {}", route.method, route.path, response.text());
            if route.roles.unwrap().contains(role) {
                assert_ne!(response.status, 401, "{name}");
                // Refused for what was sent, not for who sent it.
                assert!(response.status != 403 || problem(&response).unwrap() != "forbidden", "{name}");
                admitted += 1;
            } else {
                assert_eq!(response.status, 403, "{name}");
                assert_eq!(problem(&response).unwrap(), "forbidden", "{name}");
                // Before anything about the body.
                let odd = send(&mut client, route, &[("content-type", "image/png")], b"x");
                assert_eq!(odd.status, 403, "{name}");
                refused += 1;
            }
        }
    }
    let entitled: usize = private.iter().map(|route| route.roles.unwrap().iter().count()).sum();
    assert_eq!(admitted, entitled);
    assert_eq!(refused, private.len() * Role::ALL.len() - entitled);
    println!("{admitted} admitted and {refused} refused: {} routes, {} roles", private.len(), Role::ALL.len());
}

#[test]
fn roles_and_routes_are_as_reviewed() {
    let mut matrix = String::new();
    for role in Role::ALL {
        let _ok = write!(matrix, "{:<9}", role.as_str());
    }
    matrix.push_str("route\n");
    for route in ROUTES {
        for role in Role::ALL {
            let mark = match route.roles {
                None => "public",
                Some(roles) if roles.contains(*role) => "yes",
                Some(_) => "-",
            };
            let _ok = write!(matrix, "{mark:<9}");
        }
        let _ok = writeln!(matrix, "{} {}", route.method, route.path);
    }
    insta::assert_snapshot!(matrix);
}

#[test]
fn no_two_routes_are_the_same() {
    let mut seen = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for route in ROUTES {
        assert!(seen.insert((route.method.as_str(), route.path)), "{} {}", route.method, route.path);
        assert!(ids.insert(route.operation_id), "{}", route.operation_id);
        assert!(route.path.matches('{').count() <= 1, "{}", route.path);
    }
}

#[test]
fn a_known_key_learns_what_is_wrong_with_the_path() {
    let app = App::start();
    let mut client = app.client(Role::Auditor);
    for unknown in ["/", "/v1", "/v1/rooms/", "/v1/unknown", "/console"] {
        let response = client.get(unknown).unwrap();
        assert_eq!((response.status, problem(&response).unwrap().as_str()), (404, "not_found"), "{unknown}");
    }
    for route in ROUTES.iter().filter(|route| route.roles.is_some()) {
        let response = client.send("PATCH", &path(route), &[], b"").unwrap();
        assert_eq!(
            (response.status, problem(&response).unwrap().as_str()),
            (405, "method_not_allowed"),
            "{}",
            route.path
        );
        let allow = response.header("allow").unwrap();
        assert!(allow.split(", ").any(|name| name == route.method.as_str()), "{}: {allow}", route.path);
    }
}

#[test]
fn a_bound_key_is_refused_in_another_workspace() {
    let app = App::start();
    let key = app.secret(Role::Owner);
    let mut client = app.stranger().bearer(&key);
    for (workspace, status) in [(WORKSPACE, 200), (" ws_a ", 200), (OTHER, 403), ("*", 403)] {
        let response = client.send("GET", "/v1/whoami", &[("x-workspace-id", workspace)], b"").unwrap();
        assert_eq!(response.status, status, "{workspace}: {}", response.text());
    }
    let mut everywhere = app.stranger().bearer(&text(&app.key(Role::Owner, None)));
    for (workspace, status, named) in [(OTHER, 200, OTHER), ("ws_new", 200, "ws_new"), ("*", 400, ""), ("a b", 400, "")]
    {
        let response = everywhere.send("GET", "/v1/whoami", &[("x-workspace-id", workspace)], b"").unwrap();
        assert_eq!(response.status, status, "{workspace}: {}", response.text());
        if status == 200 {
            assert_eq!(response.json().unwrap()["workspace_id"], named);
        }
    }
    assert_eq!(everywhere.get("/v1/whoami").unwrap().json().unwrap()["workspace_id"], "ws_dev");
}
