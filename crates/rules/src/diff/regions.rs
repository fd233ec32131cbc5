//! Regions joined into as few as neighbours allow.

use std::collections::hash_map::Entry;
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
    let mut kept = Vec::with_capacity(raws.len());
    let mut by_key: HashMap<Key, usize, foldhash::fast::FixedState> = HashMap::default();
    let mut joining: Vec<(Vec<u32>, Raw)> = Vec::new();
    for mut raw in raws {
        let Some(at) = raw.cuts.iter().position(|(each, _)| *each == dim) else {
            kept.push(raw);
            continue;
        };
        let (_, set) = raw.cuts.remove(at);
        // The cuts wait in the key, and come back below.
        let key = (raw.shapes, raw.levels, std::mem::take(&mut raw.cuts));
        match by_key.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(joining.len());
                joining.push((vec![set], raw));
            }
            Entry::Occupied(entry) => {
                if let Some((joined, same)) = joining.get_mut(*entry.get()) {
                    joined.push(set);
                    same.take_because(raw.because);
                }
            }
        }
    }
    for ((.., cuts), at) in by_key {
        if let Some((_, raw)) = joining.get_mut(at) {
            raw.cuts = cuts;
        }
    }
    for (joined, mut raw) in joining {
        if let [only] = joined.as_slice() {
            let at = raw.cuts.partition_point(|(each, _)| *each < dim);
            raw.cuts.insert(at, (dim, *only));
            kept.push(raw);
            continue;
        }
        let union = Classes::of(joined.iter().flat_map(|set| sets.get(*set).ranges().to_vec()));
        let mut shapes = Shape::ALL.into_iter().filter(|shape| raw.shapes & shape.bit() != 0);
        if !shapes.all(|shape| space.universe(shape, dim) == union) {
            let at = raw.cuts.partition_point(|(each, _)| *each < dim);
            raw.cuts.insert(at, (dim, sets.id(union)));
        }
        kept.push(raw);
    }
    kept
}

/// Joins regions of different shapes, and then along the dimensions if that joined any.
pub(super) fn merged_across(raws: Vec<Raw>, space: &Space, sets: &mut Sets) -> Vec<Raw> {
    let before = raws.len();
    let raws = across(raws);
    if raws.len() == before { raws } else { merged(raws, space, sets) }
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
