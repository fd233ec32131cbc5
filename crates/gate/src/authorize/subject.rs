//! The facts of a category, read from a request's context. A part of the wrong type counts as
//! absent; the steps then say what they missed.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::ask::{DataSubject, EgressSubject, Subject};
use model::target::normalise_host;
use model::{Action, Category, Label, TargetUrl};
use serde_json::Value;

use super::AuthorizeInput;
use crate::{Refusal, ask, data, egress};

pub(super) fn category(text: Option<&str>) -> Result<Category, Refusal> {
    text.and_then(|text| Category::parse(text.trim()))
        .ok_or_else(|| Refusal::invalid_field("/category", "must be one of: tool_call, data_access, action, egress"))
}

/// The action; a tool call may leave it to its tool.
pub(super) fn action(category: Category, input: &AuthorizeInput) -> Result<Action, Refusal> {
    let named = input.action.as_deref().is_some_and(|text| !text.trim().is_empty());
    match (category, tool_name(input.context.as_ref())) {
        (Category::ToolCall, Some(tool)) if !named => {
            Action::tool_call(&tool).map_err(|e| Refusal::invalid_field("/context/tool_call/tool_name", e.to_string()))
        }
        _ => ask::action(input.action.as_deref()),
    }
}

pub(super) fn of(category: Category, context: Option<&Value>) -> Result<Subject, Refusal> {
    Ok(match category {
        Category::ToolCall => Subject::ToolCall {
            tool_name: tool_name(context),
            input: context.and_then(|context| context.pointer("/tool_call/input")).cloned().map(Arc::new),
        },
        Category::Action => Subject::Action { target_domain: domain_hint(context) },
        Category::Egress => Subject::Egress(egress_subject(context)?),
        Category::DataAccess => Subject::DataAccess(data_subject(context)?),
    })
}

fn text<'a>(context: Option<&'a Value>, pointer: &str) -> Option<&'a str> {
    context?.pointer(pointer)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn tool_name(context: Option<&Value>) -> Option<String> {
    text(context, "/tool_call/tool_name").map(str::to_owned)
}

/// The domain an action says is involved; one that cannot be read is none, so that no approval for
/// a domain covers it.
fn domain_hint(context: Option<&Value>) -> Option<String> {
    match text(context, "/egress/target_url") {
        Some(url) => TargetUrl::parse(url).ok().map(|target| target.domain().to_owned()),
        None => normalise_host(text(context, "/egress/target_domain")?).ok(),
    }
}

fn egress_subject(context: Option<&Value>) -> Result<EgressSubject, Refusal> {
    let invalid = |detail: String, field| Refusal::invalid("invalid_target_url", detail).at(field);
    let target = text(context, "/egress/target_url").map(|url| egress::target(Some(url))).transpose()?;
    let named = text(context, "/egress/target_domain")
        .map(|host| normalise_host(host).map_err(|e| invalid(e.to_string(), "/context/egress/target_domain")))
        .transpose()?;
    if let (Some(target), Some(named)) = (&target, &named)
        && target.domain() != named
    {
        return Err(invalid("the domain is not the target's".to_owned(), "/context/egress/target_domain"));
    }
    let named = if target.is_some() { None } else { named };
    Ok(EgressSubject::of(target, named, ask::method(text(context, "/egress/method"))?))
}

fn data_subject(context: Option<&Value>) -> Result<DataSubject, Refusal> {
    Ok(DataSubject {
        resource_type: data::resource(
            text(context, "/data_access/resource_type"),
            "/context/data_access/resource_type",
        )?,
        resource_id: data::resource(text(context, "/data_access/resource_id"), "/context/data_access/resource_id")?,
        label: Label::Internal,
        resource_room: None,
        resource_purposes: BTreeSet::new(),
        purposes: data::purposes(
            context.and_then(|context| context.pointer("/data_access/purpose_tags")),
            "/context/data_access/purpose_tags",
        )?,
        justification: text(context, "/data_access/justification").map(str::to_owned),
    })
}
