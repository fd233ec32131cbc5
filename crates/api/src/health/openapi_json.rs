//! The OpenAPI document.

use http::StatusCode;
use http::request::Parts;

use crate::api::Api;
use crate::call::with_type;
use crate::openapi;
use crate::problem::Reply;

/// Describes this API (OpenAPI 3.1).
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, body = Object)))]
pub(crate) async fn handle(_api: Api, _parts: Parts) -> Reply {
    Ok(with_type(StatusCode::OK, "application/json", openapi::text()))
}
