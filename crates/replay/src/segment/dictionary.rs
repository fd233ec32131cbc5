//! Every different thing once, in the order in which it came.

use std::hash::Hash;

use foldhash::HashMap;

/// Things by their number.
#[derive(Debug, Clone)]
pub(super) struct Dictionary<T> {
    numbers: HashMap<T, u32>,
    things: Vec<T>,
}

impl<T: Hash + Eq + Clone> Dictionary<T> {
    pub(super) fn new() -> Self {
        Self { numbers: HashMap::default(), things: Vec::new() }
    }

    pub(super) fn number(&mut self, thing: T) -> u32 {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        self.add(thing)
    }

    fn add(&mut self, thing: T) -> u32 {
        // LIMIT: a segment has some thousand million different things at most, far from the end of u32.
        let number = u32::try_from(self.things.len()).unwrap_or(u32::MAX);
        self.things.push(thing.clone());
        self.numbers.insert(thing, number);
        number
    }

    pub(super) fn things(&self) -> &[T] {
        &self.things
    }
}

impl Dictionary<Box<str>> {
    /// The same for a text that is only borrowed.
    pub(super) fn text(&mut self, text: &str) -> u32 {
        match self.numbers.get(text) {
            Some(number) => *number,
            None => self.add(text.into()),
        }
    }
}
