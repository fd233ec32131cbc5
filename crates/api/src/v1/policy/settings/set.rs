//! Changes the settings of the workspace.

use gate::settings::{SetSettingsInput, SettingsOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Changes the settings of the workspace.
#[utoipa::path(
    put,
    path = "/v1/policy/settings",
    request_body = SetSettingsInput,
    responses(
        (status = 200, body = SettingsOutput),
        (status = 400, description = "`invalid_request`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().set_settings(&call.caller, input).await?)
}
