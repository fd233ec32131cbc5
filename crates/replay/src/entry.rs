//! One decision as it is kept: what the rules saw, what everything else said, what came of it.

use std::collections::BTreeSet;

use model::ask::Subject;
use model::decision::{Ground, Other, RuleId};
use model::{
    Actor, ActorType, Ask, Category, Decision, DecisionId, Label, Mode, Outcome, PrincipalId, ReasonCode, RoomId,
    RunId, Time, TokenId, Zone,
};
use policy::{Fact, Facts};
use serde_json::Value;

/// LIMIT: the longest input of a tool, in bytes of JSON, that is kept. A longer one is withheld.
pub const INPUT_BYTES_MAX: usize = 4 * 1024;
/// LIMIT: the longest of all other texts that is kept, in bytes.
pub const TEXT_BYTES_MAX: usize = 2 * 1024;

/// A fact as it is kept. The three states of [`Fact`], and a fourth: the rules saw it, but it was not
/// kept, because it was too long or holds what must not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kept<T> {
    /// It did not apply.
    Absent,
    /// It applied, but nobody saw it.
    Unseen,
    /// It was seen then, but is not here now.
    Withheld,
    /// It was seen, and this is it.
    Seen(T),
}

impl<T> Kept<T> {
    /// The value, when it is here.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            _ => None,
        }
    }

    /// The fact; one that was withheld counts as unseen here.
    pub fn fact(self) -> Fact<T> {
        match self {
            Self::Absent => Fact::Absent,
            Self::Unseen | Self::Withheld => Fact::Unseen,
            Self::Seen(value) => Fact::Seen(value),
        }
    }

    pub(crate) fn map<U>(self, with: impl FnOnce(T) -> U) -> Kept<U> {
        match self {
            Self::Absent => Kept::Absent,
            Self::Unseen => Kept::Unseen,
            Self::Withheld => Kept::Withheld,
            Self::Seen(value) => Kept::Seen(with(value)),
        }
    }
}

impl<T> From<Fact<T>> for Kept<T> {
    fn from(fact: Fact<T>) -> Self {
        match fact {
            Fact::Absent => Self::Absent,
            Fact::Unseen => Self::Unseen,
            Fact::Seen(value) => Self::Seen(value),
        }
    }
}

/// On whose account it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The actor as it named itself; an empty name is one that was withheld.
    pub actor: Actor,
    /// The principal it was asked by: named, or the one that the actor's name stands for.
    pub principal_id: Option<PrincipalId>,
    /// Whether the ask named it.
    pub principal_named: bool,
    /// The capability token shown.
    pub token_id: Option<TokenId>,
    /// Whether one was demanded.
    pub token_required: bool,
}

/// What a data access was about, besides its label and purposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: String,
    /// Its id; empty when it was withheld.
    pub id: String,
    /// The room it belongs to.
    pub room: Option<RoomId>,
    /// What it may be used for.
    pub purposes: BTreeSet<String>,
    /// Whether a justification was given; its text is not kept.
    pub justified: bool,
}

/// What came of it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What was answered.
    pub outcome: Outcome,
    /// The primary reason.
    pub reason_code: ReasonCode,
    /// The rules that determined it.
    pub rules: Vec<RuleId>,
    /// Whether it really blocked.
    pub blocked: bool,
    /// The mode of the workspace.
    pub mode: Mode,
    /// What it rested on besides the rules.
    pub ground: Ground,
    /// The version of the rules.
    pub policy_version: Option<u64>,
    /// What the rules in `shadow` would have made of it, when that differs.
    pub trial: Option<Other>,
    /// What the candidate set would have made of it, when there was one.
    pub candidate: Option<Other>,
    /// Whether the hourly quota decided, or the uses that a token has.
    pub by_quota: bool,
    /// Whether an approval that is good for one use let it pass.
    pub by_once: bool,
}

/// One decision as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: DecisionId,
    /// When.
    pub at: Time,
    /// On whose account.
    pub caller: Caller,
    /// The run it was part of.
    pub run_id: Option<RunId>,
    /// What a data access was about.
    pub resource: Option<Resource>,
    /// The entry point.
    pub category: Category,
    /// The normalised action; `None` = withheld.
    pub action: Option<String>,
    /// What rules call the one who asked: its kind, and its name unless that was withheld.
    pub who: (ActorType, Option<String>),
    /// The zone, when one was named.
    pub zone: Option<Zone>,
    /// The room.
    pub room_id: Option<RoomId>,
    /// The normalised host.
    pub host: Kept<String>,
    /// The method.
    pub method: Kept<String>,
    /// The path, as rules see it.
    pub path: Kept<String>,
    /// The port.
    pub port: Kept<u16>,
    /// `http` or `https`.
    pub scheme: Kept<String>,
    /// The tool.
    pub tool: Kept<String>,
    /// What it was called with, as JSON.
    pub input: Kept<String>,
    /// The label of the data.
    pub label: Kept<Label>,
    /// What the data was wanted for.
    pub purposes: Kept<BTreeSet<String>>,
    /// What came of it.
    pub ruling: Ruling,
}

/// What the gate knows about redaction; asked for everything that a caller wrote.
pub trait Redaction {
    /// Whether redaction leaves this text as it is.
    fn keeps_text(&self, text: &str) -> bool;
    /// Whether redaction leaves this value as it is, names of members considered.
    fn keeps_value(&self, value: &Value) -> bool;
}

/// What the log keeps of a decision besides the ask and the answer.
#[derive(Debug, Clone)]
pub struct Made {
    /// The id it is known by.
    pub id: DecisionId,
    /// The principal it was asked by, also when only the actor's name said so.
    pub principal_id: Option<PrincipalId>,
    /// The mode of the workspace.
    pub mode: Mode,
    /// When it was decided.
    pub at: Time,
}

impl Entry {
    /// What is kept of one decision.
    ///
    /// `facts` are the ones the rules saw. A text that `redaction` would change, or one longer than
    /// [`TEXT_BYTES_MAX`] (an input: [`INPUT_BYTES_MAX`]), is withheld.
    #[must_use]
    pub fn of(made: Made, ask: &Ask, facts: &Facts<'_>, decision: &Decision, redaction: &impl Redaction) -> Self {
        let clean = |text: &str| text.len() <= TEXT_BYTES_MAX && redaction.keeps_text(text);
        let text = |fact: Fact<&str>| match fact {
            Fact::Seen(text) if !clean(text) => Kept::Withheld,
            fact => Kept::from(fact).map(str::to_owned),
        };
        let own = |text: &str| clean(text).then(|| text.to_owned());
        let set = |set: &BTreeSet<String>| set.iter().all(|each| clean(each)).then(|| set.clone());
        Self {
            id: made.id,
            at: made.at,
            caller: Caller {
                actor: Actor::new(ask.actor.kind, own(&ask.actor.id).unwrap_or_default()),
                principal_id: ask.principal_id.clone().or(made.principal_id),
                principal_named: ask.principal_id.is_some(),
                token_id: ask.capability_token_id.clone(),
                token_required: ask.token_required,
            },
            run_id: ask.run_id.clone(),
            resource: match &ask.subject {
                Subject::DataAccess(data) => Some(Resource {
                    kind: own(&data.resource_type).unwrap_or_default(),
                    id: own(&data.resource_id).unwrap_or_default(),
                    room: data.resource_room.clone(),
                    purposes: data.resource_purposes.iter().filter(|each| clean(each)).cloned().collect(),
                    justified: data.justification.is_some(),
                }),
                _ => None,
            },
            category: facts.category,
            action: own(facts.action),
            who: (facts.who.kind, own(facts.who.name)),
            zone: ask.zone,
            room_id: ask.room_id.clone(),
            host: text(facts.host),
            method: text(facts.method),
            path: text(match &facts.path {
                Fact::Absent => Fact::Absent,
                Fact::Unseen => Fact::Unseen,
                Fact::Seen(path) => Fact::Seen(path.as_ref()),
            }),
            port: facts.port.into(),
            scheme: text(facts.scheme),
            tool: text(facts.tool),
            input: match facts.input {
                Fact::Absent => Kept::Absent,
                Fact::Unseen => Kept::Unseen,
                Fact::Seen(value) => short(value, redaction).map_or(Kept::Withheld, Kept::Seen),
            },
            label: facts.label.into(),
            purposes: match facts.purposes {
                Fact::Absent => Kept::Absent,
                Fact::Unseen => Kept::Unseen,
                Fact::Seen(purposes) => set(purposes).map_or(Kept::Withheld, Kept::Seen),
            },
            ruling: Ruling::of(decision, made.mode),
        }
    }
}

impl Ruling {
    fn of(decision: &Decision, mode: Mode) -> Self {
        Self {
            outcome: decision.outcome,
            reason_code: decision.reason_code,
            rules: decision.rules.clone(),
            blocked: decision.blocks(mode),
            mode,
            ground: decision.ground,
            policy_version: decision.policy_version,
            trial: decision.trial.clone(),
            candidate: decision.candidate.clone(),
            by_quota: matches!(decision.reason_code, ReasonCode::QuotaExceeded | ReasonCode::CapabilityUsesExhausted),
            by_once: decision.approval.as_ref().is_some_and(|used| used.once),
        }
    }
}

/// The JSON of a value, when it is short and may be kept. Stops writing where it gets too long.
fn short(value: &Value, redaction: &impl Redaction) -> Option<String> {
    struct Short(Vec<u8>);
    impl std::io::Write for Short {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.len() + bytes.len() > INPUT_BYTES_MAX {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut out = Short(Vec::new());
    serde_json::to_writer(&mut out, value).ok()?;
    let text = String::from_utf8(out.0).ok()?;
    redaction.keeps_value(value).then_some(text)
}
