use std::path::Path;
use std::time::Duration;

use ::egress::upstream::Vetting;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    [("HOME", "/home/me")].iter().chain(variables).copied().collect()
}

fn layers(variables: &[(&str, &str)]) -> Result<Layers, ConfigError> {
    Layers::load(
        Vec::new(),
        &environment(variables),
        None,
        Path::new("/nowhere/exeat.toml"),
        Path::new("/nowhere/etc.toml"),
    )
}

fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_layers(&layers(variables)?)
}

fn told(error: ConfigError) -> String {
    crate::failure::Failure::from(error).to_text()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = config(&[]).unwrap();
    assert_eq!(config.database_url.expose(), "sqlite:/home/me/.local/share/exeat/exeat.db");
    assert_eq!(config.data_dir, Path::new("/home/me/.local/share/exeat"));
    assert_eq!(config.hmac_key_file, Path::new("/home/me/.local/share/exeat/hmac.key"));
    assert_eq!(config.exec.work_dir, Path::new("/home/me/.local/share/exeat/work"));
    assert_eq!((config.exec.work_kept.as_secs(), config.exec.tools_file), (3_600, None));
    assert_eq!(config.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(config.proxy_listen.to_string(), "127.0.0.1:7071");
    assert_eq!(config.mode, model::Mode::Shadow);
    assert!(!config.kill_switch);
    assert_eq!(config.egress_max_requests_per_hour, 0);
    assert_eq!(config.egress_hold, Duration::from_secs(8));
    assert_eq!(
        config.run_worker,
        RunWorkerConfig {
            embedded: true,
            poll: Duration::from_secs(1),
            batch_limit: 100,
            workspace_id: None,
            concurrency: 64,
            lease: Duration::from_secs(30),
        }
    );
    assert_eq!(config.log, LogConfig { filter: "info".to_owned(), format: LogFormat::Auto });
}

#[test]
fn every_variable_is_read() {
    let config = config(&[
        ("DATABASE_URL", "postgres://app:pw@db/exeat"),
        ("EXEAT_DATA_DIR", "/srv/exeat"),
        ("EXEAT_LISTEN", "[::1]:80"),
        ("EXEAT_PROXY_LISTEN", ":81"),
        ("POLICY_ENFORCEMENT_MODE", "  EnForce\n"),
        ("POLICY_KILL_SWITCH_EXTERNAL_WRITE", "ON"),
        ("EGRESS_MAX_REQUESTS_PER_HOUR", "50"),
        ("EXEAT_EGRESS_HOLD_SECONDS", "0"),
        ("RUN_WORKER_EMBEDDED", "no"),
        ("RUN_WORKER_POLL_MS", "250"),
        ("RUN_WORKER_BATCH_LIMIT", "7"),
        ("RUN_WORKER_WORKSPACE_ID", " ws_a "),
        ("RUN_WORKER_CONCURRENCY", "9"),
        ("RUN_WORKER_LEASE_SECONDS", "5"),
        ("EXEAT_DECISION_LOG_DAYS", "7"),
        ("EXEAT_HMAC_KEY_FILE", "/run/secret"),
        ("EXEAT_LOG", "warn,exeat=debug"),
        ("EXEAT_LOG_FORMAT", "JSON"),
    ])
    .unwrap();
    assert_eq!(config.database_url.expose(), "postgres://app:pw@db/exeat");
    assert_eq!(config.data_dir, Path::new("/srv/exeat"));
    assert_eq!(config.listen.to_string(), "[::1]:80");
    assert_eq!(config.proxy_listen.to_string(), "127.0.0.1:81");
    assert_eq!(config.mode, model::Mode::Enforce);
    assert_eq!(config.decision_log.as_secs(), 7 * 24 * 3_600);
    assert!(config.kill_switch);
    assert_eq!(config.egress_max_requests_per_hour, 50);
    assert_eq!(config.egress_hold, Duration::ZERO);
    assert_eq!(
        config.run_worker,
        RunWorkerConfig {
            embedded: false,
            poll: Duration::from_millis(250),
            batch_limit: 7,
            workspace_id: Some("ws_a".to_owned()),
            concurrency: 9,
            lease: Duration::from_secs(5),
        }
    );
    assert_eq!(config.hmac_key_file, Path::new("/run/secret"));
    assert_eq!(config.log, LogConfig { filter: "warn,exeat=debug".to_owned(), format: LogFormat::Json });
}

#[test]
fn the_way_out_is_read() {
    let plain = config(&[]).unwrap().egress;
    assert_eq!((plain.tls, plain.unix, plain.upstream), (None, None, None));
    assert!(!plain.danger_plain_non_loopback && plain.trusted_upstreams.is_empty() && plain.nameservers.is_empty());
    assert_eq!(plain.limits.connections_max, 20_000);
    assert_eq!(plain.limits.tunnels_per_principal_max, 1_000);
    assert_eq!((plain.limits.tunnels_per_second, plain.limits.bytes_per_hour), (0, 0));
    let set = config(&[
        ("EXEAT_PROXY_TLS_CERT", "/tls/cert.pem"),
        ("EXEAT_PROXY_TLS_KEY", "/tls/key.pem"),
        ("EXEAT_PROXY_DANGER_PLAIN_NON_LOOPBACK", "yes"),
        ("EXEAT_PROXY_UNIX", "/run/exeat.sock"),
        ("EXEAT_PROXY_PEERS", "1000=ws_a/p_coder"),
        ("EXEAT_PROXY_MAX_CONNECTIONS", "10"),
        ("EXEAT_PROXY_TUNNELS_PER_PRINCIPAL", "11"),
        ("EXEAT_PROXY_TUNNELS_PER_SECOND", "12"),
        ("EXEAT_PROXY_BYTES_PER_HOUR", "13"),
        ("EXEAT_TRUSTED_UPSTREAMS", "db.internal=10.0.0.0/8:5432,hello.test:80"),
        ("EXEAT_HOSTS", "hello.test:80=127.0.0.1:1"),
        ("EXEAT_DNS", "10.0.0.2"),
        ("EXEAT_NAT64_PREFIXES", "2001:db8:64::/96"),
        ("EXEAT_UPSTREAM_PROXY", "http://app:hunter2@proxy:3128"),
        ("EXEAT_UPSTREAM_PROXY_VETTING", "Delegated"),
        ("EXEAT_NO_PROXY", "localhost,.corp.example"),
    ])
    .unwrap()
    .egress;
    assert_eq!(set.tls.unwrap().key, Path::new("/tls/key.pem"));
    assert_eq!(set.unix.unwrap().peers.len(), 1);
    assert_eq!((set.trusted_upstreams.len(), set.hosts.len(), set.nat64_prefixes.len()), (2, 1, 1));
    assert_eq!((set.limits.connections_max, set.limits.tunnels_per_principal_max), (10, 11));
    assert_eq!((set.limits.tunnels_per_second, set.limits.bytes_per_hour), (12, 13));
    let upstream = set.upstream.unwrap();
    assert_eq!(
        (upstream.vetting, upstream.url.to_string().as_str()),
        (Vetting::Delegated, "http://app:***@proxy:3128")
    );
    assert!(upstream.no_proxy.matches("a.corp.example", 443));
    // Shown, it has no password.
    let shown = layers(&[("EXEAT_UPSTREAM_PROXY", "http://app:hunter2@proxy:3128")]).unwrap().entries();
    assert!(shown.iter().all(|entry| !entry.value.as_deref().unwrap_or_default().contains("hunter2")));
}

#[test]
fn what_says_nothing_alone_names_what_is_missing() {
    for (given, value, missing) in [
        ("EXEAT_PROXY_TLS_CERT", "/c", "EXEAT_PROXY_TLS_KEY"),
        ("EXEAT_PROXY_TLS_KEY", "/k", "EXEAT_PROXY_TLS_CERT"),
        ("EXEAT_PROXY_UNIX", "/s", "EXEAT_PROXY_PEERS"),
        ("EXEAT_PROXY_PEERS", "1=p_a", "EXEAT_PROXY_UNIX"),
    ] {
        let told = told(config(&[(given, value)]).unwrap_err());
        assert!(told.contains(given) && told.contains(missing), "{told}");
    }
}

#[test]
fn lists_are_lists_in_a_file() {
    let text = "dns = ['10.0.0.2', '10.0.0.3']\n[upstream_proxy]\nno_proxy = ['a', 'b']\n\
                [[trusted_upstreams]]\nhost = 'db.internal'\nnet = '10.0.0.0/8'\nport = 5432\n\
                [[trusted_upstreams]]\nhost = 'six'\nnet = 'fd00::1'\nport = 80\n\
                [[trusted_upstreams]]\nhost = 'seven'\nnet = 'fd00::1'\n";
    let config = Config::from_layers(&from_file(text).unwrap()).unwrap().egress;
    assert_eq!(config.nameservers.len(), 2);
    let told: Vec<String> = config
        .trusted_upstreams
        .iter()
        .map(|each| format!("{} {} {:?}", each.host, each.net.unwrap(), each.port))
        .collect();
    assert_eq!(told, ["db.internal 10.0.0.0/8 Some(5432)", "six fd00::1/128 Some(80)", "seven fd00::1/128 None"]);
    for bad in [
        "dns = [1]",
        "dns = ['10.0.0.2,10.0.0.3']",
        "[[trusted_upstreams]]\nnet = '10.0.0.0/8'",
        "[[trusted_upstreams]]\nhost = 'a'\nnets = '10.0.0.0/8'",
        "[[hosts]]\nname = 'a'",
        "mode = ['enforce']",
    ] {
        assert!(matches!(from_file(bad), Err(ConfigError::Invalid { .. })), "{bad}");
    }
}

#[test]
fn an_unreadable_value_refuses_and_names_its_variable() {
    let cases = [
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", ""),
        ("EXEAT_DATA_DIR", ""),
        ("EXEAT_LISTEN", "7070"),
        ("EXEAT_LISTEN", "example.com:1"),
        ("EXEAT_PROXY_LISTEN", "127.0.0.1:70000"),
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", ""),
        ("POLICY_ENFORCEMENT_MODE", "enforced"),
        ("POLICY_ENFORCEMENT_MODE", ""),
        ("POLICY_KILL_SWITCH_EXTERNAL_WRITE", "maybe"),
        ("EGRESS_MAX_REQUESTS_PER_HOUR", "-1"),
        ("EGRESS_MAX_REQUESTS_PER_HOUR", "1e3"),
        ("EXEAT_EGRESS_HOLD_SECONDS", "8s"),
        ("RUN_WORKER_EMBEDDED", "2"),
        ("RUN_WORKER_POLL_MS", "0"),
        ("RUN_WORKER_BATCH_LIMIT", "0"),
        ("RUN_WORKER_CONCURRENCY", "0"),
        ("RUN_WORKER_LEASE_SECONDS", "0.5"),
        ("EXEAT_DECISION_LOG_DAYS", "0"),
        ("EXEAT_HMAC_KEY_FILE", " "),
        ("EXEAT_PROXY_TLS_CERT", ""),
        ("EXEAT_PROXY_DANGER_PLAIN_NON_LOOPBACK", "perhaps"),
        ("EXEAT_PROXY_PEERS", "root=p_a"),
        ("EXEAT_PROXY_MAX_CONNECTIONS", "0"),
        ("EXEAT_PROXY_TUNNELS_PER_PRINCIPAL", "0"),
        ("EXEAT_PROXY_TUNNELS_PER_SECOND", "-1"),
        ("EXEAT_PROXY_BYTES_PER_HOUR", "1G"),
        ("EXEAT_TRUSTED_UPSTREAMS", "10.0.0.0/8"),
        ("EXEAT_HOSTS", "hello.test=127.0.0.1:1"),
        ("EXEAT_DNS", "ns.example"),
        ("EXEAT_NAT64_PREFIXES", "64:ff9b::/95"),
        ("EXEAT_UPSTREAM_PROXY", "proxy:3128"),
        ("EXEAT_UPSTREAM_PROXY_VETTING", "none"),
        ("EXEAT_NO_PROXY", "a b"),
        ("EXEAT_LOG", "exeat=loud"),
        ("EXEAT_LOG_FORMAT", "xml"),
    ];
    for (variable, value) in cases {
        match config(&[(variable, value)]) {
            Ok(_) => panic!("{variable}={value} was taken"),
            Err(error) => assert!(told(error).contains(variable), "{variable}={value}"),
        }
    }
}

#[test]
fn a_bad_database_address_is_not_shown() {
    let error = config(&[("DATABASE_URL", "mysql://root:hunter2@db/x")]).unwrap_err();
    assert!(!told(error).contains("hunter2"));
}

#[test]
fn port_replaces_the_first_port_and_keeps_the_host() {
    let at = |variables: &[(&str, &str)]| config(variables).unwrap().listen.to_string();
    assert_eq!(at(&[("PORT", "8080")]), "127.0.0.1:8080");
    assert_eq!(at(&[("PORT", "8080"), ("EXEAT_LISTEN", "0.0.0.0:1")]), "0.0.0.0:8080");
}

#[test]
fn a_variable_that_is_not_text_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let environment: Environment = [("EXEAT_LISTEN", std::ffi::OsStr::from_bytes(b"\xff"))].into_iter().collect();
    let error = Layers::load(Vec::new(), &environment, None, Path::new("/nowhere"), Path::new("/nowhere")).unwrap_err();
    assert!(matches!(error, ConfigError::NotText { variable } if variable == "EXEAT_LISTEN"));
}

#[test]
fn without_a_home_the_data_directory_must_be_named() {
    let nothing: Environment = std::iter::empty::<(&str, &str)>().collect();
    let layers = Layers::load(Vec::new(), &nothing, None, Path::new("/nowhere"), Path::new("/nowhere")).unwrap();
    assert!(told(Config::from_layers(&layers).unwrap_err()).contains("EXEAT_DATA_DIR"));
}

#[test]
fn each_layer_wins_over_the_next_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (project, user, system) =
        (dir.path().join("exeat.toml"), dir.path().join("exeat/config.toml"), dir.path().join("etc.toml"));
    std::fs::create_dir(dir.path().join("exeat")).unwrap();
    let variables: Environment =
        [("HOME", "/home/me"), ("XDG_CONFIG_HOME", dir.path().to_str().unwrap())].into_iter().collect();
    let with_variable: Environment =
        [("HOME", "/home/me"), ("XDG_CONFIG_HOME", dir.path().to_str().unwrap()), ("EXEAT_LISTEN", "127.0.0.1:4")]
            .into_iter()
            .collect();
    let listen = |flags: Flags, environment: &Environment| {
        let layers = Layers::load(flags, environment, None, &project, &system).unwrap();
        let entry = layers.entries().into_iter().find(|entry| entry.key == "listen").unwrap();
        (entry.value.unwrap(), entry.origin)
    };
    let file = |path: &Path| Origin::File { path: path.to_owned(), key: "listen" };

    assert_eq!(listen(vec![], &variables), ("127.0.0.1:7070".to_owned(), Origin::Default));
    std::fs::write(&system, "listen = '127.0.0.1:1'\n").unwrap();
    assert_eq!(listen(vec![], &variables), ("127.0.0.1:1".to_owned(), file(&system)));
    std::fs::write(&user, "listen = '127.0.0.1:2'\n").unwrap();
    assert_eq!(listen(vec![], &variables), ("127.0.0.1:2".to_owned(), file(&user)));
    std::fs::write(&project, "listen = '127.0.0.1:3'\n").unwrap();
    assert_eq!(listen(vec![], &variables), ("127.0.0.1:3".to_owned(), file(&project)));
    assert_eq!(listen(vec![], &with_variable), ("127.0.0.1:4".to_owned(), Origin::Variable("EXEAT_LISTEN")));
    let flag = vec![(Key::Listen, "--listen", "127.0.0.1:5".to_owned())];
    assert_eq!(listen(flag, &with_variable), ("127.0.0.1:5".to_owned(), Origin::Flag("--listen")));
}

fn from_file(text: &str) -> Result<Layers, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("named.toml");
    std::fs::write(&path, text).unwrap();
    Layers::load(Vec::new(), &environment(&[]), Some(&path), Path::new("/nowhere"), Path::new("/nowhere"))
}

#[test]
fn tables_numbers_and_booleans_are_read() {
    let layers =
        from_file("mode = 'enforce'\n[egress]\nmax_requests_per_hour = 9\n[worker]\nembedded = false\n").unwrap();
    let config = Config::from_layers(&layers).unwrap();
    assert_eq!(
        (config.mode, config.egress_max_requests_per_hour, config.run_worker.embedded),
        (model::Mode::Enforce, 9, false)
    );
}

#[test]
fn an_unknown_key_is_an_error_with_the_nearest_one() {
    let cases = [
        ("listn = 1", Some("listen")),
        ("egress.hold_second = 1", Some("egress.hold_seconds")),
        ("hold_seconds = 1", Some("egress.hold_seconds")),
        ("POLICY_ENFORCEMENT_MODE = 'x'", Some("mode")),
        ("[wroker]\npoll_ms = 1", Some("worker")),
        ("bananas = 1", None),
    ];
    for (text, expected) in cases {
        match from_file(text) {
            Err(ConfigError::UnknownKey { suggestion, .. }) => assert_eq!(suggestion, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn broken_files_are_named_with_the_line() {
    assert!(told(from_file("listen = 'x'\nmode = ").unwrap_err()).contains("line 2"));
    assert!(told(from_file("listen = [1]").unwrap_err()).contains("array"));
    let missing = Layers::load(
        Vec::new(),
        &environment(&[]),
        Some(Path::new("/nowhere/x.toml")),
        Path::new("/nowhere"),
        Path::new("/nowhere"),
    )
    .unwrap_err();
    assert!(told(missing).contains("/nowhere/x.toml"));
}

#[test]
fn a_project_cannot_choose_the_server_or_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("exeat.toml");
    for text in ["client.url = 'http://elsewhere.test'", "client.key_file = '/x'"] {
        std::fs::write(&project, text).unwrap();
        let error = Layers::load(Vec::new(), &environment(&[]), None, &project, Path::new("/nowhere")).unwrap_err();
        assert!(matches!(error, ConfigError::NotInProject { .. }), "{text}");
    }
    std::fs::write(&project, "client.workspace = 'ws_team'").unwrap();
    let layers = Layers::load(Vec::new(), &environment(&[]), None, &project, Path::new("/nowhere")).unwrap();
    assert_eq!(ClientConfig::from_layers(&layers).unwrap().workspace.as_deref(), Some("ws_team"));
}

#[test]
fn a_client_is_not_stopped_by_a_servers_variable() {
    let layers = layers(&[
        ("POLICY_ENFORCEMENT_MODE", "bad"),
        ("EXEAT_URL", "https://gate.test/base/"),
        ("EXEAT_TIMEOUT", "2s"),
    ])
    .unwrap();
    assert!(Config::from_layers(&layers).is_err());
    let client = ClientConfig::from_layers(&layers).unwrap();
    assert_eq!(client.url.as_deref(), Some("https://gate.test/base"));
    assert_eq!(client.timeout, Duration::from_secs(2));
}

#[test]
fn a_servers_address_holds_no_credentials() {
    for url in ["ftp://x", "gate", "http://u:p@gate", "http://gate?key=1", "http://gate#k", ""] {
        let layers = layers(&[("EXEAT_URL", url)]).unwrap();
        assert!(ClientConfig::from_layers(&layers).is_err(), "{url}");
    }
}

#[test]
fn the_store_address_may_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    std::fs::write(&path, "postgres://app:pw@db/exeat\n").unwrap();
    let config = config(&[("DATABASE_URL_FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(config.database_url.expose(), "postgres://app:pw@db/exeat");
}
