//! The ask of a kept decision, put together again from what was kept beside it.

use std::sync::Arc;

use model::ask::{DataSubject, EgressSubject, Subject};
use model::target::normalise_host;
use model::{Action, Actor, Ask, Category, EgressRequestId, Label, PrincipalId, RoomId, TargetUrl, ToolCallId, Zone};
use policy::{Fact, Facts, Snapshot};
use serde_json::Value;
use store::rows::DecisionRow;

use super::FactsKept;
use crate::{Gate, GateError};

/// An ask, and what of it is known.
pub(super) struct Asked {
    ask: Ask,
    /// The label of data is told by what was kept.
    label_known: bool,
    pub(super) kept: FactsKept,
}

impl Asked {
    /// The facts that rules looked at; names as they are now.
    pub(super) fn facts<'a>(&'a self, snapshot: &'a Snapshot) -> Facts<'a> {
        let mut facts = snapshot.facts(&self.ask);
        if !self.label_known && matches!(self.ask.subject, Subject::DataAccess(_)) {
            facts.label = Fact::Unseen;
        }
        facts
    }
}

/// Where and for whom, as far as it was kept.
struct Place {
    room_id: Option<RoomId>,
    zone: Option<Zone>,
    principal_id: Option<PrincipalId>,
}

impl Gate {
    /// What was asked; `None` when that was not kept.
    pub(super) async fn asked_then(&self, row: &DecisionRow) -> Result<Option<Asked>, GateError> {
        let workspace = &row.workspace_id;
        let principal_id = row.principal_id.clone();
        match Category::parse(&row.category) {
            Some(Category::Egress) => {
                let id = EgressRequestId::from_stored(row.decision_id.as_str().to_owned());
                if let Some(request) = self.store().egress_request(workspace, &id).await? {
                    let place = Place { room_id: request.room_id, zone: request.zone, principal_id };
                    let whole = !request.target_url.contains(redact::MARKER);
                    let subject = EgressSubject::of(
                        TargetUrl::parse(&request.target_url).ok().filter(|_| whole),
                        Some(request.target_domain),
                        request.method,
                    );
                    let tunnel = request.tunnel.or(subject.tunnel);
                    let subject = Subject::Egress(EgressSubject { tunnel, ..subject });
                    let kept = if whole { FactsKept::Kept } else { FactsKept::Partly };
                    return Ok(asked(row, subject, place, true, kept));
                }
            }
            Some(Category::ToolCall) => {
                let id = ToolCallId::from_stored(row.decision_id.as_str().to_owned());
                if let Some(call) = self.store().tool_call(workspace, &id).await? {
                    let run = self.store().run(workspace, &call.run_id).await?;
                    let place = Place { room_id: run.and_then(|run| run.room_id), zone: None, principal_id };
                    let input = call.input.map(|input| Arc::new(input.to_value()));
                    let subject = Subject::ToolCall { tool_name: Some(call.tool_name), input };
                    // The zone of a call is not kept with it.
                    return Ok(asked(row, subject, place, true, FactsKept::Partly));
                }
            }
            Some(Category::DataAccess | Category::Action) | None => {}
        }
        let Some(event) = self.store().policy_event(workspace, &row.correlation_id, row.created_at).await? else {
            return Ok(None);
        };
        let context = event.policy_context.to_value();
        let place = Place { room_id: event.room_id, zone: Some(event.zone), principal_id };
        let Some((subject, kept)) = Category::parse(&row.category).and_then(|category| subject(category, &context))
        else {
            return Ok(None);
        };
        Ok(asked(row, subject, place, false, kept))
    }
}

fn text(context: &Value, pointer: &str) -> Option<String> {
    context.pointer(pointer).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What the context of a question tells.
fn subject(category: Category, context: &Value) -> Option<(Subject, FactsKept)> {
    let url = text(context, "/egress/target_url").and_then(|url| TargetUrl::parse(&url).ok());
    let named = text(context, "/egress/target_domain").and_then(|host| normalise_host(&host).ok());
    let target_domain = url.as_ref().map(|url| url.domain().to_owned()).or(named);
    Some(match category {
        Category::ToolCall => {
            let tool_name = text(context, "/tool_call/tool_name")?;
            let input = context.pointer("/tool_call/input").cloned().map(Arc::new);
            let kept = if input.is_some() { FactsKept::Kept } else { FactsKept::Partly };
            (Subject::ToolCall { tool_name: Some(tool_name), input }, kept)
        }
        Category::Action => (Subject::Action { target_domain }, FactsKept::Kept),
        Category::Egress => {
            let method = text(context, "/egress/method").map(|method| method.to_ascii_uppercase());
            target_domain.as_ref()?;
            (Subject::Egress(EgressSubject::of(url, target_domain, method)), FactsKept::Kept)
        }
        Category::DataAccess => {
            let tags = context.pointer("/data_access/purpose_tags").and_then(Value::as_array);
            let tags = tags.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            let subject = DataSubject {
                resource_type: text(context, "/data_access/resource_type").unwrap_or_default(),
                resource_id: text(context, "/data_access/resource_id").unwrap_or_default(),
                label: Label::Internal,
                resource_room: None,
                resource_purposes: Default::default(),
                purposes: tags.collect(),
                justification: None,
            };
            // The label that the resource had then is not in the context.
            (Subject::DataAccess(subject), FactsKept::Partly)
        }
    })
}

fn asked(row: &DecisionRow, subject: Subject, place: Place, label_known: bool, kept: FactsKept) -> Option<Asked> {
    let ask = Ask {
        workspace_id: row.workspace_id.clone(),
        action: Action::parse(&row.action).ok()?,
        actor: Actor::new(row.actor_type, row.actor_id.clone()),
        principal_id: place.principal_id,
        capability_token_id: None,
        narrowing: None,
        token_required: false,
        zone: place.zone,
        room_id: place.room_id,
        thread_id: None,
        run_id: None,
        step_id: None,
        subject,
        ask_digest: None,
    };
    Some(Asked { ask, label_known, kept })
}
