//! A persistent map of records by their own id: cloning it is one pointer, changing it copies a
//! few nodes of pointers. Keys are read from the records, so no id is stored twice.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use imbl::shared_ptr::DefaultSharedPtr;

/// The hasher of every map in a snapshot. Randomly seeded: callers choose some of the ids.
pub(super) type Seed = foldhash::quality::RandomState;

/// A persistent map with that hasher.
pub(super) type Map<K, V> = imbl::GenericHashMap<K, V, Seed, DefaultSharedPtr>;

/// A record that knows the id it is found by.
pub(super) trait Keyed {
    /// The id.
    fn key(&self) -> &str;
}

impl<T: Keyed> Keyed for Arc<T> {
    fn key(&self) -> &str {
        (**self).key()
    }
}

#[derive(Clone)]
struct Slot<T>(T);

impl<T: Keyed> Hash for Slot<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key().hash(state);
    }
}

impl<T: Keyed> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl<T: Keyed> Eq for Slot<T> {}

impl<T: Keyed> std::borrow::Borrow<str> for Slot<T> {
    fn borrow(&self) -> &str {
        self.0.key()
    }
}

/// The map. `T` should be cheap to clone.
#[derive(Clone)]
pub(super) struct Shelf<T>(Map<Slot<T>, ()>);

impl<T: Keyed + Clone> Shelf<T> {
    pub(super) fn new() -> Self {
        Self(Map::with_hasher(Seed::default()))
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.0.get_key_value(id).map(|(slot, ())| &slot.0)
    }

    /// Puts a record in place of the one with its id.
    pub(super) fn put(&mut self, record: T) {
        // The map replaces the key too, and the key is the record.
        self.0.insert(Slot(record), ());
    }

    /// The same, returning the record that was there.
    pub(super) fn replace(&mut self, record: T) -> Option<T> {
        let before = self.get(record.key()).cloned();
        self.put(record);
        before
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        self.0.remove_with_key(id).map(|(slot, ())| slot.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: Keyed + Clone> fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records", self.len())
    }
}
