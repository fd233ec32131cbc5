//! One principal.

use model::PrincipalId;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::PrincipalAnswer;

/// One principal.
#[utoipa::path(
    get,
    path = "/v1/principals/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = PrincipalAnswer), (status = 404, description = "`principal_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let row = match call.id::<PrincipalId>() {
        Some(id) => call.store().principal(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    let row = row.ok_or_else(|| Problem::not_found("principal_not_found", "there is no such principal"))?;
    ok(&PrincipalAnswer::from(row))
}
