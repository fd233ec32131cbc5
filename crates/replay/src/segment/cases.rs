//! What a decoded segment holds: the different cases, with everything a decision needs.

use model::ask::CONNECT;
use model::decision::{Ground, Voice};
use model::{ActorType, Category, Label, Mode, Outcome, ReasonCode, Zone};

use crate::entry::Kept;

/// What rules see of an ask, without the path and the input.
#[derive(Debug, Clone)]
pub struct Shape<'a> {
    /// The entry point.
    pub category: Category,
    /// The action; `None` = withheld.
    pub action: Option<&'a str>,
    /// The kind of who asked.
    pub who_kind: ActorType,
    /// The name of who asked; `None` = withheld.
    pub who_name: Option<&'a str>,
    /// The zone that was named.
    pub zone: Option<Zone>,
    /// The room.
    pub room: Option<&'a str>,
    /// The host.
    pub host: Kept<&'a str>,
    /// The method.
    pub method: Kept<&'a str>,
    /// The port.
    pub port: Kept<u16>,
    /// The scheme.
    pub scheme: Kept<&'a str>,
    /// The tool.
    pub tool: Kept<&'a str>,
    /// The label of the data.
    pub label: Kept<Label>,
    /// The number of the list of purposes.
    pub(super) purposes: Kept<u32>,
}

impl Shape<'_> {
    /// Whether a tunnel was asked for that may carry anything.
    ///
    /// Not kept on its own: only such a tunnel has a port that was seen and a scheme that nobody can.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        opaque(self.method, &self.scheme, &self.port)
    }
}

pub(crate) fn opaque<S>(method: Kept<&str>, scheme: &Kept<S>, port: &Kept<u16>) -> bool {
    method == Kept::Seen(CONNECT) && matches!((scheme, port), (Kept::Unseen, Kept::Seen(_)))
}

/// What came of a case. Rules are numbers of lists.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// What was answered.
    pub outcome: Outcome,
    /// Why.
    pub reason_code: ReasonCode,
    /// The rules that determined it.
    pub(super) rules: u32,
    /// Whether it really blocked.
    pub blocked: bool,
    /// The mode of the workspace.
    pub mode: Mode,
    /// What it rested on besides the rules.
    pub ground: Ground,
    /// The version of the rules.
    pub policy_version: Option<u64>,
    /// What the rules in `shadow` would have made of it.
    pub trial: Option<Voiced>,
    /// What the candidate set would have made of it.
    pub candidate: Option<Voiced>,
    /// Whether the hourly quota decided.
    pub by_quota: bool,
    /// Whether an approval for one use let it pass.
    pub by_once: bool,
}

/// An outcome under other rules.
#[derive(Debug, Clone, Copy)]
pub struct Voiced {
    /// The outcome.
    pub outcome: Outcome,
    /// Why.
    pub reason_code: ReasonCode,
    /// The rules that determine it.
    pub(super) rules: u32,
}

/// One case: rows with the same case are the same to every set of rules at the same time.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The number of the shape.
    pub(super) shape: u32,
    /// The path.
    pub path: Kept<&'a str>,
    /// The input, as JSON.
    pub input: Kept<&'a str>,
    /// The number of the ruling.
    pub(super) ruling: u32,
}

/// Who asked, as kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallerRow<'a> {
    pub(super) kind: ActorType,
    pub(super) name: &'a str,
    pub(super) principal: Option<&'a str>,
    pub(super) principal_named: bool,
    pub(super) token: Option<&'a str>,
    pub(super) token_required: bool,
}

/// What a data access was about, as kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceRow<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    pub(super) room: Option<&'a str>,
    pub(super) purposes: u32,
    pub(super) justified: bool,
}

pub(super) fn ground(fixed: Voice, base: Voice, base_if_allowed: Voice, approved: bool) -> Ground {
    Ground { fixed, base, base_if_allowed, approved }
}

impl Case<'_> {
    /// The number of its shape; cases of one shape differ in path, input or ruling.
    pub(crate) fn shape_number(&self) -> u32 {
        self.shape
    }
}
