//! What surrounds a probe of one user: a folder that is given to it, a neighbour's that is not, a process of his.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::{Sentinel, near};
use crate::ground::{As, Ground};
use crate::network::NEAR;
use crate::programs::Programs;
use crate::victim::Victim;

pub struct Scene {
    pub who: As,
    /// The folder that a probe is given.
    pub workspace: PathBuf,
    /// A neighbour's folder, the same user's.
    pub outside: PathBuf,
    /// Where the user is at home.
    pub home: PathBuf,
    pub probes: PathBuf,
    /// A folder of the user's that has nothing in it.
    pub nothing: PathBuf,
    names: String,
    key: u32,
    victim: Mutex<Victim>,
    log: super::Log,
}

impl Scene {
    pub fn set(sentinel: &Sentinel, ground: &Ground, programs: &Programs, who: As) -> Self {
        let folder = if who == As::Root { "root" } else { "nobody" };
        ground.make_for(folder, who);
        let make = |name: &str| ground.make_for(&format!("{folder}/{name}"), who);
        let (workspace, outside, home) = (make("work"), make("outside"), make("home"));
        let nothing = make("nothing");
        make("home/.config");
        make("home/.ssh");
        for secret in [outside.join("secret"), home.join(".ssh/id_ed25519")] {
            fs::write(&secret, "a secret of the neighbour\n").unwrap();
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
            who.own(&secret);
        }
        let key = std::process::id() << 1 | u32::from(who == As::Root);
        let names = format!("exeat-probe-{key}");
        let log = sentinel.log.clone();
        near::path(&log, &workspace.join("host.sock"), "unix workspace");
        near::path(&log, &outside.join("agent.sock"), "unix agent");
        near::datagrams(&log, &workspace.join("log.sock"));
        near::giver(&log, &workspace.join("giver.sock"));
        near::abstract_name(&log, &names);
        let victim = Mutex::new(Victim::start(&programs.folder.join("victim"), &outside, &names, key, who));
        Self { who, workspace, outside, home, probes: programs.folder.clone(), nothing, names, key, victim, log }
    }

    /// What a probe is told.
    pub fn words(&self) -> Vec<String> {
        let victim = self.victim.lock().unwrap();
        let path = |name: &str, path: &Path| format!("{name}={}", path.display());
        vec![
            path("WORKSPACE", &self.workspace),
            path("OUTSIDE", &self.outside),
            path("HOST_HOME", &self.home),
            path("PROBES", &self.probes),
            format!("ABSTRACT={}", self.names),
            format!("SHARED={}", self.names),
            format!("SHM={}", self.key),
            format!("VICTIM={}", victim.pid()),
            format!("ADDRESS={}", victim.address),
            format!("NEAR={NEAR}"),
        ]
    }

    /// Runs something while a connection stands open that everything it starts inherits; what is written to it is heard.
    pub fn give_away<T>(&self, run: impl FnOnce() -> T) -> T {
        let (given, kept) = UnixStream::pair().unwrap();
        rustix::io::fcntl_setfd(given.as_fd(), rustix::io::FdFlags::empty()).unwrap();
        let result = run();
        drop(given);
        // What was left behind may hold it open.
        near::hear(&self.log, &kept, Duration::from_millis(60));
        result
    }

    /// What a probe did to files that it was not given.
    pub fn damage(&self, ground: &Ground) -> Vec<String> {
        let mut found: Vec<String> = ground.droppings().iter().map(|path| path.display().to_string()).collect();
        let secret = fs::read_to_string(self.outside.join("secret")).unwrap_or_default();
        if secret != "a secret of the neighbour\n" {
            found.push("the secret is not what it was".into());
        }
        for path in [
            self.outside.join("written"),
            self.home.join(".profile"),
            self.home.join(".config/exeat-probe-dropping.desktop"),
            self.workspace.join("fired"),
        ] {
            if path.exists() {
                found.push(path.display().to_string());
            }
        }
        if !self.victim.lock().unwrap().lives() {
            found.push("the victim is dead".into());
        }
        found
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_file(Path::new("/dev/shm").join(&self.names));
    }
}
