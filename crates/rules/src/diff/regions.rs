//! Regions joined into as few as neighbours allow.

use std::collections::{BTreeSet, HashMap};

use crate::space::classes::{Classes, Sets};
use crate::space::search::Level;
use crate::space::{Dim, Shape, Space};

/// Rules named for one region and side.
const BECAUSE_MAX: usize = 12;
/// Rounds of joining; more never help much.
const ROUNDS_MAX: usize = 6;

/// A region: in each dimension listed one of these classes (sets by number, sorted), in these shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) shapes: u8,
    pub(super) levels: [Level; 2],
    pub(super) cuts: Vec<(Dim, u32)>,
    pub(super) because: [Vec<u32>; 2],
}

impl Raw {
    /// Its cuts with their classes.
    pub(super) fn cuts(&self, sets: &Sets) -> Vec<(Dim, Classes)> {
        self.cuts.iter().map(|(dim, set)| (*dim, sets.get(*set).clone())).collect()
    }

    fn take_because(&mut self, other: [Vec<u32>; 2]) {
        for (mine, theirs) in self.because.iter_mut().zip(other) {
            for rule in theirs {
                if mine.len() < BECAUSE_MAX && !mine.contains(&rule) {
                    mine.push(rule);
                }
            }
        }
    }
}

/// What two regions must share to be joined along one dimension: all but that one.
type Key = (u8, [Level; 2], Vec<(Dim, u32)>);

/// Joins regions that have the same outcome and differ in one dimension, or in their shapes, only.
pub(super) fn merged(mut raws: Vec<Raw>, space: &Space, sets: &mut Sets) -> Vec<Raw> {
    for _ in 0..ROUNDS_MAX {
        let before = raws.len();
        let dims: BTreeSet<Dim> = raws.iter().flat_map(|raw| raw.cuts.iter().map(|(dim, _)| *dim)).collect();
        for dim in dims {
            raws = along(dim, raws, space, sets);
        }
        raws = across(raws);
        if raws.len() == before {
            break;
        }
    }
    for raw in &mut raws {
        raw.because.iter_mut().for_each(|rules| rules.truncate(BECAUSE_MAX));
    }
    raws
}

fn along(dim: Dim, raws: Vec<Raw>, space: &Space, sets: &mut Sets) -> Vec<Raw> {
    let (mut kept, mut by_key) =
        (Vec::with_capacity(raws.len()), HashMap::<Key, usize, foldhash::fast::FixedState>::default());
    let mut ranges: Vec<Vec<u32>> = Vec::new();
    let mut joining: Vec<Raw> = Vec::new();
    for mut raw in raws {
        let Some(at) = raw.cuts.iter().position(|(each, _)| *each == dim) else {
            kept.push(raw);
            continue;
        };
        let (_, set) = raw.cuts.remove(at);
        let key = (raw.shapes, raw.levels, raw.cuts.clone());
        let place = *by_key.entry(key).or_insert_with(|| {
            joining.push(Raw { because: Default::default(), ..raw.clone() });
            ranges.push(Vec::new());
            joining.len() - 1
        });
        ranges.get_mut(place).into_iter().for_each(|ranges| ranges.push(set));
        joining.get_mut(place).into_iter().for_each(|joint| joint.take_because(std::mem::take(&mut raw.because)));
    }
    for (mut raw, joined) in joining.into_iter().zip(ranges) {
        let union = match joined.as_slice() {
            [only] => sets.get(*only).clone(),
            many => Classes::of(many.iter().flat_map(|set| sets.get(*set).ranges().to_vec())),
        };
        let mut shapes = Shape::ALL.into_iter().filter(|shape| raw.shapes & shape.bit() != 0);
        if !shapes.all(|shape| space.universe(shape, dim) == union) {
            let at = raw.cuts.partition_point(|(each, _)| *each < dim);
            raw.cuts.insert(at, (dim, sets.id(union)));
        }
        kept.push(raw);
    }
    kept
}

/// What two regions must share to be joined across shapes.
type Anywhere = ([Level; 2], Vec<(Dim, u32)>);

fn across(raws: Vec<Raw>) -> Vec<Raw> {
    let mut by_key: HashMap<Anywhere, usize, foldhash::fast::FixedState> = HashMap::default();
    let mut kept: Vec<Raw> = Vec::with_capacity(raws.len());
    for raw in raws {
        match by_key.get(&(raw.levels, raw.cuts.clone())).and_then(|at| kept.get_mut(*at)) {
            Some(same) => {
                same.shapes |= raw.shapes;
                same.take_because(raw.because);
            }
            None => {
                by_key.insert((raw.levels, raw.cuts.clone()), kept.len());
                kept.push(raw);
            }
        }
    }
    kept
}
