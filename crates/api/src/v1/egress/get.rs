//! One egress request. An agent sees its own only.

use model::EgressRequestId;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::EgressRequestAnswer;

/// One egress request. An agent sees its own only.
#[utoipa::path(
    get,
    path = "/v1/egress/requests/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = EgressRequestAnswer), (status = 404, description = "`egress_request_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let row = match call.id::<EgressRequestId>() {
        Some(id) => call.store().egress_request(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    let row = row
        .filter(|row| call.sees(row.requested_by_principal_id.as_ref()))
        .ok_or_else(|| Problem::not_found("egress_request_not_found", "there is no such egress request"))?;
    ok(&EgressRequestAnswer::from(row))
}
