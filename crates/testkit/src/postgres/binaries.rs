//! Finding the server's programs, or installing them by the name of their Debian package.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

const NEEDED: [&str; 3] = ["postgres", "initdb", "psql"];
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// The directory that holds `postgres`, `initdb` and `psql` of one version.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Finds the programs: on `PATH`, else the newest version in Debian's place, else installed with `apt-get` when
    /// this process is root.
    ///
    /// # Errors
    /// When they are missing and cannot be installed; the message says what was looked for and how to get it.
    pub fn find() -> Result<Self> {
        if let Some(found) = Self::present() {
            return Ok(found);
        }
        install()?;
        Self::present().with_context(|| missing("after installing the package `postgresql`"))
    }

    /// The full path of one program, e.g. `psql` or `pgbench`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn present() -> Option<Self> {
        let on_path = std::env::var_os("PATH")
            .map(|path| std::env::split_paths(&path).find(|dir| complete(dir)))
            .unwrap_or_default();
        on_path.or_else(newest_of_debian).map(|dir| Self { dir })
    }
}

fn complete(dir: &Path) -> bool {
    NEEDED.iter().all(|name| dir.join(name).is_file())
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN_ROOT).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let dir = entry.path().join("bin");
        complete(&dir).then_some((version, dir))
    });
    versions.max_by_key(|(version, _)| *version).map(|(_, dir)| dir)
}

fn install() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(missing("and only root may install it: `sudo apt-get install postgresql`"));
    }
    for args in [&["update"][..], &["install", "--yes", "--no-install-recommends", "postgresql"]] {
        let output = Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()
            .with_context(|| missing("and there is no `apt-get` to install it with"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}: {}", missing(&format!("and `apt-get {}` failed", args.join(" "))), said.trim());
        }
    }
    Ok(())
}

fn missing(circumstance: &str) -> String {
    format!(
        "PostgreSQL is missing: {} were not found together in a directory on PATH nor in {DEBIAN_ROOT}/*/bin, {circumstance}",
        NEEDED.map(|name| format!("`{name}`")).join(", ")
    )
}
