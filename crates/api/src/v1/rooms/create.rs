//! Makes a room.

use gate::rooms::{CreateRoomInput, CreateRoomOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Makes a room.
#[utoipa::path(
    post,
    path = "/v1/rooms",
    request_body = CreateRoomInput,
    responses(
        (status = 201, body = CreateRoomOutput),
        (status = 400, description = "`missing_title`, `invalid_request`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.gate().create_room(&call.caller, input, once).await?)
}
