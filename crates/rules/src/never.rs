//! Assertions that something is never allowed: `agent:coder POST *.prod.example.com`.
//!
//! An assertion is words, each of which narrows what is meant:
//!
//! ```text
//! assertion = { word }
//! word      = key ":" value { "," value }      key = agent user service group action host method
//!           | METHOD { "," METHOD } | "*"            path port tunnel scheme zone room tool label
//!           | host                                   purpose
//!                                              one method and one host may stand without their key
//! ```
//!
//! Values are written as in rules: `user:*` is every user, `host:*.example.com` a domain with all
//! below it, `path:/admin` that path and all below, `port:8000-8999` a range. A fact that is named
//! is meant to be seen. `tunnel:opaque` is every tunnel that may carry anything.
//!
//! Which asks are meant: tool calls where a tool is named; accesses to data where a label or a
//! purpose is; requests that leave where a host, method, path, port or scheme is (and other actions
//! with that host, where an action is named too); all of them otherwise. A request that leaves has
//! the action that follows from its method (`external.read` for GET, HEAD and OPTIONS, else
//! `external.write`), unless an action is named.
//!
//! It holds when for *all* of these asks the rules, and where they are silent the built-in ones (what
//! leaves is asked for, anything else as the workspace's default says), do not allow. Rules in shadow
//! do not count.

mod grammar;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use model::ask::CONNECT;
use model::decision::RuleId;
use model::{Action, Time};
use policy::DefaultDecision;
use serde::Serialize;

pub use self::grammar::ParseError;
use crate::diff::{ALLOW, ASK, Verdict, least, level};
use crate::problem::did_you_mean;
use crate::rule::{NamePattern, PolicySet, Rule};
use crate::space::classes::{Classes, Sets};
use crate::space::search::{A, Cell, Goal, Item, Level, Search, Stop};
use crate::space::witness::Witness;
use crate::space::{ACTION, Dim, METHOD, Mentions, OPAQUE, PATH, Piece, SCHEME, Shape, Space, SpaceError, TUNNEL};
use crate::when::Tri;

/// Looks at a rule for one assertion.
const EFFORT_MAX: u64 = 10_000_000;
/// Where no rule matches and the built-in rule asks.
const BUILT_IN_ASK: Level = 1;

/// What is never to be allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    text: String,
    /// What is meant, as the selectors of a rule.
    meant: Rule,
    /// Groups, resolved when it is checked.
    groups: Vec<Arc<str>>,
    /// Whether only tunnels are meant that may carry anything.
    opaque: bool,
}

/// Why an assertion could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It names a group that the set does not have.
    #[error("there is no group `{group}`{}", hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
    Group {
        /// The group.
        group: Arc<str>,
        /// One that was probably meant.
        hint: Option<String>,
    },
    /// A rule is too complicated.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The rules interleave too much.
    #[error("the assertion cannot be checked within {limit} looks at a rule")]
    Effort {
        /// The looks allowed.
        limit: u64,
    },
}

/// Whether an assertion holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// For all asks that are meant.
    Holds,
    /// Not for this one.
    Broken(Box<Broken>),
}

/// An ask that is allowed and should not be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    /// What the rules say: allow, or nothing (and the workspace allows by default).
    pub verdict: Verdict,
    /// The rules that allow it.
    pub rules: Vec<RuleId>,
    /// The ask.
    pub witness: Witness,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is allowed by ", self.witness)?;
        match self.rules.as_slice() {
            [] => f.write_str("the workspace's default: no rule speaks against it"),
            rules => f.write_str(&rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Assertion {
    /// Reads an assertion.
    ///
    /// # Errors
    /// [`ParseError`], with what was expected.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        grammar::parse(text)
    }

    /// Whether the rules of `set` never allow what is meant, in a workspace with this default;
    /// `from` leaves out the time before.
    ///
    /// # Errors
    /// [`CheckError`]. An assertion that cannot be checked neither holds nor is broken.
    pub fn check(&self, set: &PolicySet, default: DefaultDecision, from: Option<Time>) -> Result<Answer, CheckError> {
        let meant = self.resolved(set)?;
        let rules: Vec<&Rule> = set.rules.iter().filter(|rule| !rule.shadow).collect();
        let asked_for = leaving(&meant);
        let mut mentions = Mentions::of(rules.iter().copied().chain([&meant, &asked_for]));
        mentions.methods(Action::SAFE_METHODS);
        if self.opaque {
            mentions.opaque();
            mentions.methods([CONNECT]);
        }
        let space = Space::new(mentions, from)?;
        let mut sets = Sets::default();
        let mut effort = EFFORT_MAX;
        for shape in self.shapes() {
            let within = self.within(&meant, shape, &space, &mut sets)?;
            let (items, owners) = items(&rules, &asked_for, shape, &space, &mut sets)?;
            for part in within {
                let part: Vec<(Dim, Classes)> =
                    part.0.into_iter().map(|(dim, set)| (dim, sets.get(set).clone())).collect();
                let mut broken = None;
                let mut search = Search::new(&space, &sets, shape, &items, Goal::Below(ASK), effort);
                let walked = search.run(&part, [0, 0], &mut |cell: Cell<'_>| {
                    let allowed = match cell.levels[0] {
                        ALLOW => true,
                        0 => default == DefaultDecision::Allow,
                        _ => false,
                    };
                    let cuts =
                        || -> Vec<_> { cell.cuts.iter().map(|(dim, left)| (*dim, Classes::clone(left))).collect() };
                    let Some(witness) = allowed.then(|| space.witness(shape, &cuts())).flatten() else {
                        return ControlFlow::Continue(());
                    };
                    let rule = |item: &u32| owners.get(usize::try_from(*item).ok()?).and_then(Option::as_ref).cloned();
                    let mut by: Vec<RuleId> = cell.because[0].iter().filter_map(rule).collect();
                    by.sort_unstable();
                    by.dedup();
                    broken = Some(Broken { verdict: Verdict::of(cell.levels[0]), rules: by, witness });
                    ControlFlow::Break(())
                });
                effort = search.effort;
                match (walked, broken) {
                    (_, Some(broken)) => return Ok(Answer::Broken(Box::new(broken))),
                    (Err(Stop::Exhausted), None) => return Err(CheckError::Effort { limit: EFFORT_MAX }),
                    (Ok(()) | Err(Stop::Enough), None) => {}
                }
            }
        }
        Ok(Answer::Holds)
    }

    /// What is meant, with the members of its groups.
    fn resolved(&self, set: &PolicySet) -> Result<Rule, CheckError> {
        let mut meant = self.meant.clone();
        for group in &self.groups {
            let members = set.groups.get(group).ok_or_else(|| CheckError::Group {
                group: Arc::clone(group),
                hint: did_you_mean(group, set.groups.keys().map(|name| &**name)),
            })?;
            meant.who.get_or_insert_default().extend(members.iter().cloned());
        }
        Ok(meant)
    }

    /// The shapes of the asks that are meant.
    fn shapes(&self) -> Vec<Shape> {
        let meant = &self.meant;
        let port = !matches!(meant.ports, crate::rule::Ports::Any);
        let request =
            self.opaque || meant.methods.is_some() || meant.paths.is_some() || meant.schemes.is_some() || port;
        if meant.tools.is_some() {
            vec![Shape::ToolCall, Shape::ToolCallUnseenInput]
        } else if meant.labels.is_some() || meant.purposes.is_some() {
            vec![Shape::DataAccess]
        } else if request || meant.hosts.is_some() && meant.actions.is_none() {
            vec![Shape::Egress]
        } else if meant.hosts.is_some() {
            vec![Shape::Egress, Shape::Action]
        } else {
            Shape::ALL.to_vec()
        }
    }

    /// The asks of a shape that are meant.
    fn within(&self, meant: &Rule, shape: Shape, space: &Space, sets: &mut Sets) -> Result<Vec<Piece>, SpaceError> {
        let mut pieces = space.pieces(meant, shape, Tri::True, sets)?;
        if self.opaque {
            let mut is = |dim: Dim, class: u32| (dim, sets.id(Classes::one(class)));
            let of = |dim: Dim| space.of_opaque(dim).unwrap_or(OPAQUE);
            let opaque = Piece([METHOD, PATH, SCHEME, TUNNEL].map(|dim| is(dim, of(dim))).to_vec());
            pieces = pieces.iter().filter_map(|piece| piece.meet(&opaque, sets)).collect();
        }
        if shape != Shape::Egress || meant.actions.is_some() {
            return Ok(pieces);
        }
        let safe = space.safe_methods(&Action::SAFE_METHODS);
        let rest = space.universe(Shape::Egress, METHOD).minus(&safe);
        let mut following = Vec::new();
        for (methods, action) in [(safe, Action::EXTERNAL_READ), (rest, Action::EXTERNAL_WRITE)] {
            let follows = Piece(vec![(ACTION, sets.id(space.action(action))), (METHOD, sets.id(methods))]);
            following.extend(pieces.iter().filter_map(|piece| piece.meet(&follows, sets)));
        }
        Ok(following)
    }
}

/// Everything that the built-in rules ask for, as the selectors of a rule.
fn leaving(like: &Rule) -> Rule {
    let actions = [Action::EXTERNAL_READ, Action::EXTERNAL_WRITE];
    let actions = actions.into_iter().map(|action| NamePattern::Exact(action.into())).collect();
    let bare = Rule::bare(crate::rule::Effect::Ask, Arc::clone(&like.id), like.place.clone());
    Rule { actions: Some(actions), effect: like.effect, ..bare }
}

/// The pieces of the rules, and of what the built-in ones ask for; with the rule each comes from.
fn items(
    rules: &[&Rule],
    asked_for: &Rule,
    shape: Shape,
    space: &Space,
    sets: &mut Sets,
) -> Result<(Vec<Item>, Vec<Option<RuleId>>), SpaceError> {
    let (mut items, mut owners) = (Vec::new(), Vec::new());
    for rule in rules {
        for piece in space.pieces(rule, shape, least(rule.effect), sets)? {
            items.push(Item { piece, level: level(rule.effect), sides: A });
            owners.push(Some(Arc::clone(&rule.id)));
        }
    }
    for piece in space.pieces(asked_for, shape, Tri::True, sets)? {
        items.push(Item { piece, level: BUILT_IN_ASK, sides: A });
        owners.push(None);
    }
    Ok((items, owners))
}
