//! One ask with everything the snapshot knows about it, looked up once and read by every step.

use std::cell::OnceCell;

use model::capability::Narrowing;
use model::decision::Verdict;
use model::{ApprovalId, Ask, Outcome, PrincipalId, ReasonCode, Time};

use crate::facts::Facts;
use crate::rules::{RuleVerdict, Verdicts};
use crate::snapshot::approval::Approval;
use crate::snapshot::lineage::Lineage;
use crate::snapshot::principal::{Agent, Principal};
use crate::snapshot::settings::Settings;
use crate::snapshot::token::Token;
use crate::snapshot::{Snapshot, Workspace};
use crate::steps::Finding;

/// The capability token of an ask.
pub(crate) enum Shown<'a> {
    /// None was shown.
    Nothing,
    /// One that the workspace does not know.
    Unknown,
    /// A known one with its ancestors.
    Known(Chain<'a>),
}

/// A token and what it was delegated from.
pub(crate) struct Chain<'a> {
    pub(crate) token: &'a Token,
    pub(crate) lineage: &'a Lineage,
    /// What its holder took away from it.
    pub(crate) narrowing: Option<&'a Narrowing>,
}

/// What the steps read.
pub(crate) struct Case<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) ask: &'a Ask,
    pub(crate) now: Time,
    /// The workspace's own settings.
    pub(crate) settings: Settings,
    /// The principal it is asked by, known or not.
    pub(crate) asker: Option<&'a PrincipalId>,
    /// The same, when the workspace knows it.
    pub(crate) principal: Option<&'a Principal>,
    /// The agent that principal is.
    pub(crate) agent: Option<&'a Agent>,
    pub(crate) token: Shown<'a>,
    /// What the workspace's rules say.
    pub(crate) rules: Verdicts,
    pub(crate) policy_version: Option<u64>,
    pub(crate) workspace: Option<&'a Workspace>,
    without: &'a [ApprovalId],
    approval: OnceCell<Option<&'a Approval>>,
}

impl<'a> Case<'a> {
    pub(crate) fn gather(snapshot: &'a Snapshot, ask: &'a Ask, now: Time, without: &'a [ApprovalId]) -> Self {
        let workspace = snapshot.workspace(&ask.workspace_id);
        let home = workspace.map(|own| own.home);
        let asker = snapshot.asker_ref(ask);
        let person = asker.and_then(|id| snapshot.person_with(id));
        let principal = person.and_then(|person| person.principal_in(home));
        let agent = person.and_then(|person| person.agent_in(home));
        let mut case = Self {
            snapshot,
            ask,
            now,
            settings: workspace.map(|own| own.settings).unwrap_or_default(),
            asker,
            principal,
            agent,
            token: shown(snapshot, workspace, ask),
            rules: Verdicts::default(),
            policy_version: None,
            workspace,
            without,
            approval: OnceCell::new(),
        };
        if let Some(own) = workspace.and_then(|own| own.rules.as_ref()) {
            case.rules = own.pack.eval(&case.facts(), now);
            case.policy_version = Some(own.version);
        }
        case
    }

    /// What rules see of the ask.
    pub(crate) fn facts(&self) -> Facts<'a> {
        Facts::of(self.ask, self.principal, self.agent)
    }

    /// What the candidate set says, when there is one.
    pub(crate) fn candidate(&self) -> Option<RuleVerdict> {
        let candidate = self.workspace?.candidate.as_ref()?;
        Some(candidate.pack.eval(&self.facts(), self.now).live)
    }

    /// The approval that covers this ask. One for all steps, searched when the first one asks.
    pub(crate) fn approval(&self) -> Option<&'a Approval> {
        *self.approval.get_or_init(|| self.workspace?.approval_for(self.ask, self.asker, self.now, self.without))
    }

    /// An ask for an approval, or the approval that lifts it.
    pub(crate) fn needs_approval(&self, reason_code: ReasonCode) -> Finding {
        match self.approval() {
            Some(approval) => Finding::of(Verdict::Lifted { reason_code, approval_id: approval.approval_id.clone() }),
            None => Finding::decided(Outcome::RequireApproval, reason_code),
        }
    }

    /// Whether a rule allows, which lifts the asks for `external.*` and a default deny.
    pub(crate) fn rule_allows(&self) -> bool {
        matches!(self.rules.live, RuleVerdict::Allow(_))
    }
}

fn shown<'a>(snapshot: &'a Snapshot, workspace: Option<&Workspace>, ask: &'a Ask) -> Shown<'a> {
    let Some(id) = &ask.capability_token_id else { return Shown::Nothing };
    match workspace.and_then(|own| snapshot.held_token(own.home, id)) {
        Some(held) => {
            let (lineage, narrowing) = (snapshot.lineage(held), ask.narrowing.as_deref());
            Shown::Known(Chain { token: &held.token, lineage, narrowing })
        }
        None => Shown::Unknown,
    }
}
