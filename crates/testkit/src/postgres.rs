//! A real PostgreSQL for tests: one throw-away cluster for all of them, one fresh database for each.
//!
//! `fsync` stays on, because what is tested is that nothing acknowledged is lost. The programs of the server are found
//! on `PATH` or where Debian puts them, and installed by name where that is possible (root and `apt-get`).

mod binaries;
mod cluster;
mod database;
mod server;

pub use binaries::Binaries;
pub use cluster::Cluster;
pub use database::Database;
pub use server::Server;

use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};

/// Names the server that tests share: set by the test command, which starts one cluster for all test processes.
pub const URL_VARIABLE: &str = "EXEAT_TEST_POSTGRES_URL";

/// The server that all tests of this process share.
///
/// It is the one named by [`URL_VARIABLE`], else a cluster started on first use that ends with this process. Never
/// stop or configure it; a test that must do so uses [`Server::own`].
///
/// # Errors
/// When no server can be reached or started; the first failure is repeated for every caller.
pub fn shared() -> Result<&'static Server> {
    enum Shared {
        Attached(Server),
        Started(Cluster),
    }
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let started = match std::env::var(URL_VARIABLE) {
            Ok(url) => Server::attach(&url).map(Shared::Attached).with_context(|| format!("using {URL_VARIABLE}")),
            Err(_) => Cluster::create(&[]).map(Shared::Started),
        };
        started.map_err(|error| format!("{error:#}"))
    });
    match shared {
        Ok(Shared::Attached(server)) => Ok(server),
        Ok(Shared::Started(cluster)) => Ok(cluster),
        Err(message) => Err(anyhow!("no PostgreSQL for tests: {message}")),
    }
}
