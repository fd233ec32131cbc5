use serde_json::{Value, json};
use testkit::exeat::Setup;
use testkit::{TempStore, http::Client};

fn create(client: &mut Client, runtime: &Value) {
    let made = client.post("/v1/runs", &json!({"input": {"runtime": runtime}})).unwrap();
    assert_eq!(made.status, 201, "{}", made.text());
}

#[test]
fn one_cycle_says_what_came_of_it() {
    let store = TempStore::create().unwrap();
    // A home without anything in it: the worker makes what it needs.
    let secret = store.dir().join("made/by/whom/hmac.key");
    let setup = Setup::new(&store.url())
        .unwrap()
        .env("POLICY_ENFORCEMENT_MODE", "enforce")
        .env("RUN_WORKER_EMBEDDED", "false")
        .env("EXEAT_HMAC_KEY_FILE", secret.to_str().unwrap());
    let nothing = json!({"scanned": 0, "claimed": 0, "completed": 0, "failed": 0, "waiting": 0, "skipped": 0});
    assert_eq!(setup.run_json(&["worker", "--once", "--json"]).unwrap(), nothing);

    let key = setup.key("owner", Some("ws_a")).unwrap();
    let server = setup.start().unwrap();
    let mut client = server.client().bearer(&key);
    let write = json!({"target_url": "https://example.com/", "action": "external.write"});
    create(&mut client, &json!({}));
    create(&mut client, &json!({"egress": write}));
    create(&mut client, &json!({"egress": write, "on_approval": "wait"}));
    drop(client);
    assert!(server.sigterm().unwrap().success());

    let others = setup.run_json(&["worker", "--once", "--workspace", "ws_b", "--json"]).unwrap();
    assert_eq!(others, nothing, "runs of another workspace are left alone");
    let one = setup.run_json(&["worker", "--once", "--batch", "1", "--json"]).unwrap();
    assert_eq!((&one["claimed"], &one["completed"]), (&json!(1), &json!(1)));
    let rest = setup.run_json(&["worker", "--once", "--json"]).unwrap();
    let due = json!({"scanned": 2, "claimed": 2, "completed": 0, "failed": 1, "waiting": 1, "skipped": 0});
    assert_eq!(rest, due);
    assert_eq!(setup.run_json(&["worker", "--once", "--json"]).unwrap(), nothing);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_touched() {
    let store = TempStore::create().unwrap();
    let setup = Setup::new(&store.url()).unwrap();
    for (arguments, exit) in [
        (["worker", "--once", "--batch", "0"].as_slice(), 2),
        (&["worker", "--once", "--workspace", "not a name"], 2),
        (&["worker", "--twice"], 2),
    ] {
        let ran = setup.run(arguments).unwrap();
        assert_eq!(ran.status.code(), Some(exit), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        assert!(!store.path().exists(), "{arguments:?}");
    }
}
