//! Principals: who is accountable. Made on purpose, made for a name that older callers use, revoked.

mod create;
mod ensure;
mod revoke;

use model::event::{EventContext, EventType};
use model::{Actor, ActorType};
use store::Tx;
use store::rows::PrincipalRow;

use crate::Refusal;
use crate::change::Facts;
use crate::wording;

pub use create::{CreatePrincipalInput, CreatePrincipalOutput};
pub use ensure::{EnsurePrincipalInput, EnsurePrincipalOutput, PrincipalView};
pub use revoke::RevokePrincipalOutput;

/// Reads the name of an actor.
///
/// # Errors
/// 400 `invalid_actor_type`, `invalid_actor_id`, at the fields named.
fn actor(kind: Option<&str>, id: Option<&str>, fields: [&str; 2]) -> Result<Actor, Refusal> {
    let [kind_field, id_field] = fields;
    let kind = kind
        .and_then(|text| ActorType::parse(text.trim()))
        .ok_or_else(|| Refusal::invalid("invalid_actor_type", "one of `service`, `user`, `agent`").at(kind_field))?;
    let id = wording::name(id).ok_or_else(|| {
        Refusal::invalid("invalid_actor_id", "1 to 200 bytes without control characters").at(id_field)
    })?;
    Ok(Actor::new(kind, id))
}

/// Records that a principal was made on purpose.
pub(crate) fn record_created(tx: &mut Tx<'_>, context: &EventContext, row: &PrincipalRow) {
    Facts::new()
        .with("principal_id", &row.principal_id)
        .with("principal_type", row.principal_type)
        .maybe("legacy_actor_type", row.legacy_actor_type)
        .maybe("legacy_actor_id", row.legacy_actor_id.as_ref())
        .record(tx, context, EventType::PrincipalCreated);
}
