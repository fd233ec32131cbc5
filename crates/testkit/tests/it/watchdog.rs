//! A killed test process leaves no server and no files behind.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::postgres::Server;

const CHILD_VARIABLE: &str = "EXEAT_TESTKIT_HOLDS_A_CLUSTER";

/// This test is also the process that is killed: started again by itself, it brings up a cluster, says where, and
/// waits to be killed.
#[test]
fn ends_the_cluster_of_a_killed_process() {
    if std::env::var_os(CHILD_VARIABLE).is_some() {
        let cluster = Server::own().unwrap();
        println!("\ncluster {} {}", cluster.pid().unwrap(), cluster.socket_dir().display());
        std::thread::sleep(Duration::from_secs(120));
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["watchdog::ends_the_cluster_of_a_killed_process", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD_VARIABLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let place = lines.map_while(Result::ok).find_map(|line| {
        let (pid, home) = line.strip_prefix("cluster ")?.split_once(' ')?;
        Some((pid.parse::<u32>().unwrap(), PathBuf::from(home)))
    });
    let (pid, home) = place.expect("the child says where its cluster is");
    let postmaster = PathBuf::from(format!("/proc/{pid}"));
    assert!(postmaster.exists() && home.exists(), "the cluster runs while its process does");

    child.kill().unwrap();
    child.wait().unwrap();

    let gone = |path: &Path| !path.exists();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !(gone(&postmaster) && gone(&home)) {
        assert!(Instant::now() < deadline, "still there after 20 s: {} or {}", postmaster.display(), home.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}
