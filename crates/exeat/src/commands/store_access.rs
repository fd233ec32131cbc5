//! The store, for the commands that work on it directly.

use gate::InstallSecret;
use model::WorkspaceId;
use policy::Defaults;
use store::{DbError, Location, OpenError, Store, StoreConfig};

use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;

/// Where the configured store is.
pub(super) fn location(config: &Config) -> Result<Location, Failure> {
    Location::parse(config.database_url.expose()).map_err(|error| open_failure(&error))
}

/// What holds where a workspace has no settings of its own.
pub(super) fn defaults(config: &Config) -> Defaults {
    Defaults {
        mode: config.mode,
        kill_switch: config.kill_switch,
        egress_max_requests_per_hour: config.egress_max_requests_per_hour,
        trusted_upstreams: config.egress.trusted_upstreams.clone(),
    }
}

/// Opens the configured store; `migrate` brings an empty or older one up to date first.
pub(super) async fn open(config: &Config, migrate: bool) -> Result<Store, Failure> {
    let mut how = StoreConfig::new(location(config)?, defaults(config));
    how.migrate = migrate;
    Store::open(how).await.map_err(|error| open_failure(&error))
}

/// The install secret, the same for every process of the install.
pub(super) fn secret(config: &Config) -> Result<InstallSecret, Failure> {
    InstallSecret::load_or_create(&config.hmac_key_file).map_err(|error| {
        Failure::new(Exit::Failure, "install_secret", "the install secret cannot be used")
            .why(error.to_string())
            .next("name a file of mode 0600, the same on all replicas, in EXEAT_HMAC_KEY_FILE")
    })
}

/// What a store that cannot be opened means to whoever runs this.
pub(crate) fn open_failure(error: &OpenError) -> Failure {
    match error {
        OpenError::Url => Failure::usage("DATABASE_URL cannot be used").why(error.to_string()),
        OpenError::TooOld { .. } => {
            Failure::new(Exit::Failure, "schema_too_old", "the store is older than this program")
                .why(error.to_string())
                .next("exeat db migrate")
        }
        OpenError::TooNew { .. } => {
            Failure::new(Exit::Failure, "schema_too_new", "the store is newer than this program").why(error.to_string())
        }
        OpenError::Db(error) => db_failure(error),
    }
}

/// What a database error means to whoever runs this.
pub(crate) fn db_failure(error: &DbError) -> Failure {
    match error {
        DbError::Lost(why) => Failure::new(Exit::Unreachable, "store_unreachable", "the store cannot be reached")
            .why(why.clone())
            .next("check DATABASE_URL and that the database runs"),
        other => Failure::new(Exit::Failure, "store_failed", "the store cannot be used").why(other.to_string()),
    }
}

/// A workspace named on the command line.
pub(super) fn workspace(text: Option<&str>) -> Result<Option<WorkspaceId>, Failure> {
    text.map(|text| {
        WorkspaceId::parse(text).map_err(|error| Failure::usage("--workspace cannot be used").why(error.to_string()))
    })
    .transpose()
}
