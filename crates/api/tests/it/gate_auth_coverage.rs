//! The authentication gate: every route of the live document × every way in which a credential can be wrong or too
//! small, against a table that was written by hand and not made from the code.
//!
//! A route that the table does not know fails, so that no route can be forgotten; what a refused caller asked for has
//! no effect, and the same requests have one when they are asked by somebody who may.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use api::routes::{ROUTES, Route};
use http::Method;
use model::Role;
use serde_json::{Value, json};
use store::query::EventFilter;
use testkit::http::{Client, Response};

use crate::app::{App, OTHER, WORKSPACE, problem, text, without_request_id};
use crate::coverage::bad_credentials;
use crate::tenancy::Things;
use table::{PUBLIC, TABLE, roles_of};

/// One request: a route with an id that is there, and a body that would do something.
struct Request {
    route: &'static Route,
    path: String,
    body: String,
}

impl Request {
    fn new(route: &'static Route, things: &Things) -> Self {
        let id = things.of(route).unwrap_or("unknown");
        let path = match route.path.split_once('{') {
            // What is read is not there, so that no stream stays open.
            Some((before, rest)) => {
                let id = if route.method == Method::GET { "unknown" } else { id };
                format!("{before}{id}{}", rest.split_once('}').map_or("", |(_, after)| after))
            }
            None => route.path.to_owned(),
        };
        let body = if route.method == Method::GET { String::new() } else { table::body(route, things).to_string() };
        Self { route, path, body }
    }

    fn send(&self, client: &mut Client, headers: &[(&str, &str)], query: &str) -> Response {
        let mut headers = headers.to_vec();
        if !self.body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let path = format!("{}{query}", self.path);
        client.send(self.route.method.as_str(), &path, &headers, self.body.as_bytes()).unwrap()
    }

    fn opens_a_stream(&self) -> bool {
        self.route.produces == "text/event-stream" && !self.route.path.contains('{')
    }

    /// Whether whoever sends it is let in: refused for what was sent, or not at all.
    fn admits(&self, app: &App, key: &str) -> bool {
        let mut client = app.stranger().bearer(key);
        if self.opens_a_stream() {
            return client.events(&self.path, &[]).is_ok();
        }
        let response = self.send(&mut client, &[], "");
        let refused = response.status == 403 && problem(&response).unwrap() == "forbidden";
        assert!(response.status != 401, "a good key: {} {}", self.path, response.text());
        !refused
    }

    fn name(&self) -> String {
        format!("{} {}", self.route.method, self.route.path)
    }
}

fn requests(things: &Things) -> Vec<Request> {
    ROUTES.iter().filter(|route| route.roles.is_some()).map(|route| Request::new(route, things)).collect()
}

fn events(app: &App) -> usize {
    let workspace = model::WorkspaceId::parse(WORKSPACE).unwrap();
    app.block_on(app.store().events(&workspace, &EventFilter::default(), 0, 100_000)).unwrap().len()
}

/// What it is, the fields of a request that show it, and what is added to the path.
type Shown = (&'static str, Vec<(&'static str, String)>, String);

/// More ways in which a credential can be wrong, beside those that [`bad_credentials`] knows.
fn more_bad_credentials(app: &App) -> Vec<Shown> {
    let bearer = |key: &str| vec![("authorization", format!("Bearer {key}"))];
    let mut owner = app.client(Role::Owner);
    let doomed = app.key(Role::Operator, Some(WORKSPACE));
    let (key, principal) = (text(&doomed), doomed.principal_id.to_string());
    let grant = json!({"issued_to_principal_id": principal, "granted_by_principal_id": principal});
    let granted = owner.post("/v1/capabilities/grant", &grant).unwrap().expect(201).unwrap();
    let token = granted["token"].as_str().unwrap().to_owned();
    for good in [&key, &token] {
        assert_eq!(app.stranger().bearer(good).get("/v1/whoami").unwrap().status, 200, "the control");
    }
    owner.post(&format!("/v1/principals/{principal}/revoke"), &json!({})).unwrap().expect(200).unwrap();
    let minted = owner.post("/v1/proxy/credentials", &json!({})).unwrap().expect(201).unwrap();
    let minted = minted["credential"].as_str().unwrap().to_owned();
    let good = app.secret(Role::Owner);
    let all: Vec<_> = Role::ALL.iter().flat_map(|role| bearer(&app.secret(*role))).collect();
    vec![
        ("a key of a revoked principal", bearer(&key), String::new()),
        ("a token of a revoked principal", bearer(&token), String::new()),
        ("a credential for the proxy", bearer(&minted), String::new()),
        ("in the field of the proxy", vec![("proxy-authorization", format!("Bearer {good}"))], String::new()),
        ("in a field of its own", vec![("exeat-key", good.clone()), ("x-exeat-key", good.clone())], String::new()),
        ("in the fragment of a query", vec![], format!("?#{good}")),
        ("all roles at once", all, String::new()),
        ("behind a comma", vec![("authorization", format!("Basic eDp5, Bearer {good}"))], String::new()),
    ]
}

#[test]
fn gate_auth_coverage_knows_every_route() {
    let app = App::start();
    let document = app.stranger().get("/openapi.json").unwrap().expect(200).unwrap();
    let live: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.filter(|name| *name != "parameters").map(move |m| format!("{} {path}", m.to_ascii_uppercase()))
        })
        .collect();
    let routed: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(live, routed, "the document has what is routed");
    let mapped: BTreeSet<String> =
        TABLE.iter().map(|(name, _)| (*name).to_owned()).chain(PUBLIC.iter().map(|p| format!("GET {p}"))).collect();
    let unmapped: Vec<_> = live.difference(&mapped).collect();
    assert!(unmapped.is_empty(), "nobody said who may use {unmapped:?}");
    let gone: Vec<_> = mapped.difference(&live).collect();
    assert!(gone.is_empty(), "the table has what there is not: {gone:?}");
    assert_eq!(mapped.len(), TABLE.len() + PUBLIC.len(), "nothing is said twice");
    for route in ROUTES {
        let name = format!("{} {}", route.method, route.path);
        let said: Option<BTreeSet<Role>> = route.roles.map(|roles| roles.iter().collect());
        assert_eq!(said, roles_of(&name), "{name}: the code and the table differ about who may");
    }
    // Public routes answer strangers, and nothing else does.
    for path in PUBLIC {
        assert_eq!(app.stranger().get(path).unwrap().status, 200, "{path}");
    }
    println!("auth-coverage: {} routes mapped, {} of them public", mapped.len(), PUBLIC.len());
}

#[test]
fn gate_auth_coverage_refuses_strangers_on_every_route() {
    let app = App::start();
    let things = Things::make(&mut app.client(Role::Owner));
    let bad: Vec<_> = bad_credentials(&app).into_iter().chain(more_bad_credentials(&app)).collect();
    let requests = requests(&things);
    let reference = without_request_id(&app.stranger().get("/v1/whoami").unwrap());
    assert_eq!(reference.0, 401);
    let foreign = text(&app.key(Role::Owner, Some(OTHER)));
    let before = events(&app);
    let (mut client, mut cases) = (app.stranger(), 0);
    for request in &requests {
        for (what, headers, query) in &bad {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let response = request.send(&mut client, &headers, query);
            assert_eq!(without_request_id(&response), reference, "{what}: {}", request.name());
            cases += 1;
        }
        // A good key of somebody else's workspace is told so, and gets nothing.
        let bearer = format!("Bearer {foreign}");
        let headers = [("authorization", bearer.as_str()), ("x-workspace-id", WORKSPACE)];
        let response = request.send(&mut client, &headers, "");
        assert_eq!((response.status, problem(&response).unwrap().as_str()), (403, "forbidden"), "{}", request.name());
        cases += 1;
    }
    assert_eq!(cases, requests.len() * (bad.len() + 1));
    assert_eq!(events(&app), before, "nothing was done for anybody");
    // The control: the same requests by the owner do something.
    let owner = app.secret(Role::Owner);
    assert!(requests.iter().all(|request| request.admits(&app, &owner)));
    let done = events(&app) - before;
    assert!(done >= 30, "the owner did {done} things");
    assert!(app.log_is_whole());
    println!("auth-coverage: {cases} refusals of strangers, {} variants, {} routes", bad.len() + 1, requests.len());
}

#[test]
fn gate_auth_coverage_gives_each_role_its_own_routes_and_no_other() {
    let app = App::start();
    let things = Things::make(&mut app.client(Role::Owner));
    let requests = requests(&things);
    let mut reached: BTreeMap<(Role, String), bool> = BTreeMap::new();
    let (mut refused, mut admitted) = (0, 0);
    // The refusals first, so that the effects that are counted later are of those who may.
    let before = events(&app);
    for wanted in [false, true] {
        for &role in Role::ALL {
            let key = app.secret(role);
            for request in &requests {
                let expected = roles_of(&request.name()).unwrap().contains(&role);
                if expected != wanted {
                    continue;
                }
                assert_eq!(request.admits(&app, &key), expected, "{role}: {}", request.name());
                reached.insert((role, request.name()), expected);
                if expected { admitted += 1 } else { refused += 1 }
            }
        }
        if !wanted {
            assert_eq!(events(&app), before + made_keys(&app, before), "a refused role does nothing");
        }
    }
    assert_eq!(refused + admitted, requests.len() * Role::ALL.len());
    assert!(events(&app) > before, "those who may do something");
    // Whoever holds the keys of all roles but one reaches what the table says of the rest, and no more.
    let mut left_out = 0;
    for &without in Role::ALL {
        for request in &requests {
            let said = roles_of(&request.name()).unwrap().iter().any(|role| *role != without && *role != Role::Owner);
            let others = Role::ALL.iter().filter(|role| **role != without && **role != Role::Owner);
            let seen = others.into_iter().any(|role| reached[&(*role, request.name())]);
            assert_eq!(seen, said, "all but {without}: {}", request.name());
            left_out += 1;
        }
    }
    println!("auth-coverage: {refused} refused and {admitted} admitted roles, {left_out} sets of all roles but one");
}

/// The events that tell of keys alone: they are made while the test runs.
fn made_keys(app: &App, from: usize) -> usize {
    let workspace = model::WorkspaceId::parse(WORKSPACE).unwrap();
    let all = app.block_on(app.store().events(&workspace, &EventFilter::default(), 0, 100_000)).unwrap();
    let own = ["key.created", "principal.created"];
    all.iter().skip(from).filter(|event| own.contains(&event.event_type.as_str())).count()
}

#[test]
fn gate_auth_coverage_lets_a_capability_token_do_what_an_agent_may() {
    let app = App::start();
    let things = Things::make(&mut app.client(Role::Owner));
    let token = app.token(None, None).token;
    let (mut refused, mut admitted) = (0, 0);
    for request in &requests(&things) {
        // What is not an agent's to use is not its token's either.
        let mut client = app.stranger().bearer(&token);
        if roles_of(&request.name()).unwrap().contains(&Role::Agent) {
            let response = request.send(&mut client, &[], "");
            assert_ne!(response.status, 401, "{}", request.name());
            admitted += 1;
        } else {
            let response = request.send(&mut client, &[], "");
            let told = (response.status, problem(&response).unwrap());
            assert_eq!(told, (403, "forbidden".to_owned()), "{}", request.name());
            refused += 1;
        }
    }
    assert_eq!(app.stranger().bearer(&token).get("/v1/whoami").unwrap().json().unwrap()["role"], json!("agent"));
    println!("auth-coverage: a token of all scopes: {refused} refused, {admitted} admitted");
}

#[test]
fn gate_auth_coverage_gives_a_run_only_to_a_worker() {
    let app = App::start();
    let mut owner = app.client(Role::Owner);
    let made = owner.post("/v1/runs", &json!({"title": "r"})).unwrap().expect(201).unwrap();
    let run = format!("/v1/runs/{}", made["run_id"].as_str().unwrap());
    let claim = |client: &mut Client| client.post("/v1/runs/claim", &json!({})).unwrap();
    let may = roles_of("POST /v1/runs/claim").unwrap();
    let token = app.token(None, None).token;
    let mut cases = 0;
    for &role in Role::ALL.iter().filter(|role| !may.contains(role)) {
        assert_eq!(claim(&mut app.client(role)).status, 403, "{role}");
        cases += 1;
    }
    assert_eq!(claim(&mut app.stranger().bearer(&token)).status, 403);
    assert_eq!(claim(&mut app.stranger()).status, 401);
    for (what, headers, _) in bad_credentials(&app).iter().chain(&more_bad_credentials(&app)) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(app.stranger().send("POST", "/v1/runs/claim", &headers, b"{}").unwrap().status, 401, "{what}");
        cases += 1;
    }
    // A worker of another workspace finds nothing.
    let stranger = claim(&mut app.client_in(Role::Worker, OTHER)).expect(200).unwrap();
    assert_eq!(stranger["claimed"], false);
    let status = |owner: &mut Client| owner.get(&run).unwrap().expect(200).unwrap()["run"]["status"].clone();
    assert_eq!(status(&mut owner), json!("queued"), "nobody has taken it");
    // The control, and what follows: a claim is worth nothing without its token.
    let mut worker = app.client(Role::Worker);
    let claimed: Value = claim(&mut worker).expect(200).unwrap();
    assert_eq!((claimed["claimed"].clone(), status(&mut owner)), (json!(true), json!("running")));
    let claim_token = claimed["run"]["claim_token"].clone();
    for wrong in [json!({}), json!({"claim_token": "0"}), json!({"claim_token": made["run_id"]})] {
        for path in ["complete", "fail", "steps", "lease/heartbeat", "lease/release"] {
            let mut body = wrong.clone();
            body["kind"] = json!("k");
            let response = worker.post(&format!("{run}/{path}"), &body).unwrap();
            assert!((400..=409).contains(&response.status), "{path} {body}: {}", response.text());
            cases += 1;
        }
    }
    assert_eq!(status(&mut owner), json!("running"));
    worker.post(&format!("{run}/complete"), &json!({"claim_token": claim_token})).unwrap().expect(200).unwrap();
    assert_eq!(status(&mut owner), json!("succeeded"));
    println!("auth-coverage: {} cases around a claim", cases + 2);
}
