//! Approvals: their states, what one covers, and whether it covers an ask.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;
use crate::{Action, Ask, PrincipalId, RoomId, RunId};

text_enum! {
    /// Where an approval stands.
    pub enum ApprovalStatus {
        /// Waiting for a decision.
        Pending = "pending",
        /// Waiting; somebody said "not yet".
        Held = "held",
        /// Said yes.
        Approved = "approved",
        /// Said no.
        Denied = "denied",
        /// Its time ran out, or policy changed so that nobody needs to be asked.
        Expired = "expired",
        /// A yes that was taken back, or a `once` that was used (see `consumed_at`).
        Revoked = "revoked",
    }
}

impl ApprovalStatus {
    /// Whether somebody may still decide it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Held)
    }
}

text_enum! {
    /// How far an approval reaches.
    pub enum ScopeKind {
        /// The one request or run it was raised for; its first use consumes it.
        Once = "once",
        /// Everything in one run.
        Run = "run",
        /// Everything in one room.
        Room = "room",
        /// Everything in the workspace.
        Workspace = "workspace",
    }
}

/// What an approval covers. Every field that is set must match.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalScope {
    /// How far it reaches.
    #[serde(rename = "type")]
    pub kind: ScopeKind,
    /// For `room`; for `once` where it was raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<RoomId>,
    /// For `run`; for `once` where it was raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Only this domain, normalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_domain: Option<String>,
    /// Only this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Only this method, upper-case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only this principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<PrincipalId>,
    /// Only this tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
}

impl ApprovalScope {
    /// A scope of one kind with nothing else set.
    #[must_use]
    pub fn of(kind: ScopeKind) -> Self {
        Self {
            kind,
            room_id: None,
            run_id: None,
            target_domain: None,
            port: None,
            method: None,
            principal_id: None,
            tool_name: None,
        }
    }

    /// The default scope of an approval: the run, else the room, else once.
    #[must_use]
    pub fn default_for(room_id: Option<&RoomId>, run_id: Option<&RunId>) -> Self {
        let mut scope = Self::of(ScopeKind::Once);
        if let Some(run) = run_id {
            scope.kind = ScopeKind::Run;
            scope.run_id = Some(run.clone());
        } else if let Some(room) = room_id {
            scope.kind = ScopeKind::Room;
            scope.room_id = Some(room.clone());
        }
        scope
    }

    /// Whether an approval with this scope, for `action`, raised by the ask with `raised_by`
    /// (its digest, when an ask raised it), covers `ask`. `asker` is the principal the ask resolves to.
    ///
    /// Status, expiry and workspace are the caller's to check.
    #[must_use]
    pub fn covers(&self, action: &Action, raised_by: Option<&str>, ask: &Ask, asker: Option<&PrincipalId>) -> bool {
        let reach = match self.kind {
            ScopeKind::Workspace => true,
            ScopeKind::Room => self.room_id.is_some() && self.room_id == ask.room_id,
            ScopeKind::Run => self.run_id.is_some() && self.run_id == ask.run_id,
            ScopeKind::Once => match raised_by {
                Some(digest) => ask.ask_digest.as_deref() == Some(digest),
                None => {
                    (self.room_id.is_none() || self.room_id == ask.room_id)
                        && (self.run_id.is_none() || self.run_id == ask.run_id)
                }
            },
        };
        reach
            && *action == ask.action
            && self.target_domain.as_deref().is_none_or(|d| ask.target_domain() == Some(d))
            && self.port.is_none_or(|p| ask.port() == Some(p))
            && self.method.as_deref().is_none_or(|m| ask.method() == Some(m))
            && self.tool_name.as_deref().is_none_or(|t| ask.tool_name() == Some(t))
            && self.principal_id.as_ref().is_none_or(|p| asker == Some(p))
    }
}
