//! A recorded decision: what was decided, how it came about, what would change it.

use gate::decision::why::{FactsKept, NearestView, RuleShown, Why};
use gate::execution;
use model::decision::{Other, TraceStep};
use model::{Canonical, Decision, DecisionId, Outcome, ReasonCode, Role};
use serde::Serialize;
use store::rows::DecisionRow;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};

/// A recorded decision.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DecisionView {
    /// Its id: the egress request's for egress.
    decision_id: String,
    /// tool_call, data_access, action or egress.
    category: String,
    /// The action asked for.
    action: String,
    /// user, agent or service.
    actor_type: String,
    /// The name of who asked.
    actor_id: String,
    /// The principal that asked.
    principal_id: Option<String>,
    /// allow, deny or require_approval.
    decision: String,
    /// The first step, in order, that gives the decision.
    reason_code: String,
    /// The reason in words.
    reason: String,
    /// What to do about it.
    remedy: String,
    /// shadow or enforce.
    enforcement_mode: String,
    /// Whether it was stopped.
    blocked: bool,
    /// The ids of the rules that determined it.
    #[schema(value_type = Vec<String>)]
    rules: Canonical,
    /// The version of the policy set whose rules were asked; none where there was none.
    policy_version: Option<u64>,
    /// The rules that determined it, as that version has them. An agent is not told where they stand.
    determined_by: Vec<RuleShown>,
    /// What it would have been if the rules in shadow counted, where that differs: `outcome`,
    /// `reason_code`, `rules`.
    #[schema(value_type = Option<Object>)]
    trial: Option<Other>,
    /// What the candidate set would have made of it: `outcome`, `reason_code`, `rules`.
    #[schema(value_type = Option<Object>)]
    candidate: Option<Other>,
    /// `kept`, `partly` or `not_kept`: what is still known of what was asked, for `nearest`.
    facts: FactsKept,
    /// The rule that almost changed it. An agent is not told.
    nearest: Option<NearestView>,
    /// Every step, in order, with what it found.
    #[schema(value_type = Vec<Object>)]
    trace: Canonical,
    /// How carrying it out ended, for a request that a gateway of exeat carried out and that has: `outcome`, `status`,
    /// `bytes_up`, `bytes_down`, `duration_ms`, `peer_ip`, `sni`, `address_vetting`, `error_code`.
    #[schema(value_type = Option<Object>)]
    execution: Option<Canonical>,
    /// The approval that it needs or rests on.
    approval_id: Option<String>,
    /// What ties its events together.
    correlation_id: String,
    /// When.
    created_at: String,
    /// The decision in sentences: the outcome, the steps that applied, what would change it.
    explanation: Vec<String>,
}

/// One of them.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DecisionAnswer {
    /// It.
    decision: DecisionView,
}

/// One decision with its trace in words. An agent sees its own only.
#[utoipa::path(
    get,
    path = "/v1/decisions/{id}",
    params(("id" = String, Path, description = "The id of the decision, or of the egress request")),
    responses((status = 200, body = DecisionAnswer), (status = 404, description = "`decision_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let why = match call.id::<DecisionId>() {
        Some(id) => call.gate().why(&call.caller, &id).await?,
        None => None,
    };
    let why = why
        .filter(|why| call.sees(why.row.principal_id.as_ref()))
        .ok_or_else(|| Problem::not_found("decision_not_found", "there is no such decision"))?;
    ok(&DecisionAnswer { decision: DecisionView::of(why, call.caller.role) })
}

impl DecisionView {
    /// The view for a caller of this role: whoever is decided about is not told how the rules are written.
    fn of(mut why: Why, role: Role) -> Self {
        if role == Role::Agent {
            why.nearest = None;
            why.candidate = None;
            why.trial = None;
            for rule in &mut why.rules {
                (rule.file, rule.line) = (None, None);
            }
        }
        let row = why.row;
        let code = ReasonCode::parse(&row.reason_code);
        let mut explanation = code.map(|code| explanation(&row, code)).unwrap_or_default();
        explanation.extend(why.nearest.as_ref().map(|nearest| nearest.sentence.clone()));
        explanation.extend(why.execution.as_ref().map(|ended| execution::in_words(&ended.to_value())));
        Self {
            decision_id: row.decision_id.into_string(),
            category: row.category,
            action: row.action,
            actor_type: row.actor_type.as_str().to_owned(),
            actor_id: row.actor_id,
            principal_id: row.principal_id.map(String::from),
            decision: row.decision,
            // A code of a newer version has no words here.
            reason: code.map_or_else(|| row.reason_code.clone(), |code| code.sentence().to_owned()),
            remedy: code.map_or_else(String::new, |code| code.remedy().to_owned()),
            reason_code: row.reason_code,
            enforcement_mode: row.enforcement_mode.as_str().to_owned(),
            blocked: row.blocked,
            rules: row.rules,
            policy_version: row.policy_version.and_then(|version| u64::try_from(version).ok()),
            determined_by: why.rules,
            trial: why.trial,
            candidate: why.candidate,
            facts: why.facts,
            nearest: why.nearest,
            trace: row.trace,
            execution: why.execution,
            approval_id: row.approval_id.map(String::from),
            correlation_id: row.correlation_id.into_string(),
            created_at: row.created_at.to_string(),
            explanation,
        }
    }
}

fn explanation(row: &DecisionRow, reason_code: ReasonCode) -> Vec<String> {
    let (Some(outcome), Ok(trace)) =
        (Outcome::parse(&row.decision), serde_json::from_str::<Vec<TraceStep>>(row.trace.as_str()))
    else {
        return Vec::new();
    };
    let decision = Decision {
        outcome,
        reason_code,
        rules: serde_json::from_str(row.rules.as_str()).unwrap_or_default(),
        approval: None,
        quota_limit: None,
        // Blocked in shadow: what no mode relaxes.
        always_enforced: row.blocked && row.enforcement_mode == model::Mode::Shadow,
        policy_version: None,
        ground: model::decision::Ground::default(),
        trial: None,
        candidate: None,
        trace,
    };
    let words = policy::explain(&decision);
    std::iter::once(words.summary).chain(words.steps).chain(words.changes).collect()
}
