//! One database per test, and a cluster that can be stopped, killed and started again with its data.

use testkit::postgres::{Database, Server, shared};

#[test]
fn gives_each_test_an_empty_database_of_its_own() {
    let (one, two) = (Database::create().unwrap(), Database::create().unwrap());
    one.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)").unwrap();
    assert_eq!(one.sql("SELECT sum(a), count(*) FROM t").unwrap(), "3|2");
    let refused = two.sql("SELECT * FROM t").expect_err("the table is in the other database");
    assert!(format!("{refused:#}").contains("does not exist"), "{refused:#}");
    assert!(one.url().starts_with("postgres://") && one.url().ends_with(one.name()));
}

#[test]
fn drops_the_database_in_use() {
    let database = Database::create().unwrap();
    let name = database.name().to_owned();
    let known =
        || shared().unwrap().sql("postgres", &format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"));
    assert_eq!(known().unwrap(), "1");
    drop(database);
    assert_eq!(known().unwrap(), "0");
}

#[test]
fn keeps_commits_durable() {
    let shared = shared().unwrap();
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(shared.sql("postgres", &format!("SHOW {setting}")).unwrap(), "on", "{setting}");
    }
}

#[test]
fn keeps_what_was_committed_over_restart_kill_and_stop() {
    let cluster = Server::own().unwrap();
    let database = Database::create_on(&cluster).unwrap();
    database.sql("CREATE TABLE t (a int)").unwrap();
    let mut expected = 0;
    let mut check_after = |what: &str, act: &dyn Fn()| {
        database.sql("INSERT INTO t VALUES (1)").unwrap();
        expected += 1;
        act();
        assert_eq!(database.sql("SELECT count(*) FROM t").unwrap(), expected.to_string(), "after {what}");
    };
    check_after("restart", &|| cluster.restart().unwrap());
    check_after("kill", &|| {
        cluster.kill().unwrap();
        database.sql("SELECT 1").expect_err("a killed server does not answer");
        cluster.start().unwrap();
    });
    check_after("stop", &|| {
        cluster.stop().unwrap();
        database.sql("SELECT 1").expect_err("a stopped server does not answer");
        cluster.stop().expect_err("a stopped server cannot be stopped");
        cluster.start().unwrap();
        cluster.start().expect_err("a running server cannot be started");
    });
}

#[test]
fn says_why_a_server_does_not_start() {
    let error = testkit::postgres::Cluster::create(&[("shared_buffers", "nonsense")]).expect_err("not a size");
    assert!(format!("{error:#}").contains("shared_buffers"), "{error:#}");
}

#[test]
fn removes_a_dropped_cluster() {
    let cluster = Server::own().unwrap();
    let (home, pid) = (cluster.socket_dir().to_owned(), cluster.pid().unwrap());
    assert!(home.join("data").exists());
    drop(cluster);
    assert!(!home.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
