//! What a client command works with.

use crate::client::{Client, Credentials, DevFile};
use crate::config::{ClientConfig, Environment, Places};
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

    /// The proxy of a running `exeat dev`, when it is its server that is talked to.
    #[must_use]
    pub fn dev_proxy(&self) -> Option<String> {
        let credentials = Credentials::find(&self.config, &self.environment).ok()?.0;
        let notes = Places::from_environment(&self.environment).dev_dirs().into_iter();
        let mut notes = notes.filter_map(|dir| DevFile::read(&dir).ok().flatten());
        notes.find(|note| note.url == credentials.url)?.proxy
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
