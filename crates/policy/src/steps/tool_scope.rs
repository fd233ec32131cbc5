//! Step 2c: the token covers the tool.

use model::ReasonCode;
use model::ask::Subject;

use super::{Finding, scope};
use crate::case::Case;

const TOOLS: scope::List = scope::List {
    is_empty: |scopes| scopes.tools.is_empty(),
    required: ReasonCode::CapabilityScopeToolRequired,
    not_allowed: ReasonCode::CapabilityScopeToolNotAllowed,
};

pub(super) fn run(case: &Case<'_>) -> Finding {
    let (Some(chain), Subject::ToolCall { tool_name, .. }) = (scope::chain(case), &case.ask.subject) else {
        return Finding::SKIPPED;
    };
    match tool_name {
        Some(tool) => scope::check(chain, &TOOLS, |scopes| scopes.covers_tool(tool)),
        None => scope::unsaid(chain, &TOOLS, ReasonCode::CapabilityScopeContextMissingToolName),
    }
}
