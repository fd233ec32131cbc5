//! The peers, as Debian packages them: fetched once, unpacked beside the build, never installed.
//!
//! So nothing of the system changes and no daemon is started by a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{output, workspace_root};

/// The programs, and those libraries of Squid's that a small system lacks.
const PACKAGES: [&str; 9] = [
    "squid",
    "squid-common",
    "squid-langpack",
    "libecap3",
    "libltdl7",
    "libnfnetlink0",
    "libnetfilter-conntrack3",
    "libtdb1",
    "tinyproxy-bin",
];

/// Where the unpacked programs are.
#[derive(Debug, Clone)]
pub(super) struct Packages {
    root: PathBuf,
}

impl Packages {
    /// Fetches and unpacks what is not there yet.
    pub(super) fn get() -> Result<Self> {
        let place = workspace_root().join("target/proxy-peers");
        let packages = Self { root: place.join("root") };
        if !packages.squid().exists() || !packages.tinyproxy().exists() {
            fetch(&place, &packages.root).with_context(|| {
                format!("the peers are the Debian packages {}; `apt-get update` may help", PACKAGES.join(", "))
            })?;
        }
        for program in [packages.squid(), packages.tinyproxy()] {
            let version = output(packages.command(&program).arg("-v"))
                .with_context(|| format!("{} does not run here; is a library missing?", program.display()))?;
            ensure!(version.contains(' '), "{} tells no version", program.display());
        }
        Ok(packages)
    }

    pub(super) fn squid(&self) -> PathBuf {
        self.root.join("usr/sbin/squid")
    }

    pub(super) fn tinyproxy(&self) -> PathBuf {
        self.root.join("usr/bin/tinyproxy")
    }

    /// Where everything else of a package is, e.g. `usr/share/squid`.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A program from here, with the libraries from here.
    pub(super) fn command(&self, program: &Path) -> Command {
        let folders = std::fs::read_dir(self.root.join("usr/lib")).into_iter().flatten().flatten();
        let folders = folders.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
        let libraries: Vec<String> = folders.map(|path| path.display().to_string()).collect();
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
        command
    }

    /// The versions, for the record.
    pub(super) fn versions(&self) -> Result<Vec<String>> {
        [self.squid(), self.tinyproxy()]
            .iter()
            .map(|program| {
                let said = output(self.command(program).arg("-v"))?;
                Ok(said.lines().next().unwrap_or_default().to_owned())
            })
            .collect()
    }
}

fn fetch(place: &Path, root: &Path) -> Result<()> {
    std::fs::create_dir_all(root)?;
    let mut download = Command::new("apt-get");
    download.args(["download", "-q", "-o", "APT::Sandbox::User="]).args(PACKAGES).current_dir(place);
    output(&mut download)?;
    for package in PACKAGES {
        let start = format!("{package}_");
        let mut files = std::fs::read_dir(place)?.flatten().map(|entry| entry.path());
        let Some(file) = files.find(|path| is_package(path, &start)) else {
            bail!("`apt-get download {package}` left no package in {}", place.display());
        };
        output(Command::new("dpkg").arg("-x").arg(&file).arg(root))?;
    }
    Ok(())
}

fn is_package(path: &Path, start: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(start) && name.ends_with(".deb")
}
