//! The answer of the gate: outcome, reason and the trace of how it came about.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;
use crate::{ApprovalId, Mode, ReasonCode};

text_enum! {
    /// What the gate answers. `Ord` follows strictness: the strictest step wins.
    pub enum Outcome {
        /// It may happen.
        Allow = "allow",
        /// A human must say yes first.
        RequireApproval = "require_approval",
        /// It may not happen.
        Deny = "deny",
    }
}

impl Outcome {
    /// Whether this outcome blocks under `mode`.
    #[must_use]
    pub fn blocks(self, mode: Mode) -> bool {
        mode == Mode::Enforce && self != Self::Allow
    }
}

text_enum! {
    /// The steps of a decision, in their order (the contract, section 5).
    pub enum Step {
        /// 1: an agent acts as a live agent principal.
        AgentBinding = "agent_binding",
        /// 2: the capability token is good.
        CapabilityToken = "capability_token",
        /// 2a: it covers the room.
        RoomScope = "room_scope",
        /// 2b: it covers the action.
        ActionScope = "action_scope",
        /// 2c: it covers the tool.
        ToolScope = "tool_scope",
        /// 2d: it covers the data.
        DataScope = "data_scope",
        /// 2e: it covers the domain.
        DomainScope = "domain_scope",
        /// After 2: the principal named exists and is live.
        Principal = "principal",
        /// 3: the action registry.
        ActionRegistry = "action_registry",
        /// 4: the agent is not quarantined.
        Quarantine = "quarantine",
        /// 5: the kill switch is off.
        KillSwitch = "kill_switch",
        /// After 5: no credential that is at home elsewhere was seen leaving.
        Dlp = "dlp",
        /// 6: the workspace's rules.
        PolicyRules = "policy_rules",
        /// 7: the built-in rule of the action, or the workspace's default.
        Base = "base",
        /// 8: the hourly quota; settled when the decision is recorded.
        Quota = "quota",
    }
}

/// What one step found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Verdict {
    /// It applied and found nothing against the ask.
    Passed,
    /// It does not apply to this ask.
    Skipped,
    /// It spoke: this outcome for this reason. The strictest verdict of all steps is the decision's.
    Decided {
        /// The step's own outcome.
        outcome: Outcome,
        /// Its reason.
        reason_code: ReasonCode,
    },
    /// It would have asked for an approval for `reason_code`, and one was found.
    Lifted {
        /// What it would have asked for.
        reason_code: ReasonCode,
        /// The approval that lifts it.
        approval_id: ApprovalId,
    },
}

/// One step of the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// Which step.
    pub step: Step,
    /// What it found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The fact that decided, in a word or an id: never text that a caller supplied unredacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<Cow<'static, str>>,
}

/// The id of a rule: unique in its policy set.
pub type RuleId = Arc<str>;

/// The approval a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalUse {
    /// Which approval.
    pub approval_id: ApprovalId,
    /// Whether its first use consumes it.
    pub once: bool,
}

/// The answer to one ask: one value, total, never an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Allow, deny or require_approval. It never depends on the mode.
    pub outcome: Outcome,
    /// The first step, in order, that gives this outcome.
    pub reason_code: ReasonCode,
    /// The ids of the rules that determined it.
    pub rules: Vec<RuleId>,
    /// The approval it rests on, when one lifted an ask.
    pub approval: Option<ApprovalUse>,
    /// The hourly quota that still has to be taken when this is recorded: requests per rolling hour.
    pub quota_limit: Option<u64>,
    /// Whether it blocks in shadow mode too: what denies is not a policy but the destination guard.
    #[serde(default)]
    pub always_enforced: bool,
    /// The version of the policy set whose rules were asked; `None` = the workspace has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u64>,
    /// What everything but the rules says, so that other rules can be tried on it later.
    #[serde(default)]
    pub ground: Ground,
    /// What it would be if the rules in `shadow` counted, when that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Other>,
    /// What the candidate set would make of it, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Other>,
    /// Every step in order.
    pub trace: Vec<TraceStep>,
}

/// What a decision would be under other rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Allow, deny or require_approval.
    pub outcome: Outcome,
    /// The first step that gives it.
    pub reason_code: ReasonCode,
    /// The rules that determine it.
    pub rules: Vec<RuleId>,
}

/// What one part of a decision says: an outcome with its reason.
pub type Voice = Option<(Outcome, ReasonCode)>;

/// What a decision rests on besides the rules: enough to say what any other rules would have made of
/// it. The quota is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ground {
    /// The strictest of the steps before the rules.
    pub fixed: Voice,
    /// What the base step says when no rule allows.
    pub base: Voice,
    /// What the base step says when a rule allows.
    pub base_if_allowed: Voice,
    /// Whether an approval covers the ask, so that it would lift what a rule asks for.
    pub approved: bool,
}

impl Decision {
    /// Whether it blocks under `mode`.
    #[must_use]
    pub fn blocks(&self, mode: Mode) -> bool {
        self.always_enforced || self.outcome.blocks(mode)
    }

    /// Turns the decision into the quota's deny. Called where the quota is settled, and only there.
    #[must_use]
    pub fn deny_by_quota(mut self) -> Self {
        self.outcome = Outcome::Deny;
        self.reason_code = ReasonCode::QuotaExceeded;
        self.approval = None;
        let limit = self.quota_limit.take();
        let spoke = Verdict::Decided { outcome: Outcome::Deny, reason_code: ReasonCode::QuotaExceeded };
        let fact = limit.map(|n| Cow::Owned(format!("{n} per hour")));
        self.speaks(TraceStep { step: Step::Quota, verdict: spoke, fact });
        self
    }

    /// Turns the decision into the deny of a token whose `uses` are used up. Called where they are
    /// settled, and only there.
    #[must_use]
    pub fn deny_by_uses(mut self, uses: u64) -> Self {
        let reason_code = ReasonCode::CapabilityUsesExhausted;
        self.outcome = Outcome::Deny;
        self.reason_code = reason_code;
        self.approval = None;
        self.quota_limit = None;
        let verdict = Verdict::Decided { outcome: Outcome::Deny, reason_code };
        let fact = Some(Cow::Owned(format!("{uses} uses")));
        self.speaks(TraceStep { step: Step::CapabilityToken, verdict, fact });
        self
    }

    fn speaks(&mut self, said: TraceStep) {
        match self.trace.iter_mut().find(|each| each.step == said.step) {
            Some(step) => *step = said,
            None => self.trace.push(said),
        }
    }
}
