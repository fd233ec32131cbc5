//! Whether the pieces of some rules cover all of a rule.

use std::ops::ControlFlow;

use crate::space::classes::{Classes, Sets};
use crate::space::search::{A, Goal, Item, Level, Search, Stop};
use crate::space::{Dim, Piece, Shape, Space};

/// A set of no more classes than this is looked up class by class.
const NARROW_MAX: u32 = 16;
/// Rules named as covering another.
const NAMED_MAX: usize = 8;

/// Whether a rule is covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Covered {
    /// All of it is, by these or some of these.
    By(Vec<u32>),
    /// Some of it is not.
    Not,
    /// It would be too much work to tell.
    Unknown,
}

/// One piece of one rule.
#[derive(Debug)]
struct Part {
    rule: u32,
    level: Level,
    piece: Piece,
}

/// Which parts are about a class of one dimension.
#[derive(Debug, Default)]
struct Index {
    /// Parts about few classes, by class.
    narrow: Vec<Vec<u32>>,
    /// Parts about many classes, or all.
    wide: Vec<u32>,
}

/// The pieces of all rules in one shape.
#[derive(Debug)]
pub(super) struct Cover {
    shape: Shape,
    parts: Vec<Part>,
    /// The parts of each rule: from, and up to.
    of_rule: Vec<(u32, u32)>,
    forgotten: Vec<bool>,
    indexes: Vec<(Dim, Index)>,
}

impl Cover {
    pub(super) fn new(shape: Shape, rules: usize) -> Self {
        Self {
            shape,
            parts: Vec::new(),
            of_rule: Vec::with_capacity(rules),
            forgotten: vec![false; rules],
            indexes: Vec::new(),
        }
    }

    /// Adds the pieces of the next rule.
    pub(super) fn add(&mut self, rule: u32, level: Level, pieces: Vec<Piece>) {
        let from = place(self.parts.len());
        self.parts.extend(pieces.into_iter().map(|piece| Part { rule, level, piece }));
        self.of_rule.push((from, place(self.parts.len())));
    }

    /// Leaves a rule out from now on.
    pub(super) fn forget(&mut self, rule: u32) {
        usize::try_from(rule).ok().and_then(|rule| self.forgotten.get_mut(rule)).into_iter().for_each(|it| *it = true);
    }

    /// Makes the index, once all rules are added.
    pub(super) fn index(&mut self, sets: &Sets) {
        let mut dims: Vec<Dim> = self.parts.iter().flat_map(|part| part.piece.0.iter().map(|(dim, _)| *dim)).collect();
        dims.sort_unstable();
        dims.dedup();
        // LIMIT: the first dimensions are those of people, places and tools; values of inputs need no index.
        dims.retain(|dim| *dim < crate::space::PURPOSES);
        for dim in dims {
            let mut index = Index::default();
            for (at, part) in (0..).zip(&self.parts) {
                match part.piece.set(dim).map(|set| sets.get(set)).filter(|set| set.len() <= NARROW_MAX) {
                    None => index.wide.push(at),
                    Some(set) => {
                        for class in set.iter().filter_map(|class| usize::try_from(class).ok()) {
                            if index.narrow.len() <= class {
                                index.narrow.resize_with(class + 1, Vec::new);
                            }
                            index.narrow.get_mut(class).into_iter().for_each(|parts| parts.push(at));
                        }
                    }
                }
            }
            self.indexes.push((dim, index));
        }
    }

    /// Whether other rules of `from` and above cover all pieces of a rule.
    pub(super) fn of(&self, rule: u32, from: Level, space: &Space, sets: &Sets, effort: &mut u64) -> Covered {
        let span = usize::try_from(rule).ok().and_then(|rule| self.of_rule.get(rule)).copied().unwrap_or_default();
        let mut by = Vec::new();
        for part in (span.0..span.1).filter_map(|at| self.part(at)) {
            match self.piece(part, from, space, sets, effort) {
                Covered::By(rules) => by.extend(rules),
                other => return other,
            }
        }
        by.sort_unstable();
        by.dedup();
        Covered::By(by)
    }

    fn part(&self, at: u32) -> Option<&Part> {
        usize::try_from(at).ok().and_then(|at| self.parts.get(at))
    }

    fn piece(&self, part: &Part, from: Level, space: &Space, sets: &Sets, effort: &mut u64) -> Covered {
        let candidates = self.candidates(part, sets);
        let Some(left) = effort.checked_sub(u64::try_from(candidates.len()).unwrap_or(u64::MAX)) else {
            return Covered::Unknown;
        };
        *effort = left;
        let counts = |other: &&Part| {
            let kept = usize::try_from(other.rule).ok().and_then(|rule| self.forgotten.get(rule)) == Some(&false);
            other.rule != part.rule && other.level >= from && kept
        };
        let others: Vec<&Part> = candidates.iter().filter_map(|at| self.part(*at)).filter(counts).collect();
        // Most rules are needed, and at this point already.
        let point: Vec<(Dim, u32)> =
            part.piece.0.iter().filter_map(|(dim, set)| Some((*dim, sets.get(*set).last()?))).collect();
        let holds = |other: &&&Part| {
            other.piece.0.iter().all(|(dim, set)| {
                let class = point.iter().find(|(each, _)| each == dim).map(|(_, class)| *class);
                let class = class.or_else(|| space.universe(self.shape, *dim).last());
                class.is_some_and(|class| sets.get(*set).contains(class))
            })
        };
        if !others.iter().any(|other| holds(&other)) {
            return Covered::Not;
        }
        let spans = |other: &&&Part| {
            other.piece.0.iter().all(|(dim, set)| {
                part.piece.set(*dim).is_some_and(|mine| mine == *set || sets.get(*set).covers(sets.get(mine)))
            })
        };
        if let Some(one) = others.iter().find(|other| spans(other)) {
            return Covered::By(vec![one.rule]);
        }
        let within: Vec<(Dim, Classes)> =
            part.piece.0.iter().map(|(dim, set)| (*dim, sets.get(*set).clone())).collect();
        let touching: Vec<&Part> =
            others
                .into_iter()
                .filter(|other| {
                    other.piece.0.iter().all(|(dim, set)| {
                        part.piece.set(*dim).is_none_or(|mine| sets.get(*set).overlaps(sets.get(mine)))
                    })
                })
                .collect();
        match self.all_of(&touching, &within, space, sets, effort) {
            None => Covered::Unknown,
            Some(false) => Covered::Not,
            Some(true) => {
                let mut rules: Vec<u32> = touching.iter().map(|other| other.rule).collect();
                rules.sort_unstable();
                rules.dedup();
                Covered::By(self.needed(rules, &touching, &within, space, sets, effort))
            }
        }
    }

    /// Whether parts cover a product; `None` when that is too much work.
    fn all_of(
        &self,
        parts: &[&Part],
        within: &[(Dim, Classes)],
        space: &Space,
        sets: &Sets,
        effort: &mut u64,
    ) -> Option<bool> {
        let items: Vec<Item> =
            parts.iter().map(|part| Item { piece: part.piece.clone(), level: 1, sides: A }).collect();
        // Side B is the whole product: where the sides differ nothing covers.
        let mut search = Search::new(space, sets, self.shape, &items, Goal::Differ, *effort);
        let walked = search.run(within, [0, 1], &mut |_| ControlFlow::Break(()));
        *effort = search.effort;
        match walked {
            Ok(()) => Some(true),
            Err(Stop::Enough) => Some(false),
            Err(Stop::Exhausted) => None,
        }
    }

    /// Fewer rules that still cover, as far as a few tries find them.
    fn needed(
        &self,
        mut rules: Vec<u32>,
        parts: &[&Part],
        within: &[(Dim, Classes)],
        space: &Space,
        sets: &Sets,
        effort: &mut u64,
    ) -> Vec<u32> {
        if rules.len() <= 4 * NAMED_MAX {
            for rule in rules.clone() {
                let left: Vec<&Part> =
                    parts.iter().copied().filter(|part| part.rule != rule && rules.contains(&part.rule)).collect();
                if self.all_of(&left, within, space, sets, effort) == Some(true) {
                    rules.retain(|each| *each != rule);
                }
            }
        }
        rules.truncate(NAMED_MAX);
        rules
    }

    /// The parts that may meet a part: those the most telling dimension leaves.
    fn candidates(&self, part: &Part, sets: &Sets) -> Vec<u32> {
        let narrow = |(dim, index): &'_ (Dim, Index)| {
            let set = sets.get(part.piece.set(*dim)?);
            let lists = set.iter().filter_map(|class| index.narrow.get(usize::try_from(class).ok()?)).map(Vec::len);
            (set.len() <= NARROW_MAX).then(|| lists.sum::<usize>() + index.wide.len())
        };
        let best = self.indexes.iter().filter_map(|each| Some((narrow(each)?, each))).min_by_key(|(cost, _)| *cost);
        let Some((_, (dim, index))) = best else { return (0..place(self.parts.len())).collect() };
        let mut all = index.wide.clone();
        for class in part.piece.set(*dim).into_iter().flat_map(|set| sets.get(set).iter()) {
            all.extend(usize::try_from(class).ok().and_then(|class| index.narrow.get(class)).into_iter().flatten());
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
