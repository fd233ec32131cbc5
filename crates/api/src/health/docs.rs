//! The documentation page.

use http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::api::Api;
use crate::call::with_type;
use crate::docs;
use crate::problem::Reply;

/// Describes this API to a reader: one page that loads nothing.
#[utoipa::path(get, path = "/docs", responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn handle(_api: Api, _parts: Parts) -> Reply {
    let mut response = with_type(StatusCode::OK, "text/html; charset=utf-8", docs::page());
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(docs::content_security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
