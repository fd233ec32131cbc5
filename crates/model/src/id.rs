//! Typed ids. One macro makes them all; to clients each is opaque text.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use ulid::Generator;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 200 visible ASCII characters")]
pub struct InvalidId;

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.bytes().all(|b| b.is_ascii_graphic())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $(= $make:expr)?;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            $(
                /// Makes a new random id.
                #[expect(clippy::new_without_default, reason = "a default id would be a hidden random value")]
                #[must_use]
                pub fn new() -> Self { Self($make) }
            )?

            /// Reads an id: 1 to 200 visible ASCII characters.
            ///
            /// # Errors
            /// [`InvalidId`] for anything else.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if is_id(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
            }

            /// Takes an id that a store row already holds, unchecked.
            #[must_use]
            pub fn from_stored(text: String) -> Self { Self(text) }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }

            /// The id as owned text.
            #[must_use]
            pub fn into_string(self) -> String { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str { &self.0 }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                if is_id(&text) { Ok(Self(text)) } else { Err(InvalidId) }
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String { id.0 }
        }
    )*};
}

/// In one process each is greater than the one before it, also within a millisecond: lists that are
/// in the order of their ids are in the order in which things were made.
fn ulid(prefix: &str) -> String {
    static LAST: Mutex<Generator> = Mutex::new(Generator::new());
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let id = last.generate().unwrap_or_else(|overflow| overflow.commit_overflow_increment());
    format!("{prefix}{id}")
}

fn uuid7() -> String {
    uuid::Uuid::now_v7().to_string()
}

ids! {
    /// A workspace: the unit of tenancy. Named by its owner, for example `ws_dev`.
    WorkspaceId;
    /// A room: where people and agents talk; the stream of its events.
    RoomId = ulid("room_");
    /// A thread in a room.
    ThreadId;
    /// A run.
    RunId = ulid("run_");
    /// A step of a run.
    StepId = ulid("step_");
    /// A tool call of a step.
    ToolCallId = ulid("tc_");
    /// One attempt at a run: `att_`, the run's id and the attempt's number.
    RunAttemptId;
    /// What a worker shows to prove that a run is still its own. Not a credential: it is only good
    /// together with a key.
    ClaimToken = format!("clm_{}", uuid::Uuid::new_v4().simple());
    /// An approval.
    ApprovalId = ulid("appr_");
    /// An egress request: `egr_` and 32 hex digits, time-ordered.
    EgressRequestId = format!("egr_{}", uuid::Uuid::now_v7().simple());
    /// A process that lets requests out, from its start to its end.
    GatewayId = ulid("gw_");
    /// A command that runs confined, from its start to the death of its last process.
    GuardCallId = ulid("gc_");
    /// A principal: who is accountable.
    PrincipalId = uuid7();
    /// An agent: a principal that is a program acting for somebody.
    AgentId = uuid7();
    /// A capability token.
    TokenId = uuid7();
    /// An edge of the delegation tree.
    EdgeId = uuid7();
    /// An event.
    EventId = uuid7();
    /// What ties the events of one cause together.
    CorrelationId = uuid7();
    /// A recorded decision: the egress request's id for egress, the tool call's for a tool call of a
    /// run, else `dec_` and 32 hex digits.
    DecisionId = format!("dec_{}", uuid::Uuid::now_v7().simple());
    /// A key's public part: 24 lower-case hex digits.
    KeyId = { let u = uuid::Uuid::now_v7().simple().to_string(); u.get(..12).unwrap_or("").to_owned() + &uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect::<String>() };
}

impl RunAttemptId {
    /// The id of the attempt with this number: the same whoever computes it.
    #[must_use]
    pub fn of(run: &RunId, attempt_no: i64) -> Self {
        let run = run.as_str();
        Self(format!("att_{}_{attempt_no}", run.strip_prefix("run_").unwrap_or(run)))
    }
}

impl From<ToolCallId> for DecisionId {
    fn from(id: ToolCallId) -> Self {
        Self(id.into_string())
    }
}

impl From<EgressRequestId> for DecisionId {
    fn from(id: EgressRequestId) -> Self {
        Self(id.into_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_they_were_made() {
        let steps: Vec<StepId> = (0..10_000).map(|_| StepId::new()).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
        let events: Vec<EventId> = (0..10_000).map(|_| EventId::new()).collect();
        assert!(events.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
