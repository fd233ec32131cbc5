//! Which build answers.

use http::request::Parts;
use serde::Serialize;

use crate::api::Api;
use crate::call::ok;
use crate::problem::Reply;

/// Which build answers.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Version {
    /// The program.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// The commit it was built from, where known.
    commit: Option<&'static str>,
}

/// Says which build answers.
#[utoipa::path(get, path = "/version", responses((status = 200, body = Version)))]
pub(crate) async fn handle(api: Api, _parts: Parts) -> Reply {
    let build = api.build();
    ok(&Version { name: "exeat", version: build.version, commit: build.commit })
}
