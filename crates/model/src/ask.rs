//! The question put to the gate: may this actor do this, here, now?

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capability::Narrowing;
use crate::text_enum::text_enum;
use crate::{
    Action, Actor, Label, PrincipalId, RoomId, RunId, StepId, TargetUrl, ThreadId, TokenId, WorkspaceId, Zone,
};

text_enum! {
    /// Which of the four entry points an ask comes through.
    pub enum Category {
        /// A tool is to be called.
        ToolCall = "tool_call",
        /// Labelled data is to be read or written.
        DataAccess = "data_access",
        /// Something else is to be done.
        Action = "action",
        /// A request is to leave.
        Egress = "egress",
    }
}

/// The facts of an ask that depend on its category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "category", rename_all = "snake_case")]
pub enum Subject {
    /// A tool call; the name is missing when the caller did not send it.
    ToolCall {
        /// The tool, as named by the caller.
        tool_name: Option<String>,
        /// What it is to be called with; missing when the caller did not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Arc<Value>>,
    },
    /// Access to a resource, with what is known of it.
    DataAccess(DataSubject),
    /// Any other action.
    Action {
        /// A domain the caller says is involved, normalised.
        target_domain: Option<String>,
    },
    /// A request to leave.
    Egress(EgressSubject),
}

/// What a data access is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSubject {
    /// The kind of resource, for example `document`.
    pub resource_type: String,
    /// Its id within the kind.
    pub resource_id: String,
    /// Its label; without one `internal`.
    pub label: Label,
    /// The room the resource belongs to.
    pub resource_room: Option<RoomId>,
    /// What the resource may be used for.
    pub resource_purposes: BTreeSet<String>,
    /// What the caller wants it for.
    pub purposes: BTreeSet<String>,
    /// Why the caller wants it although the purpose does not match; never blank.
    pub justification: Option<String>,
}

text_enum! {
    /// What a tunnel may carry. What goes through it is not seen, so neither are path and method.
    pub enum Tunnel {
        /// TLS whose server name is the target's.
        Tls = "tls",
        /// Anything: only where a rule says so.
        Opaque = "opaque",
    }
}

/// Where a request wants to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressSubject {
    /// The normalised target; missing when only a domain, or nothing, was named.
    pub target: Option<TargetUrl>,
    /// The normalised host; missing when the caller did not say.
    pub target_domain: Option<String>,
    /// The method, upper-case; of a tunnel `CONNECT`.
    pub method: Option<String>,
    /// Set when a tunnel to the target is asked for, and not one request: the target's path is then
    /// nobody's, and its scheme only known of [`Tunnel::Tls`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
    /// Kinds of credentials that were seen in it and are at home elsewhere; names of kinds, never one itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
}

/// One question to the gate.
///
/// A value: everything the decision may depend on besides the snapshot and the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The workspace it is asked in.
    pub workspace_id: WorkspaceId,
    /// What is to be done.
    pub action: Action,
    /// Who asks, by name.
    pub actor: Actor,
    /// The principal that is accountable, when given.
    pub principal_id: Option<PrincipalId>,
    /// The capability token shown.
    pub capability_token_id: Option<TokenId>,
    /// What the caveats of the token shown leave, when it was narrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowing: Option<Arc<Narrowing>>,
    /// Whether the key or run demands a capability token (a workspace may, too).
    pub token_required: bool,
    /// The zone; without one the steps take `supervised`.
    pub zone: Option<Zone>,
    /// Where it happens.
    pub room_id: Option<RoomId>,
    /// The thread in the room.
    pub thread_id: Option<ThreadId>,
    /// The run it is part of.
    pub run_id: Option<RunId>,
    /// The step it is part of.
    pub step_id: Option<StepId>,
    /// The category and its facts.
    pub subject: Subject,
    /// HMAC over the ask's meaning; a `once` approval raised by an ask passes only the same one.
    pub ask_digest: Option<String>,
}

impl EgressSubject {
    /// One request, seen whole, or what a method of `CONNECT` asks for: a tunnel for TLS.
    #[must_use]
    pub fn of(target: Option<TargetUrl>, target_domain: Option<String>, method: Option<String>) -> Self {
        let tunnel = method.as_deref().filter(|method| *method == CONNECT).map(|_| Tunnel::Tls);
        let target_domain = target_domain.or_else(|| target.as_ref().map(|target| target.domain().to_owned()));
        Self { target, target_domain, method, tunnel, credentials: Vec::new() }
    }
}

/// The method of a tunnel.
pub const CONNECT: &str = "CONNECT";

impl Ask {
    /// The category.
    #[must_use]
    pub fn category(&self) -> Category {
        match self.subject {
            Subject::ToolCall { .. } => Category::ToolCall,
            Subject::DataAccess(_) => Category::DataAccess,
            Subject::Action { .. } => Category::Action,
            Subject::Egress(_) => Category::Egress,
        }
    }

    /// The zone asked in: the one given, else `supervised`.
    #[must_use]
    pub fn zone_or_default(&self) -> Zone {
        self.zone.unwrap_or(Zone::Supervised)
    }

    /// The domain to be reached, when the ask names one.
    #[must_use]
    pub fn target_domain(&self) -> Option<&str> {
        match &self.subject {
            Subject::Egress(egress) => egress.target_domain.as_deref(),
            Subject::Action { target_domain } => target_domain.as_deref(),
            Subject::ToolCall { .. } | Subject::DataAccess(_) => None,
        }
    }

    /// The method, when the ask names one.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match &self.subject {
            Subject::Egress(egress) => egress.method.as_deref(),
            _ => None,
        }
    }

    /// The port to be reached, when the ask names one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.subject {
            Subject::Egress(egress) => egress.target.as_ref().map(TargetUrl::port),
            _ => None,
        }
    }

    /// The tunnel that is asked for, when it is one.
    #[must_use]
    pub fn tunnel(&self) -> Option<Tunnel> {
        match &self.subject {
            Subject::Egress(egress) => egress.tunnel,
            _ => None,
        }
    }

    /// The tool, when the ask names one.
    #[must_use]
    pub fn tool_name(&self) -> Option<&str> {
        match &self.subject {
            Subject::ToolCall { tool_name, .. } => tool_name.as_deref(),
            _ => None,
        }
    }
}
