//! Whether the process answers at all.

use http::StatusCode;
use http::request::Parts;

use crate::api::Api;
use crate::call::with_type;
use crate::problem::Reply;

/// Says that the process answers.
#[utoipa::path(get, path = "/livez", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn handle(_api: Api, _parts: Parts) -> Reply {
    Ok(with_type(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"))
}
