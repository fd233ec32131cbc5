//! A short-lived credential that is good for the proxy only.

use gate::NewProxyCredential;
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::call::{Call, json};
use crate::problem::Reply;

/// A credential for the proxy.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProxyCredentialAnswer {
    /// The credential: the password in `Proxy-Authorization: Basic`, or what stands behind `Bearer` there. Shown
    /// once.
    credential: String,
    /// The first moment it is no longer good.
    expires_at: String,
    /// Whom it asks as.
    principal_id: String,
    /// The run that everything asked with it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
}

/// Makes a short-lived credential that is good for the proxy only. It ends by the clock, and with the key that made
/// it, its principal and its run. It is kept nowhere, so that no idempotency key gives it again.
#[utoipa::path(
    post,
    path = "/v1/proxy/credentials",
    request_body = NewProxyCredential,
    responses(
        (status = 201, body = ProxyCredentialAnswer),
        (status = 400, description = "`invalid_request`"),
        (status = 403, description = "`identity_not_permitted`, `forbidden` with a capability token"),
        (status = 404, description = "`principal_not_found`, `run_not_found`, `step_not_found`"),
        (status = 409, description = "`principal_revoked`, `run_already_ended`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let new: NewProxyCredential = call.optional_body().await?;
    let made = call.gate().mint_proxy_credential(&call.caller, new).await?;
    json(
        StatusCode::CREATED,
        &ProxyCredentialAnswer {
            credential: made.credential.expose_secret().to_owned(),
            expires_at: made.expires_at.to_string(),
            principal_id: made.principal_id.to_string(),
            run_id: made.run_id.map(String::from),
        },
    )
}
