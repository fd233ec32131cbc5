use serde_json::json;

use crate::fake::Fake;
use crate::program::{against, exeat, exeat_with};

#[test]
fn mode_is_shown_and_set() {
    let fake = Fake::new(&[
        ("GET /v1/policy/mode", 200, json!({ "mode": "shadow" })),
        ("PUT /v1/policy/mode", 200, json!({ "mode": "enforce" })),
    ]);
    assert_eq!(against(&fake, &["mode", "get"]).exits(0).stdout, "shadow\n");
    let ran = against(&fake, &["mode", "set", "ENFORCE", "--reason", "reviewed"]).exits(0);
    assert!(ran.stdout.starts_with("mode enforce") && ran.stderr.contains("exeat mode set shadow"), "{ran:?}");
    assert_eq!(fake.only("PUT /v1/policy/mode").body, json!({ "mode": "enforce", "reason": "reviewed" }));
    against(&fake, &["mode", "set", "off"]).exits(2);
}

#[test]
fn unreviewed_would_blocks_are_a_conflict_with_the_way_out() {
    let fake = Fake::always(
        409,
        "application/problem+json",
        r#"{"title":"Unreviewed","error":"unreviewed_would_blocks","detail":"3 asks would have been blocked"}"#,
    );
    let ran = against(&fake, &["mode", "set", "enforce"]).exits(7);
    assert!(ran.stderr.contains("--reason"), "{ran:?}");
}

#[test]
fn the_kill_switch_warns_when_shadow_makes_it_idle() {
    let path = "PUT /v1/policy/kill-switch";
    let fake = Fake::new(&[(path, 200, json!({ "active": true, "effective": false }))]);
    let ran = against(&fake, &["kill-switch", "on", "--reason", "incident"]).exits(0);
    assert!(ran.stderr.contains("warning:") && ran.stderr.contains("shadow"), "{ran:?}");
    assert_eq!(fake.only(path).body, json!({ "active": true, "reason": "incident" }));
    let fake = Fake::new(&[
        (path, 200, json!({ "active": true, "effective": true })),
        ("GET /v1/policy/kill-switch", 200, json!({ "active": false })),
    ]);
    let ran = against(&fake, &["kill-switch", "on", "--reason", "incident", "--quiet"]).exits(0);
    assert_eq!(ran.stderr, "");
    assert!(against(&fake, &["kill-switch", "status"]).exits(0).stdout.contains("off"));
    against(&fake, &["kill-switch", "off"]).exits(2);
}

#[test]
fn settings_not_named_stay() {
    let now = json!({ "default_decision": "allow", "egress_max_requests_per_hour": 5, "require_capability_token": false, "updated_at": "x" });
    for wrapped in [json!({ "settings": now }), now.clone()] {
        let fake =
            Fake::new(&[("GET /v1/policy/settings", 200, wrapped.clone()), ("PUT /v1/policy/settings", 200, wrapped)]);
        assert!(against(&fake, &["settings", "get"]).exits(0).stdout.contains("default_decision"));
        against(&fake, &["settings", "set", "--default-decision", "deny", "--require-capability-token", "true"])
            .exits(0);
        assert_eq!(
            fake.only("PUT /v1/policy/settings").body,
            json!({ "default_decision": "deny", "egress_max_requests_per_hour": 5, "require_capability_token": true })
        );
    }
    exeat(&["settings", "set"]).exits(2);
}

#[test]
fn the_registry_keeps_what_is_not_named() {
    let known = json!({ "action_type": "email.send", "reversible": false, "zone_required": "high_stakes", "requires_pre_approval": true, "post_review_required": false, "metadata": { "cost": "medium" }, "created_at": "x" });
    let fake = Fake::new(&[
        ("GET /v1/action-registry", 200, json!({ "actions": [known] })),
        ("PUT /v1/action-registry/email.send", 200, json!({ "action": known })),
    ]);
    assert!(against(&fake, &["registry", "list"]).exits(0).stdout.contains("email.send"));
    against(&fake, &["registry", "set", "email.send", "--requires-pre-approval", "false"]).exits(0);
    assert_eq!(
        fake.only("PUT /v1/action-registry/email.send").body,
        json!({ "reversible": false, "zone_required": "high_stakes", "requires_pre_approval": false, "post_review_required": false, "metadata": { "cost": "medium" } })
    );
}

#[test]
fn status_tells_ready_from_not_ready() {
    let answers = |ready| {
        Fake::new(&[
            ("GET /version", 200, json!({ "version": "9.9.9" })),
            ("GET /readyz", ready, json!({})),
            ("GET /v1/policy/mode", 200, json!({ "mode": "enforce" })),
            ("GET /v1/policy/kill-switch", 200, json!({ "active": true })),
        ])
    };
    let ran = against(&answers(200), &["status"]).exits(0);
    assert!(
        ran.stdout.starts_with("ready") && ran.stdout.contains("9.9.9") && ran.stdout.contains("kill switch on"),
        "{ran:?}"
    );
    let ran = against(&answers(503), &["status", "--json"]).exits(1);
    assert_eq!(ran.json()["ready"], false);
}

#[test]
fn reason_codes_are_the_servers() {
    let fake = Fake::new(&[(
        "GET /v1/reason-codes",
        200,
        json!({ "reason_codes": [{ "code": "kill_switch_active", "sentence": "s", "remedy": "r" }] }),
    )]);
    assert!(against(&fake, &["reason-codes"]).exits(0).stdout.contains("kill_switch_active"));
}

#[test]
fn config_shows_origins_and_no_secret() {
    let ran = exeat_with(
        &[
            ("EXEAT_KEY", "exk_very_secret"),
            ("DATABASE_URL", "postgres://app:hunter2@db/exeat"),
            ("EXEAT_LISTEN", "127.0.0.1:9"),
        ],
        &["config", "show", "--origin"],
    )
    .exits(0);
    assert!(
        ran.stdout.contains("variable EXEAT_LISTEN")
            && ran.stdout.contains("(set, not shown)")
            && ran.stdout.contains("postgres://app:***@db/exeat"),
        "{ran:?}"
    );
    let ran = exeat_with(
        &[("EXEAT_KEY", "exk_very_secret"), ("DATABASE_URL", "postgres://app:hunter2@db/exeat")],
        &["config", "show", "--json", "--timeout", "3s"],
    )
    .exits(0);
    for secret in ["very_secret", "hunter2"] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{ran:?}");
    }
    let settings = ran.json()["settings"].as_array().unwrap().clone();
    let timeout = settings.iter().find(|setting| setting["key"] == "client.timeout").unwrap();
    assert_eq!((&timeout["value"], &timeout["origin"]), (&json!("3s"), &json!("flag --timeout")));
}

#[test]
fn a_bad_variable_is_named_and_refused() {
    let ran = exeat_with(&[("POLICY_ENFORCEMENT_MODE", "enforced")], &["config", "show"]).exits(2);
    assert!(ran.stderr.contains("POLICY_ENFORCEMENT_MODE"), "{ran:?}");
    assert!(ran.stdout.contains("enforced"), "it is shown all the same");
}

#[test]
fn version_completions_and_manual_pages() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(exeat(&["version"]).exits(0).stdout, format!("exeat {version}\n"));
    assert_eq!(exeat(&["version", "--json"]).exits(0).json()["version"], version);
    assert_eq!(exeat(&["--version"]).exits(0).stdout, format!("exeat {version}\n"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(exeat(&["completions", shell]).exits(0).stdout.contains("approvals"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("man1");
    exeat(&["man", "--out", out.to_str().unwrap()]).exits(0);
    assert!(std::fs::read_to_string(out.join("exeat-approvals-approve.1")).unwrap().contains("approve"));
}
