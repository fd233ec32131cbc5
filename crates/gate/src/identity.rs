//! Who asks: what a body says about its author is believed only from those who speak for others.

use model::{Actor, ActorType, PrincipalId, Zone};

use crate::{Caller, Refusal};

/// LIMIT: the longest actor name, in bytes.
const ACTOR_BYTES_MAX: usize = 200;

/// What a body claims.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Claims<'a> {
    pub(crate) actor_type: Option<&'a str>,
    pub(crate) actor_id: Option<&'a str>,
    pub(crate) principal_id: Option<&'a str>,
    pub(crate) zone: Option<&'a str>,
}

/// Who asks, after checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) actor: Actor,
    /// Missing only when a trusted caller names an actor and no principal.
    pub(crate) principal_id: Option<PrincipalId>,
    pub(crate) zone: Option<Zone>,
}

/// Checks the claims of a caller.
///
/// Where only a principal is named, the actor is the one that principal is known as; where nobody
/// is named, it is the caller itself.
///
/// # Errors
/// 400 `invalid_request` for a claim that cannot be read; 403 `identity_not_permitted` for an actor,
/// principal or zone that is not the caller's own.
pub(crate) fn identify(caller: &Caller, claims: Claims<'_>) -> Result<Identity, Refusal> {
    let actor = actor(claims)?;
    let principal_id = claims
        .principal_id
        .map(|text| PrincipalId::parse(text).map_err(|e| Refusal::invalid_field("/principal_id", e.to_string())))
        .transpose()?;
    let zone = claims
        .zone
        .map(|text| {
            Zone::parse(text.trim())
                .ok_or_else(|| Refusal::invalid_field("/zone", "must be one of: sandbox, supervised, high_stakes"))
        })
        .transpose()?;
    if caller.role.speaks_for_others() {
        return Ok(match (actor, principal_id) {
            (Some(actor), principal_id) => Identity { actor, principal_id, zone },
            (None, Some(principal)) => Identity {
                actor: caller.actor_of(&principal).unwrap_or_else(|| caller.actor()),
                principal_id: Some(principal),
                zone,
            },
            (None, None) => Identity { actor: caller.actor(), principal_id: Some(caller.principal_id.clone()), zone },
        });
    }
    let own = caller.actor();
    let not_permitted = |field| {
        Refusal::forbidden("identity_not_permitted", "this key asks only as its own principal, in zones it may use")
            .at(field)
    };
    if principal_id.is_some_and(|named| named != caller.principal_id) {
        return Err(not_permitted("/principal_id"));
    }
    if actor.is_some_and(|named| named != own) {
        return Err(not_permitted("/actor_id"));
    }
    // A caller that is no registered agent has nobody who vouched for more than the default.
    let zone_max = caller.zone_max().unwrap_or(Zone::Supervised);
    if zone.is_some_and(|named| named > zone_max) {
        return Err(not_permitted("/zone"));
    }
    // Without a zone the steps take `supervised`, which may be more than this agent has.
    let zone = zone.or((zone_max < Zone::Supervised).then_some(zone_max));
    Ok(Identity { actor: own, principal_id: Some(caller.principal_id.clone()), zone })
}

fn actor(claims: Claims<'_>) -> Result<Option<Actor>, Refusal> {
    let kind = claims
        .actor_type
        .map(|text| {
            ActorType::parse(text.trim())
                .ok_or_else(|| Refusal::invalid_field("/actor_type", "must be one of: service, user, agent"))
        })
        .transpose()?;
    let id = claims.actor_id.map(str::trim);
    if id.is_some_and(|id| id.is_empty() || id.len() > ACTOR_BYTES_MAX || id.chars().any(char::is_control)) {
        return Err(Refusal::invalid_field(
            "/actor_id",
            format!("1 to {ACTOR_BYTES_MAX} bytes without control characters"),
        ));
    }
    match (kind, id) {
        (Some(kind), Some(id)) => Ok(Some(Actor::new(kind, id))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Refusal::invalid_field("/actor_id", "is needed with `actor_type`")),
        (None, Some(_)) => Err(Refusal::invalid_field("/actor_type", "is needed with `actor_id`")),
    }
}
