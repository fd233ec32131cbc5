//! Where a PostgreSQL listens, and the few statements a harness needs.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{Binaries, Cluster};

/// The role that tests connect as: the superuser of a throw-away cluster.
pub(super) const ROLE: &str = "postgres";

/// A reachable PostgreSQL; who runs it does not matter here.
#[derive(Debug, Clone)]
pub struct Server {
    base: String,
    binaries: Binaries,
}

impl Server {
    /// Starts a private cluster, for a test that stops, kills or restarts its server.
    ///
    /// # Errors
    /// As [`Cluster::create`].
    pub fn own() -> Result<Cluster> {
        Cluster::create(&[])
    }

    /// Uses a server that somebody else runs: `postgres://role@host:port` with or without a database, which is
    /// ignored.
    ///
    /// # Errors
    /// When the URL has no such form, or nothing answers there.
    pub fn attach(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.with_context(|| format!("`{url}` does not start with postgres://"))?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        ensure!(!authority.is_empty(), "`{url}` names no server");
        let server = Self { base: format!("postgres://{authority}"), binaries: Binaries::find()? };
        server.sql("postgres", "SELECT 1")?;
        Ok(server)
    }

    pub(super) fn at_port(port: u16, binaries: Binaries) -> Self {
        Self { base: format!("postgres://{ROLE}@127.0.0.1:{port}"), binaries }
    }

    /// The URL of one database on this server.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Runs statements in a database with `psql`, each on its own; returns the rows as unaligned text, `|` between
    /// columns.
    ///
    /// # Errors
    /// What `psql` said, with the statements that failed.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let output = Command::new(self.binaries.program("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--no-password"])
            .args(["--set=ON_ERROR_STOP=1", "--dbname", &self.url(database), "--command", statements])
            .stdin(Stdio::null())
            .output()
            .context("running psql")?;
        if !output.status.success() {
            bail!("psql failed on `{statements}`: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// The programs of this server's version.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }
}
