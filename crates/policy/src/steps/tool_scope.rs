//! Step 2c: the token covers the tool.

use model::{ReasonCode, ask::Subject};

use super::{Finding, scope};
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    let (Some(chain), Subject::ToolCall { tool_name }) = (scope::chain(case), &case.ask.subject) else {
        return Finding::SKIPPED;
    };
    let reasons = scope::Reasons {
        required: ReasonCode::CapabilityScopeToolRequired,
        not_allowed: ReasonCode::CapabilityScopeToolNotAllowed,
    };
    match tool_name {
        Some(tool) => scope::check(chain, &reasons, |scopes| &scopes.tools, |tools| tools.contains(tool.as_str())),
        None if scope::lacks(chain, |scopes| &scopes.tools) => Finding::deny(reasons.required),
        None => Finding::deny(ReasonCode::CapabilityScopeContextMissingToolName),
    }
}
