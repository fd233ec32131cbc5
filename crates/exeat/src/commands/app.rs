//! What a client command works with.

use crate::client::{Client, Credentials};
use crate::config::{ClientConfig, Environment};
use crate::failure::Failure;
use crate::output::Output;

/// The streams and the way to the server.
#[derive(Debug)]
pub struct App {
    /// The streams.
    pub output: Output,
    config: ClientConfig,
    environment: Environment,
}

impl App {
    /// From what was configured.
    #[must_use]
    pub fn new(output: Output, config: ClientConfig, environment: Environment) -> Self {
        Self { output, config, environment }
    }

    /// The variables the process was started with.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The client; says what is odd about the credentials.
    ///
    /// # Errors
    /// A key file that cannot be read.
    pub fn client(&self) -> Result<Client, Failure> {
        let (credentials, remarks) = Credentials::find(&self.config, &self.environment)?;
        for remark in remarks {
            self.output.warn(&remark);
        }
        let client = Client::new(credentials, self.config.timeout)?;
        self.output.detail(&format!("asking {}", client.base()));
        Ok(client)
    }
}
