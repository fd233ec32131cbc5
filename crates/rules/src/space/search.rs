//! The walk through a space: cuts it into cells in which the outcome is settled, and hands out those
//! that are wanted.
//!
//! A cell is cut along one dimension at a time, into groups of classes that settle the same and leave
//! the same to be looked at. After that cut the dimension plays no part below: each item left either spans the group
//! or is gone. What a stricter item that spans the whole cell decides is dropped, and so is every
//! cell that can hold nothing wanted, so the work follows what differs and not the number of cells.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::classes::{Classes, Sets};
use super::{Dim, Piece, Shape, Space};

/// How strict an item is. Zero is silence.
pub(crate) type Level = u8;

/// The sides an item stands on.
pub(crate) const A: u8 = 1;
/// The other side.
pub(crate) const B: u8 = 2;

/// Determining items kept for one cell and side.
const BECAUSE_MAX: usize = 12;

/// One piece of some rules.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) piece: Piece,
    pub(crate) level: Level,
    /// `A`, `B` or both.
    pub(crate) sides: u8,
}

/// What cells are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Those where the sides differ.
    Differ,
    /// Those where side `A` ends below this level.
    Below(Level),
}

/// What is left of a dimension in a cell; many cells share it.
pub(crate) type Cut = (Dim, Rc<Classes>);

/// A settled cell.
#[derive(Debug)]
pub(crate) struct Cell<'a> {
    /// The dimensions it is cut along, with what is left of each.
    pub(crate) cuts: &'a [Cut],
    /// The outcome of each side.
    pub(crate) levels: [Level; 2],
    /// Items that decide it, of each side: some of them.
    pub(crate) because: &'a [Vec<u32>; 2],
}

/// The walk ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The one who takes the cells has enough.
    Enough,
    /// The work allowed is done.
    Exhausted,
}

/// A walk over items of one shape.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) space: &'a Space,
    pub(crate) sets: &'a Sets,
    pub(crate) shape: Shape,
    pub(crate) items: &'a [Item],
    pub(crate) goal: Goal,
    /// How many more items may be looked at.
    pub(crate) effort: u64,
    /// What is left of each item's piece inside the part that is walked.
    pieces: Vec<Vec<(Dim, u32)>>,
}

/// An item in a cell.
#[derive(Debug, Clone, Copy)]
struct Live {
    id: u32,
    /// Its place among `pieces`.
    at: u32,
    /// In how many dimensions it does not span the cell.
    partial: u16,
    level: Level,
    sides: u8,
}

#[derive(Debug, Clone, Default)]
struct Settled {
    levels: [Level; 2],
    because: [Vec<u32>; 2],
}

/// The classes of one cut in which the same items are active.
struct Group {
    ranges: Vec<(u32, u32)>,
    active: Vec<Live>,
    /// How many of the active ones were added only to be named.
    named: usize,
}

/// Items by what matters for the outlook of a cell.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Level, then sides.
    partial: [[u32; 4]; 8],
    spanning: [[u32; 4]; 8],
}

impl Tally {
    fn change(&mut self, live: Live, by: i32) {
        let counts = if live.partial == 0 { &mut self.spanning } else { &mut self.partial };
        let count = counts.get_mut(usize::from(live.level)).and_then(|row| row.get_mut(usize::from(live.sides)));
        if let Some(count) = count {
            *count = count.wrapping_add_signed(by);
        }
    }

    /// The strictest of those that span the cell, on a side.
    fn highest(&self, side: u8) -> Level {
        let has = |row: &[u32; 4]| (0_u8..).zip(row).any(|(sides, count)| sides & side != 0 && *count > 0);
        (0_u8..).zip(&self.spanning).filter(|(_, row)| has(row)).map(|(level, _)| level).max().unwrap_or(0)
    }
}

impl<'a> Search<'a> {
    /// A walk that looks at no more than `effort` items.
    pub(crate) fn new(
        space: &'a Space,
        sets: &'a Sets,
        shape: Shape,
        items: &'a [Item],
        goal: Goal,
        effort: u64,
    ) -> Self {
        Self { space, sets, shape, items, goal, effort, pieces: Vec::new() }
    }

    /// Walks the part of the space in `within` (pieces of a product), from `start` levels on.
    ///
    /// # Errors
    /// [`Stop`], when not everything was walked.
    pub(crate) fn run(
        &mut self,
        within: &[(Dim, Classes)],
        start: [Level; 2],
        take: &mut dyn FnMut(Cell<'_>) -> ControlFlow<()>,
    ) -> Result<(), Stop> {
        self.pieces.clear();
        let mut live = Vec::with_capacity(self.items.len());
        for (id, item) in (0..).zip(self.items) {
            let inside = |dim: Dim| within.iter().find(|(each, _)| *each == dim).map(|(_, inside)| inside);
            if item
                .piece
                .0
                .iter()
                .any(|(dim, set)| inside(*dim).is_some_and(|in_it| !self.sets.get(*set).overlaps(in_it)))
            {
                continue;
            }
            let crosses =
                |(dim, set): &&(Dim, u32)| inside(*dim).is_none_or(|in_it| !self.sets.get(*set).covers(in_it));
            let piece: Vec<(Dim, u32)> = item.piece.0.iter().filter(crosses).copied().collect();
            let partial = u16::try_from(piece.len()).unwrap_or(u16::MAX);
            let at = u32::try_from(self.pieces.len()).unwrap_or(u32::MAX);
            self.pieces.push(piece);
            live.push(Live { id, at, partial, level: item.level, sides: item.sides });
        }
        let mut cuts: Vec<Cut> = within.iter().map(|(dim, inside)| (*dim, Rc::new(inside.clone()))).collect();
        self.visit(&mut cuts, &mut Vec::new(), live, Settled { levels: start, ..Settled::default() }, take)
    }

    fn visit(
        &mut self,
        cuts: &mut Vec<Cut>,
        done: &mut Vec<Dim>,
        mut live: Vec<Live>,
        mut settled: Settled,
        take: &mut dyn FnMut(Cell<'_>) -> ControlFlow<()>,
    ) -> Result<(), Stop> {
        let cost = u64::try_from(live.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.effort = self.effort.checked_sub(cost).ok_or(Stop::Exhausted)?;
        settle(&mut live, &mut settled);
        let changed = live.iter().any(|item| item.sides != A | B);
        if self.is_dull(settled.levels, changed) {
            return Ok(());
        }
        if live.is_empty() {
            let cell = Cell { cuts, levels: settled.levels, because: &settled.because };
            return match take(cell) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Stop::Enough),
            };
        }
        // An item that does not span the cell is partial in some dimension that was not cut.
        let Some(dim) = self.best_cut(cuts, done, &live) else { return Ok(()) };
        let (crossing, spanning): (Vec<Live>, Vec<Live>) =
            live.into_iter().partition(|live| self.set_in(*live, dim).is_some());
        let universe = self.left_of(cuts, dim);
        let groups = self.groups(dim, done, settled.levels, &universe, &crossing);
        let at = cuts.iter().position(|(each, _)| *each == dim);
        done.push(dim);
        let mut result = Ok(());
        for group in groups {
            let mut inside = group.active;
            let floor = floor_of(settled.levels, &inside);
            inside.extend(spanning.iter().filter(|item| item.level > floor));
            let ranges = Rc::new(Classes::of(group.ranges));
            match at.and_then(|at| cuts.get_mut(at)) {
                Some(cut) => cut.1 = ranges,
                None => cuts.push((dim, ranges)),
            }
            result = self.visit(cuts, done, inside, settled.clone(), take);
            if at.is_none() {
                cuts.pop();
            }
            if result.is_err() {
                break;
            }
        }
        if let Some(cut) = at.and_then(|at| cuts.get_mut(at)) {
            cut.1 = universe;
        }
        done.pop();
        result
    }

    /// Whether a cell can hold nothing wanted.
    fn is_dull(&self, levels: [Level; 2], changed: bool) -> bool {
        match self.goal {
            Goal::Differ => levels[0] == levels[1] && !changed,
            Goal::Below(level) => levels[0] >= level,
        }
    }

    fn left_of(&self, cuts: &[Cut], dim: Dim) -> Rc<Classes> {
        let cut = cuts.iter().find(|(each, _)| *each == dim);
        cut.map_or_else(|| Rc::new(self.space.universe(self.shape, dim)), |(_, left)| Rc::clone(left))
    }

    fn piece(&self, live: Live) -> &[(Dim, u32)] {
        let at = usize::try_from(live.at).unwrap_or(usize::MAX);
        self.pieces.get(at).map_or(&[], Vec::as_slice)
    }

    fn set_in(&self, live: Live, dim: Dim) -> Option<&'a Classes> {
        let piece = self.piece(live);
        piece.iter().find(|(each, _)| *each == dim).map(|(_, set)| self.sets.get(*set))
    }

    /// The dimension whose cut leaves the least to do.
    fn best_cut(&mut self, cuts: &[Cut], done: &[Dim], live: &[Live]) -> Option<Dim> {
        let mut counts: Vec<(Dim, u32)> = Vec::new();
        for item in live {
            for (dim, _) in self.piece(*item).iter().filter(|(dim, _)| !done.contains(dim)) {
                match counts.iter_mut().find(|(each, _)| each == dim) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((*dim, 1)),
                }
            }
        }
        // LIMIT: many values of inputs make many dimensions; only those most items care for compete.
        counts.sort_unstable_by_key(|(dim, count)| (std::cmp::Reverse(*count), *dim));
        if counts.len() <= 1 || live.len() <= 2 {
            return counts.first().map(|(dim, _)| *dim);
        }
        let tries: Vec<Dim> = counts.iter().take(6).map(|(dim, _)| *dim).collect();
        let looks = u64::try_from(live.len()).unwrap_or(u64::MAX);
        self.effort = self.effort.saturating_sub(looks);
        tries.into_iter().min_by_key(|dim| self.cost(cuts, *dim, live))
    }

    /// How many items a cut along `dim` would leave in all cells together.
    fn cost(&self, cuts: &[Cut], dim: Dim, live: &[Live]) -> u64 {
        let mut tally = Tally::default();
        let mut crossing = Vec::new();
        for item in live {
            match self.set_in(*item, dim) {
                Some(_) => crossing.push(*item),
                None => tally.change(*item, 1),
            }
        }
        let universe = self.left_of(cuts, dim);
        let mut cost = 0_u64;
        sweep(self, dim, &universe, &crossing, |event| match event {
            Event::Enter(at) => {
                crossing.get(at).copied().map(after_cut).into_iter().for_each(|item| tally.change(item, 1));
            }
            Event::Leave(at) => {
                crossing.get(at).copied().map(after_cut).into_iter().for_each(|item| tally.change(item, -1));
            }
            Event::Segment(..) => cost = cost.saturating_add(self.outlook(&tally)),
        });
        cost
    }

    /// How many items are left to look at in a cell with these.
    fn outlook(&self, tally: &Tally) -> u64 {
        let levels = [tally.highest(A), tally.highest(B)];
        let (mut left, mut changed) = (0_u64, false);
        for (level, row) in (0_u8..).zip(&tally.partial) {
            for (sides, count) in (0_u8..).zip(row).filter(|(_, count)| **count > 0) {
                let sides = matters(level, sides, levels);
                if sides != 0 {
                    left += u64::from(*count);
                    changed |= sides != A | B;
                }
            }
        }
        if self.is_dull(levels, changed) { 0 } else { left + 1 }
    }

    /// The groups of a cut: classes that leave the same to be looked at, and settle the same.
    ///
    /// Which items those are makes no difference, only what is left of them: a thousand rules that
    /// each name one host are one group once the hosts are cut.
    fn groups(&self, dim: Dim, done: &[Dim], settled: [Level; 2], universe: &Classes, crossing: &[Live]) -> Vec<Group> {
        let marks: Vec<u128> = crossing.iter().map(|item| self.mark(*item, dim, done)).collect();
        let mut groups: Vec<Group> = Vec::new();
        let mut by_key: HashMap<u128, usize, foldhash::fast::FixedState> = HashMap::default();
        let (mut active, mut place) = (Vec::<usize>::new(), vec![usize::MAX; crossing.len()]);
        let (mut tally, mut sums) = (Tally::default(), Sums::default());
        let at_of = |at: usize| crossing.get(at).copied().map(after_cut);
        sweep(self, dim, universe, crossing, |event| match event {
            Event::Enter(at) => {
                if let Some(place) = place.get_mut(at) {
                    *place = active.len();
                }
                active.push(at);
                if let Some((item, mark)) = at_of(at).zip(marks.get(at)) {
                    tally.change(item, 1);
                    sums.change(item, |sum| sum.wrapping_add(*mark));
                }
            }
            Event::Leave(at) => {
                let Some(hole) = place.get(at).copied().filter(|hole| *hole < active.len()) else { return };
                active.swap_remove(hole);
                if let Some(moved) = active.get(hole).and_then(|moved| place.get_mut(*moved)) {
                    *moved = hole;
                }
                if let Some((item, mark)) = at_of(at).zip(marks.get(at)) {
                    tally.change(item, -1);
                    sums.change(item, |sum| sum.wrapping_sub(*mark));
                }
            }
            Event::Segment(from, to) => {
                let levels = [settled[0].max(tally.highest(A)), settled[1].max(tally.highest(B))];
                let decides = |item: &Live| {
                    item.partial == 0
                        && (item.sides & A != 0 && item.level == levels[0]
                            || item.sides & B != 0 && item.level == levels[1])
                };
                let items = || active.iter().filter_map(|at| at_of(*at));
                let key = sums.key(levels);
                let known = by_key.get(&key).copied();
                let at = *by_key.entry(key).or_insert(groups.len());
                if known.is_none() {
                    let counts =
                        |item: &Live| decides(item) || item.partial > 0 && matters(item.level, item.sides, levels) != 0;
                    let active = items().filter(counts).collect();
                    groups.push(Group { ranges: Vec::new(), active, named: 0 });
                }
                let Some(group) = groups.get_mut(at) else { return };
                group.ranges.push((from, to));
                // More of those who decide are kept, to be named.
                if known.is_some() && group.named < BECAUSE_MAX {
                    let before = group.active.len();
                    group.active.extend(items().filter(decides).take(BECAUSE_MAX - group.named));
                    group.named += group.active.len() - before;
                }
            }
        });
        groups
    }

    /// 128 bits that stand for what is left of an item after a cut.
    fn mark(&self, live: Live, dim: Dim, done: &[Dim]) -> u128 {
        let left = self.piece(live).iter().filter(|(each, _)| *each != dim && !done.contains(each));
        left.fold(u128::from(live.level), |mark, (dim, set)| {
            mixed(mark ^ (u128::from(*dim) << 32 | u128::from(*set) | 1 << 64))
        })
    }
}

/// Adds what spans the cell to what is settled, and drops what can no longer matter.
fn settle(live: &mut Vec<Live>, settled: &mut Settled) {
    for item in live.iter().filter(|item| item.partial == 0) {
        for ((side, level), because) in [A, B].into_iter().zip(&mut settled.levels).zip(&mut settled.because) {
            if item.sides & side == 0 || item.level < *level {
                continue;
            }
            if item.level > *level {
                *level = item.level;
                because.clear();
            }
            if because.len() < BECAUSE_MAX && !because.contains(&item.id) {
                because.push(item.id);
            }
        }
    }
    let levels = settled.levels;
    live.retain_mut(|item| {
        item.sides = matters(item.level, item.sides, levels);
        item.partial > 0 && item.sides != 0
    });
}

/// The sides on which an item of a level can still change the outcome.
fn matters(level: Level, sides: u8, levels: [Level; 2]) -> u8 {
    let above = |side: u8, settled: Level| if level > settled { side } else { 0 };
    sides & (above(A, levels[0]) | above(B, levels[1]))
}

/// What is settled on both sides at least, once these are active.
fn floor_of(levels: [Level; 2], active: &[Live]) -> Level {
    let highest = |side: u8, level: Level| {
        let spans = active.iter().filter(|item| item.partial == 0 && item.sides & side != 0);
        spans.map(|item| item.level).max().unwrap_or(0).max(level)
    };
    highest(A, levels[0]).min(highest(B, levels[1]))
}

/// An item once the dimension it crosses is cut.
fn after_cut(live: Live) -> Live {
    Live { partial: live.partial.saturating_sub(1), ..live }
}

/// Spreads a number over 128 bits.
fn mixed(from: u128) -> u128 {
    let half = |bits: u128, seed: u64| {
        let mut z = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0) ^ seed;
        z = z.wrapping_add(u64::try_from(bits >> 64).unwrap_or(0).wrapping_mul(0xd6e8_feb8_6659_fd93));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(z ^ (z >> 31))
    };
    half(from, 0x9e37_79b9_7f4a_7c15) << 64 | half(from.rotate_left(29), 0x5851_f42d_4c95_7f2d)
}

/// The marks of the active items that do not span their cell, added up by level and sides.
///
/// LIMIT: groups are told apart by 128 bits of these sums.
#[derive(Clone, Copy, Default)]
struct Sums([[u128; 4]; 8]);

impl Sums {
    fn change(&mut self, live: Live, by: impl Fn(u128) -> u128) {
        let sum = self.0.get_mut(usize::from(live.level)).and_then(|row| row.get_mut(usize::from(live.sides)));
        if let Some(sum) = sum.filter(|_| live.partial > 0) {
            *sum = by(*sum);
        }
    }

    /// What two cells share that settle the same and leave the same.
    fn key(&self, levels: [Level; 2]) -> u128 {
        let mut key = mixed(u128::from(levels[0]) << 8 | u128::from(levels[1]) | 1 << 100);
        for (level, row) in (0_u8..).zip(&self.0) {
            let mut left = [0_u128; 4];
            for (sides, sum) in (0_u8..).zip(row) {
                let still = usize::from(matters(level, sides, levels));
                left.get_mut(still).into_iter().for_each(|left| *left = left.wrapping_add(*sum));
            }
            for (sides, sum) in (0_u8..).zip(left).skip(1).filter(|(_, sum)| *sum != 0) {
                key = mixed(key ^ sum ^ mixed(u128::from(level) << 8 | u128::from(sides)));
            }
        }
        key
    }
}

enum Event {
    Enter(usize),
    Leave(usize),
    /// Classes in which the active items are the same.
    Segment(u32, u32),
}

/// Walks one dimension from its first class to its last.
fn sweep(search: &Search<'_>, dim: Dim, universe: &Classes, crossing: &[Live], mut see: impl FnMut(Event)) {
    let mut events: Vec<(u32, u32)> = Vec::with_capacity(crossing.len() * 2);
    let far = u32::try_from(crossing.len()).unwrap_or(u32::MAX);
    for (at, item) in (0_u32..).zip(crossing) {
        for (from, to) in search.set_in(*item, dim).into_iter().flat_map(Classes::ranges) {
            // Ends sort before beginnings at the same class.
            events.push((*from, far + at));
            events.push((*to, at));
        }
    }
    events.sort_unstable();
    let mut events = events.into_iter().peekable();
    for (start, end) in universe.ranges() {
        let mut at = *start;
        while at < *end {
            while let Some((_, event)) = events.next_if(|(place, _)| *place <= at) {
                let index = |event: u32| usize::try_from(event).unwrap_or(usize::MAX);
                see(if event < far { Event::Leave(index(event)) } else { Event::Enter(index(event - far)) });
            }
            let next = events.peek().map_or(*end, |(place, _)| (*place).min(*end));
            see(Event::Segment(at, next));
            at = next;
        }
    }
}
