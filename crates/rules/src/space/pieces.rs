//! A rule as products of sets of classes.

use std::sync::Arc;

use model::domain::DomainPattern;
use model::{Label, Zone};

use super::classes::{Classes, Sets};
use super::{
    ACTION, Dim, HOST, LABEL, METHOD, MINUTE, MOMENT, PATH, PORT, ROOM, SCHEME, SCHEMES, SEEN, Shape, Space,
    SpaceError, TOOL, TUNNEL, UNSEEN, WHO, ZONE,
};
use crate::rule::{NamePattern, Ports, Rule, WhoPattern};
use crate::when::{Test, Tri, When};

/// A rule that branches into more pieces than this is refused.
pub(crate) const BRANCHES_MAX: usize = 4_096;

/// A product: in each dimension listed, one of these classes; sorted by dimension. Sets are by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Piece(pub(crate) Vec<(Dim, u32)>);

impl Piece {
    /// The number of its set in a dimension; `None` = all classes.
    pub(crate) fn set(&self, dim: Dim) -> Option<u32> {
        self.0.binary_search_by_key(&dim, |(each, _)| *each).ok().and_then(|at| self.0.get(at)).map(|(_, set)| *set)
    }

    /// What is in both; `None` when nothing is.
    pub(crate) fn meet(&self, other: &Self, sets: &mut Sets) -> Option<Self> {
        let mut both = self.clone();
        for (dim, set) in &other.0 {
            match both.0.binary_search_by_key(dim, |(each, _)| *each) {
                Err(at) => both.0.insert(at, (*dim, *set)),
                Ok(at) => {
                    let mine = both.0.get_mut(at)?;
                    if mine.1 != *set {
                        let meet = sets.get(mine.1).intersect(sets.get(*set));
                        if meet.is_empty() {
                            return None;
                        }
                        mine.1 = sets.id(meet);
                    }
                }
            }
        }
        Some(both)
    }

    /// The union as one piece, when they differ in one dimension only or one holds the other.
    fn join(&self, other: &Self, sets: &mut Sets) -> Option<Self> {
        if self.0.len() != other.0.len() || self.0.iter().zip(&other.0).any(|((a, _), (b, _))| a != b) {
            return None;
        }
        let mut differ = self.0.iter().zip(&other.0).enumerate().filter(|(_, (a, b))| a != b);
        match (differ.next(), differ.next()) {
            (None, _) => Some(self.clone()),
            (Some((at, (a, b))), None) => {
                let union = sets.get(a.1).union(sets.get(b.1));
                let mut joined = self.clone();
                joined.0.get_mut(at)?.1 = sets.id(union);
                Some(joined)
            }
            _ => None,
        }
    }
}

/// A selector on one dimension: where it holds, before what is unseen is added.
type Selected = Option<(Dim, Classes)>;

impl Space {
    /// Where in a shape the rule matches at least as surely as `least`, as pieces whose union it is;
    /// none when it never does.
    ///
    /// # Errors
    /// [`SpaceError::Branches`].
    pub(crate) fn pieces(
        &self,
        rule: &Rule,
        shape: Shape,
        least: Tri,
        sets: &mut Sets,
    ) -> Result<Vec<Piece>, SpaceError> {
        let mut plain = Piece::default();
        for (dim, mut seen) in self.selected(rule, shape).into_iter().flatten() {
            let universe = self.universe(shape, dim);
            if least <= Tri::Unknown {
                seen = seen.union(&Classes::one(UNSEEN));
            }
            let held = seen.intersect(&universe);
            if held.is_empty() {
                return Ok(Vec::new());
            }
            if held != universe {
                plain.0.push((dim, sets.id(held)));
            }
        }
        plain.0.sort_unstable();
        let mut pieces = vec![plain];
        if let Some(purposes) = &rule.purposes {
            let wanted = |purpose: &Arc<str>| self.purpose_ids.get(purpose).copied();
            let any: Vec<Dim> = purposes.iter().filter_map(wanted).filter(|_| shape == Shape::DataAccess).collect();
            let with = sets.id(Classes::one(SEEN + 1));
            pieces = any.iter().filter_map(|dim| pieces.first()?.meet(&Piece(vec![(*dim, with)]), sets)).collect();
        }
        match (&rule.when, shape) {
            (None, _) => Ok(pieces),
            (Some(when), Shape::ToolCall) => {
                let too_many = || SpaceError::Branches { rule: Arc::clone(&rule.id), limit: BRANCHES_MAX };
                let cases = self.cases(when, Side::Holds, least, sets).ok_or_else(too_many)?;
                product(&pieces, &cases, sets).ok_or_else(too_many)
            }
            (Some(_), Shape::ToolCallUnseenInput) if least <= Tri::Unknown => Ok(pieces),
            (Some(_), _) => Ok(Vec::new()),
        }
    }

    /// The selectors of a rule but for purposes and conditions.
    fn selected(&self, rule: &Rule, shape: Shape) -> [Selected; 14] {
        let names = |tree: &super::tree::Tree, patterns: &[NamePattern]| {
            Classes::of(patterns.iter().flat_map(|pattern| {
                let set = match pattern {
                    NamePattern::Exact(name) => tree.exact(name),
                    NamePattern::Below(prefix) => tree.below(prefix),
                };
                set.ranges().to_vec()
            }))
        };
        let listed = |ids: &mut dyn Iterator<Item = Option<usize>>| {
            let class = |at: usize| SEEN + u32::try_from(at).unwrap_or(0);
            Classes::of(ids.flatten().map(|at| (class(at), class(at) + 1)))
        };
        [
            rule.who.as_ref().map(|who| (WHO, self.people(who))),
            rule.actions.as_ref().map(|actions| (ACTION, names(&self.actions, actions))),
            rule.zones.as_ref().map(|zones| {
                (ZONE, listed(&mut zones.iter().map(|zone| Zone::ALL.iter().position(|each| each == zone))))
            }),
            rule.rooms.as_ref().map(|rooms| (ROOM, self.rooms.some(rooms))),
            rule.hours.as_ref().map(|hours| {
                let span = |(from, to): &(u16, u16)| self.minutes.span(i64::from(*from), i64::from(*to));
                (MINUTE, Classes::of(hours.ranges().iter().flat_map(|range| span(range).ranges().to_vec())))
            }),
            rule.until.map(|until| (MOMENT, self.moments.span(i64::MIN, until.as_millis()))),
            rule.hosts.as_ref().map(|hosts| (HOST, self.places(hosts))),
            rule.methods.as_ref().map(|methods| (METHOD, self.methods.some(methods))),
            rule.paths.as_ref().map(|paths| {
                (PATH, Classes::of(paths.iter().flat_map(|path| self.paths.below(path).ranges().to_vec())))
            }),
            self.ports(&rule.ports, shape).map(|ports| (PORT, ports)),
            rule.schemes.as_ref().map(|schemes| {
                (SCHEME, listed(&mut schemes.iter().map(|scheme| SCHEMES.iter().position(|each| each == scheme))))
            }),
            (shape == Shape::Egress && rule.shuns_opaque()).then(|| (TUNNEL, Classes::one(SEEN))),
            rule.tools.as_ref().map(|tools| (TOOL, names(&self.tools, tools))),
            rule.labels.as_ref().map(|labels| {
                (LABEL, listed(&mut labels.iter().map(|label| Label::ALL.iter().position(|each| each == label))))
            }),
        ]
    }

    pub(super) fn people(&self, who: &[WhoPattern]) -> Classes {
        Classes::of(who.iter().flat_map(|each| {
            let set = match each {
                WhoPattern::Kind(kind) => {
                    let before = self.who.iter().take_while(|(each, _)| each != kind).last();
                    let from = before.map_or(SEEN, |(_, names)| names.end());
                    self.who(*kind).map_or_else(Classes::none, |names| Classes::range(from, names.end()))
                }
                WhoPattern::Named(kind, name) => self.who(*kind).map_or_else(Classes::none, |names| names.one(name)),
            };
            set.ranges().to_vec()
        }))
    }

    fn places(&self, hosts: &[DomainPattern]) -> Classes {
        Classes::of(hosts.iter().flat_map(|host| {
            let set = match host {
                DomainPattern::Any => Classes::range(SEEN, self.hosts.end()),
                DomainPattern::Exact(host) => self.hosts.exact(host),
                DomainPattern::Suffix(suffix) => self.hosts.below(suffix),
            };
            set.ranges().to_vec()
        }))
    }

    fn ports(&self, ports: &Ports, shape: Shape) -> Option<Classes> {
        let span = |from: u16, to: u16| self.ports.span(i64::from(from), i64::from(to) + 1);
        match ports {
            Ports::Any => None,
            Ports::Web if shape == Shape::Egress => Some(span(80, 80).union(&span(443, 443))),
            Ports::Web => None,
            Ports::In(ranges) => {
                Some(Classes::of(ranges.iter().flat_map(|(from, to)| span(*from, *to).ranges().to_vec())))
            }
        }
    }

    /// Where a condition (or its contrary) holds at least as surely as `least`; `None` when that
    /// branches too often. Kleene's `and` and `or` distribute, so this is exact.
    fn cases(&self, when: &When, side: Side, least: Tri, sets: &mut Sets) -> Option<Vec<Piece>> {
        match (when, side) {
            (When::Test(test), _) => Some(self.test(test, side, least, sets)),
            (When::Not(not), _) => self.cases(not, side.other(), least, sets),
            (When::All(all), Side::Holds) | (When::Any(all), Side::Fails) => {
                let mut so_far = vec![Piece::default()];
                for each in all {
                    so_far = product(&so_far, &self.cases(each, side, least, sets)?, sets)?;
                }
                Some(so_far)
            }
            (When::Any(any), Side::Holds) | (When::All(any), Side::Fails) => {
                let mut cases = Vec::new();
                for each in any {
                    cases.extend(self.cases(each, side, least, sets)?);
                    if cases.len() > BRANCHES_MAX {
                        cases = joined(cases, sets);
                    }
                    if cases.len() > BRANCHES_MAX {
                        return None;
                    }
                }
                Some(joined(cases, sets))
            }
        }
    }

    fn test(&self, test: &Test, side: Side, least: Tri, sets: &mut Sets) -> Vec<Piece> {
        let Some(dim) = self.arg_ids.get(&test.at).copied() else { return Vec::new() };
        let Some(arg) = self.arg(dim) else { return Vec::new() };
        let held = arg.set(test, |tri| match side {
            Side::Holds => tri >= least,
            Side::Fails => !tri >= least,
        });
        if held.is_empty() {
            Vec::new()
        } else if held == self.universe(Shape::ToolCall, dim) {
            vec![Piece::default()]
        } else {
            vec![Piece(vec![(dim, sets.id(held))])]
        }
    }
}

/// Whether a condition is wanted as it stands or negated.
#[derive(Clone, Copy)]
enum Side {
    Holds,
    Fails,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
        }
    }
}

/// Every piece of one with every piece of the other; `None` when those are too many.
fn product(left: &[Piece], right: &[Piece], sets: &mut Sets) -> Option<Vec<Piece>> {
    if left.len().saturating_mul(right.len()) > BRANCHES_MAX * 16 {
        return None;
    }
    let mut all = Vec::with_capacity(left.len().saturating_mul(right.len()));
    for one in left {
        all.extend(right.iter().filter_map(|other| one.meet(other, sets)));
    }
    let all = joined(all, sets);
    (all.len() <= BRANCHES_MAX).then_some(all)
}

/// The same union in fewer pieces, where neighbours join.
fn joined(pieces: Vec<Piece>, sets: &mut Sets) -> Vec<Piece> {
    let mut kept: Vec<Piece> = Vec::with_capacity(pieces.len());
    for mut piece in pieces {
        // Only the last few are looked at: what a list of tests makes comes in order.
        while let Some(joined) = kept.last().and_then(|last| last.join(&piece, sets)) {
            piece = joined;
            kept.pop();
        }
        kept.push(piece);
    }
    kept.sort_unstable();
    kept.dedup();
    if kept.iter().any(|piece| piece.0.is_empty()) { vec![Piece::default()] } else { kept }
}
