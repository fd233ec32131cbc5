//! The clients that no machine has by itself, installed once beside the build, from the registries they are published
//! in.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What is installed; another list is another directory.
const PYTHON: [&str; 4] = ["requests==2.*", "PySocks==1.*", "websockets>=15,<18", "grpcio==1.*"];
const NODE: [&str; 1] = ["undici@6"];
const VERSION: &str = "2";

/// Beside the build of the running test: `<target>/<profile>/deps/<test>`.
fn dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).expect("a test lies three levels below the target directory");
    target.join(format!("wayout-clients-{VERSION}"))
}

/// Installs what is missing; only outside the networks of a test, which lead nowhere.
pub fn prepare() {
    let dir = dir();
    fs::create_dir_all(&dir).unwrap();
    // One of the test processes does it, the others wait.
    let lock = File::create(dir.join("lock")).unwrap();
    lock.lock().unwrap();
    for (needed, package) in [
        ("curl", "curl"),
        ("wget", "wget"),
        ("python3", "python3"),
        ("node", "nodejs"),
        ("npm", "npm"),
        ("git", "git"),
        ("cargo", "cargo"),
    ] {
        let found = Command::new(needed).arg("--version").output().is_ok_and(|output| output.status.success());
        assert!(found, "the test needs `{needed}` (package {package})");
    }
    once(&dir, "python", |dir| {
        run("python3", &["-m", "venv", dir.join("venv").to_str().unwrap()], dir);
        let pip = dir.join("venv/bin/pip");
        let arguments = [&["install", "--quiet", "--disable-pip-version-check"][..], &PYTHON].concat();
        run(pip.to_str().unwrap(), &arguments, dir);
    });
    once(&dir, "node", |dir| {
        let arguments = [&["install", "--silent", "--no-audit", "--no-fund", "--prefix", "."][..], &NODE].concat();
        run("npm", &arguments, dir);
    });
}

fn once(dir: &Path, what: &str, install: impl FnOnce(&Path)) {
    let done = dir.join(format!("{what}.done"));
    if !done.exists() {
        install(dir);
        File::create(done).unwrap();
    }
}

fn run(program: &str, arguments: &[&str], dir: &Path) {
    let output: Output = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{program} {arguments:?} installs the clients that are tested: {said}");
}

/// Where clients are looked for: what was installed first.
pub fn path() -> String {
    let cargo = std::env::var_os("CARGO").map(PathBuf::from).and_then(|cargo| cargo.parent().map(Path::to_owned));
    let cargo = cargo.map(|dir| format!("{}:", dir.display())).unwrap_or_default();
    format!("{}:{cargo}{}", dir().join("venv/bin").display(), std::env::var("PATH").unwrap())
}

pub fn node_modules() -> PathBuf {
    dir().join("node_modules")
}
