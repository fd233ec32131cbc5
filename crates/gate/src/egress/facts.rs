//! What the events of a request say of it. Everything here is without secrets.

use model::ask::Tunnel;
use model::{ApprovalId, Canonical, Decision, EgressRequestId, Mode, Outcome, Zone};
use serde::Serialize;
use serde_json::{Value, json};

use crate::decision::{reason, rendered};

/// The request as it may be kept.
pub(super) struct Facts {
    pub(super) egress_request_id: EgressRequestId,
    pub(super) action: String,
    pub(super) method: Option<String>,
    pub(super) tunnel: Option<Tunnel>,
    pub(super) target_url: String,
    pub(super) target_domain: String,
    pub(super) capability_token_id: Option<String>,
}

/// The data of an event, its members in canonical order.
#[derive(Serialize)]
struct Data<'a> {
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<&'a ApprovalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability_token_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Outcome>,
    egress_request_id: &'a EgressRequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforcement_mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'static str>,
    target_domain: &'a str,
    target_url: &'a str,
}

impl Facts {
    fn data(&self) -> Data<'_> {
        Data {
            action: &self.action,
            approval_id: None,
            blocked: None,
            capability_token_id: self.capability_token_id.as_deref(),
            decision: None,
            egress_request_id: &self.egress_request_id,
            enforcement_mode: None,
            method: self.method.as_deref(),
            reason: None,
            reason_code: None,
            target_domain: &self.target_domain,
            target_url: &self.target_url,
        }
    }

    /// Of `egress.requested`.
    pub(super) fn requested(&self) -> Canonical {
        rendered(&self.data())
    }

    /// Of `egress.allowed` and `egress.blocked`.
    pub(super) fn outcome(&self, decision: &Decision, mode: Mode, approval: Option<&ApprovalId>) -> Canonical {
        rendered(&Data {
            approval_id: approval,
            blocked: Some(decision.blocks(mode)),
            decision: Some(decision.outcome),
            enforcement_mode: Some(mode),
            reason: reason(decision.outcome, decision.reason_code),
            reason_code: Some(decision.reason_code.as_str()),
            ..self.data()
        })
    }

    /// What a human is shown who is asked to approve.
    pub(super) fn shown(&self, zone: Option<Zone>) -> Value {
        let mut shown = json!({
            "egress_request_id": self.egress_request_id,
            "action": self.action,
            "target_url": self.target_url,
            "target_domain": self.target_domain,
        });
        if let Some(members) = shown.as_object_mut() {
            let optional = [
                ("method", self.method.as_ref().map(|method| json!(method))),
                ("tunnel", self.tunnel.map(|tunnel| json!(tunnel))),
                ("capability_token_id", self.capability_token_id.as_ref().map(|token| json!(token))),
                ("zone", zone.map(|zone| json!(zone))),
            ];
            members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        shown
    }

    /// Of `quota.exceeded`.
    pub(super) fn exceeded(&self, decision: &Decision) -> Canonical {
        rendered(&Data {
            reason: Some(decision.reason_code.sentence()),
            reason_code: Some(decision.reason_code.as_str()),
            method: None,
            ..self.data()
        })
    }
}
