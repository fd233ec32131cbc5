//! The ground a test stands on: namespaces of its own, so that what a probe does to "the machine" is gone with the test.
//!
//! In them `/run` is empty but for what the test puts there, names are looked up at the sentinel, and the folders that
//! the system runs things from are copies.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::network::FAR;

/// Who runs something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// The caller of the test, who is root of the ground.
    Root,
    /// Somebody without any privilege.
    Nobody,
}

/// The user and group of [`As::Nobody`]: another one for each test, because what a user may have is counted for all of
/// his processes together.
pub fn nobody() -> u32 {
    60_000 + std::process::id() % 5_000
}

/// Said to the copy of a test that runs inside.
const INSIDE: &str = "EXEAT_TEST_INSIDE";

/// Where the system looks for what it is to run, replaced for a test; the second part is the folder in it.
const DROPS: [(&str, &str); 4] =
    [("/etc/cron.d", ""), ("/etc/profile.d", ""), ("/var/spool", "cron/crontabs"), ("/etc/systemd", "system")];

impl As {
    /// Everyone that a test can be: without root outside there is nobody else to become.
    pub fn all() -> &'static [Self] {
        if is_root() { &[Self::Root, Self::Nobody] } else { &[Self::Root] }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Root if is_root() => "root",
            Self::Root => "user, as root of a namespace",
            Self::Nobody => "user",
        }
    }

    /// A command run by this one.
    pub fn command(self, program: &Path) -> Command {
        match self {
            Self::Root => Command::new(program),
            Self::Nobody => {
                let mut command = Command::new("setpriv");
                let user = nobody().to_string();
                command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]).arg(program);
                command
            }
        }
    }

    /// Makes a file or folder this one's.
    pub fn own(self, path: &Path) {
        if self == Self::Nobody {
            chown(path, Some(nobody()), Some(nobody())).unwrap();
        }
    }
}

/// Whether the test is run by root of the whole machine, not of a user namespace.
pub fn is_root() -> bool {
    let maps = fs::read_to_string("/proc/self/uid_map").unwrap();
    rustix::process::geteuid().is_root() && maps.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Runs the test named `name` of the calling module again on ground of its own; there, runs `body`.
pub fn inside(module: &str, name: &str, body: impl FnOnce(&Ground)) {
    if std::env::var_os(INSIDE).is_some() {
        return body(&Ground::lay());
    }
    let path = module.split_once("::").map_or(name.to_owned(), |(_, module)| format!("{module}::{name}"));
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--mount", "--ipc", "--"]).arg(std::env::current_exe().unwrap());
    command.args([&path, "--exact", "--nocapture", "--include-ignored"]).env(INSIDE, "1").stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("the test needs `unshare` (util-linux): {error}"));
    let (said, talked) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    eprintln!("{talked}");
    assert!(
        !talked.contains("unshare:"),
        "the test needs namespaces of its own: it must run as root, or where user namespaces are allowed"
    );
    assert!(output.status.success(), "inside: {}", output.status);
    assert!(said.contains("1 passed"), "`{path}` names a test");
}

/// Folders of a test; all are seen by everybody.
pub struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn lay() -> Self {
        let folder = tempfile::Builder::new().prefix("exeat-guard-").tempdir().unwrap();
        open(folder.path());
        let ground = Self { folder };
        mount(&["-t", "tmpfs", "-o", "mode=755", "none", "/run"]);
        fs::create_dir("/run/dbus").unwrap();
        // Programs of the machine that are no part of the system: every call sees them.
        mount(&["-t", "tmpfs", "-o", "mode=755", "none", "/opt"]);
        let names = ground.path("resolv.conf");
        fs::write(&names, format!("nameserver {FAR}\noptions timeout:1 attempts:1\n")).unwrap();
        open(&names);
        let resolved = fs::canonicalize("/etc/resolv.conf");
        mount(&["--bind", names.to_str().unwrap(), resolved.unwrap().to_str().unwrap()]);
        for (folder, within) in DROPS {
            if Path::new(folder).is_dir() {
                let copy = ground.make(&format!("in-place-of{}", folder.replace('/', "-")));
                fs::create_dir_all(copy.join(within)).unwrap();
                fs::set_permissions(copy.join(within), fs::Permissions::from_mode(0o777)).unwrap();
                mount(&["--bind", copy.to_str().unwrap(), folder]);
            }
        }
        ground
    }

    /// What a probe left where the system would run it.
    pub fn droppings(&self) -> Vec<PathBuf> {
        let places = DROPS.iter().map(|(folder, within)| Path::new(folder).join(within));
        let entries = places.filter_map(|place| fs::read_dir(place).ok()).flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().contains("exeat-probe-dropping")).collect()
    }

    /// A place on the ground.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a folder that everybody may look into.
    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        open(&path);
        path
    }

    /// Makes a folder that belongs to `who`.
    pub fn make_for(&self, name: &str, who: As) -> PathBuf {
        let path = self.make(name);
        who.own(&path);
        path
    }
}

/// Lets everybody see a file or folder.
pub fn open(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn mount(arguments: &[&str]) {
    let output = Command::new("mount").args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("the test needs `mount`: {error}"));
    assert!(output.status.success(), "mount {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
