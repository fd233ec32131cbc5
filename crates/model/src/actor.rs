//! Who acts: the name a caller goes by, before it is tied to a principal.

use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;

text_enum! {
    /// The kind of an actor, and of a principal.
    pub enum ActorType {
        /// A program of ours or of the operator.
        Service = "service",
        /// A human.
        User = "user",
        /// An AI agent.
        Agent = "agent",
    }
}

/// The kind and name an event or ask is attributed to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// Service, user or agent.
    #[serde(rename = "actor_type")]
    pub kind: ActorType,
    /// The name within its kind: for an agent its agent id.
    #[serde(rename = "actor_id")]
    pub id: String,
}

impl Actor {
    /// An actor of the given kind and name.
    #[must_use]
    pub fn new(kind: ActorType, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}
