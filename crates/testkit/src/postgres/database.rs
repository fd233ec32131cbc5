//! One fresh database per test.

use anyhow::Result;

use super::{Server, shared};

/// An empty database with a name of its own; dropped, connections and all, with this value as far as possible.
///
/// Whatever a killed test leaves behind goes with the throw-away cluster.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    /// Creates a database on the [`shared`] server.
    ///
    /// # Errors
    /// When the server cannot be brought up or refuses.
    pub fn create() -> Result<Self> {
        Self::create_on(shared()?)
    }

    /// Creates a database on the given server.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_on(server: &Server) -> Result<Self> {
        let name = format!("t_{:016x}", rand::random::<u64>());
        server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))?;
        Ok(Self { server: server.clone(), name })
    }

    /// The database as a `DATABASE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements in it, as [`Server::sql`].
    ///
    /// # Errors
    /// What the server said.
    pub fn sql(&self, statements: &str) -> Result<String> {
        self.server.sql(&self.name, statements)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Best effort: a server that was stopped by its test takes the database with it.
        let _dropped = self.server.sql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}
