//! Texts of tokens that were checked already: two generations of a bounded map, so that forgetting
//! costs nothing and what is used stays.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Bound;

/// LIMIT: how many texts a generation holds; at most twice as many are remembered.
const GENERATION_MAX: usize = 8_192;

/// The texts, known by their SHA-256. A text stays what it is as long as the process has its install
/// secret, so nothing ever has to be taken out: that a token ended is not known here at all.
#[derive(Default)]
pub(crate) struct Seen {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], Arc<Bound>>,
    old: HashMap<[u8; 32], Arc<Bound>>,
}

impl Seen {
    pub(super) fn get(&self, digest: &[u8; 32]) -> Option<Arc<Bound>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = generations.young.get(digest) {
            return Some(Arc::clone(bound));
        }
        let bound = generations.old.remove(digest)?;
        generations.put(*digest, Arc::clone(&bound));
        Some(bound)
    }

    pub(super) fn put(&self, digest: [u8; 32], bound: &Arc<Bound>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.put(digest, Arc::clone(bound));
    }
}

impl Generations {
    fn put(&mut self, digest: [u8; 32], bound: Arc<Bound>) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{KeyId, TokenId, WorkspaceId};

    fn bound() -> Arc<Bound> {
        Arc::new(Bound {
            workspace_id: WorkspaceId::parse("ws").unwrap(),
            token_id: TokenId::parse("t").unwrap(),
            narrowing: None,
            uses: Arc::new([]),
            key_id: KeyId::parse("cap1.t").unwrap(),
        })
    }

    fn digest(n: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_le_bytes());
        digest
    }

    #[test]
    fn stays_bounded_and_keeps_what_is_used() {
        let (seen, bound) = (Seen::default(), bound());
        for n in 0..10 * GENERATION_MAX {
            seen.put(digest(n), &bound);
            assert!(seen.get(&digest(0)).is_some(), "used all the time: {n}");
        }
        let generations = seen.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION_MAX);
        drop(generations);
        assert!(seen.get(&digest(1)).is_none(), "not used for long");
    }
}
