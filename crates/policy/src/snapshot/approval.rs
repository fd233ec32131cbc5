//! Approvals that were given, and the index that finds the one covering an ask.
//!
//! Approvals of one action fall into few *shapes* (which fields of the scope must match). Per shape
//! the values that must match are hashed into a bucket, and a bucket is sorted by the end of its
//! approvals. So a search is one look-up per shape in use, whatever the number of approvals, and
//! expired ones are never walked over. The hash only finds candidates:
//! [`ApprovalScope::covers`] has the last word.

use std::cell::Cell;
use std::hash::BuildHasher;
use std::sync::Arc;

use model::approval::{ApprovalScope, ScopeKind};
use model::{Action, ApprovalId, Ask, PrincipalId, Time, WorkspaceId};
use smallvec::SmallVec;

use super::shelf::{Keyed, Map, Seed, Shelf};

/// An approval that was given and not used up or revoked; it may have expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub approval_id: ApprovalId,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// The action it is for.
    pub action: Action,
    /// What it covers.
    pub scope: ApprovalScope,
    /// The digest of the ask that raised it, when one did.
    pub ask_digest: Option<String>,
    /// The first moment it no longer counts.
    pub expires_at: Option<Time>,
}

impl Approval {
    /// Whether its first use consumes it.
    #[must_use]
    pub fn once(&self) -> bool {
        self.scope.kind == ScopeKind::Once
    }

    /// Whether it no longer counts at `now`.
    #[must_use]
    pub fn expired(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// Its place among approvals that fit as well: the one that ends first, then the lowest id.
    fn place(&self) -> (i64, &ApprovalId) {
        (self.expires_at.map_or(i64::MAX, Time::as_millis), &self.approval_id)
    }
}

impl Keyed for Approval {
    fn key(&self) -> &str {
        self.approval_id.as_str()
    }
}

/// Which fields of a scope an ask must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    kind: ScopeKind,
    /// Digest, room, run, domain, method, principal, tool. A port is left to [`ApprovalScope::covers`].
    wanted: [bool; FIELDS],
}

/// Fields a shape can have, in the order their hashes are kept.
const FIELDS: usize = 7;

/// The values of those fields, of an approval or of an ask, each hashed at most once.
struct Values<'a> {
    seed: &'a Seed,
    action: u64,
    texts: [Option<&'a str>; FIELDS],
    hashes: [Cell<Option<u64>>; FIELDS],
}

impl Shape {
    fn of(approval: &Approval) -> Self {
        let scope = &approval.scope;
        let kind = scope.kind;
        let digest = kind == ScopeKind::Once && approval.ask_digest.is_some();
        let free_once = kind == ScopeKind::Once && !digest;
        let wanted = [
            digest,
            kind == ScopeKind::Room || free_once && scope.room_id.is_some(),
            kind == ScopeKind::Run || free_once && scope.run_id.is_some(),
            scope.target_domain.is_some(),
            scope.method.is_some(),
            scope.principal_id.is_some(),
            scope.tool_name.is_some(),
        ];
        Self { kind, wanted }
    }

    /// The bucket of these values; `None` when one that must match is missing.
    fn bucket(self, values: &Values<'_>) -> Option<u64> {
        let start = values.action ^ self.kind as u64;
        self.wanted.iter().enumerate().filter(|(_, wanted)| **wanted).try_fold(start, |so_far, (field, _)| {
            // The place of the field is mixed in, so that a room never stands for a run.
            Some((so_far.rotate_left(23) ^ values.hash(field)?).wrapping_mul(SPREAD).wrapping_add(field as u64))
        })
    }
}

/// An odd number without pattern (the golden ratio's bits).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl<'a> Values<'a> {
    fn new(seed: &'a Seed, action: &Action, texts: [Option<&'a str>; FIELDS]) -> Self {
        Self { seed, action: seed.hash_one(action), texts, hashes: Default::default() }
    }

    fn of_approval(seed: &'a Seed, approval: &'a Approval) -> Self {
        let scope = &approval.scope;
        let texts = [
            approval.ask_digest.as_deref(),
            scope.room_id.as_ref().map(AsRef::as_ref),
            scope.run_id.as_ref().map(AsRef::as_ref),
            scope.target_domain.as_deref(),
            scope.method.as_deref(),
            scope.principal_id.as_ref().map(AsRef::as_ref),
            scope.tool_name.as_deref(),
        ];
        Self::new(seed, &approval.action, texts)
    }

    fn of_ask(seed: &'a Seed, ask: &'a Ask, asker: Option<&'a PrincipalId>) -> Self {
        let texts = [
            ask.ask_digest.as_deref(),
            ask.room_id.as_ref().map(AsRef::as_ref),
            ask.run_id.as_ref().map(AsRef::as_ref),
            ask.target_domain(),
            ask.method(),
            asker.map(AsRef::as_ref),
            ask.tool_name(),
        ];
        Self::new(seed, &ask.action, texts)
    }

    fn hash(&self, field: usize) -> Option<u64> {
        let text = (*self.texts.get(field)?)?;
        let kept = self.hashes.get(field)?;
        let hash = kept.get().unwrap_or_else(|| self.seed.hash_one(text));
        kept.set(Some(hash));
        Some(hash)
    }
}

/// Approvals that the same asks match, sorted by when they end, then by id.
type Bucket = SmallVec<[Arc<Approval>; 1]>;

/// The approvals of one workspace.
#[derive(Debug, Clone)]
pub(super) struct Approvals {
    seed: Seed,
    shapes: Map<Action, SmallVec<[(Shape, usize); 2]>>,
    by_id: Shelf<Arc<Approval>>,
    buckets: Map<u64, Bucket>,
}

impl Approvals {
    pub(super) fn new() -> Self {
        Self {
            seed: Seed::default(),
            shapes: Map::with_hasher(Seed::default()),
            by_id: Shelf::new(),
            buckets: Map::with_hasher(Seed::default()),
        }
    }

    pub(super) fn put(&mut self, approval: Approval) {
        self.remove(&approval.approval_id);
        let approval = Arc::new(approval);
        let shape = Shape::of(&approval);
        // An approval for a room or run that names none covers nothing.
        let Some(bucket) = shape.bucket(&Values::of_approval(&self.seed, &approval)) else { return };
        let shapes = self.shapes.entry(approval.action.clone()).or_default();
        match shapes.iter_mut().find(|(each, _)| *each == shape) {
            Some((_, count)) => *count += 1,
            None => shapes.push((shape, 1)),
        }
        let bucket = self.buckets.entry(bucket).or_default();
        bucket.insert(bucket.partition_point(|each| each.place() < approval.place()), Arc::clone(&approval));
        self.by_id.put(approval);
    }

    pub(super) fn remove(&mut self, id: &ApprovalId) {
        let Some(approval) = self.by_id.remove(id.as_str()) else { return };
        let shape = Shape::of(&approval);
        if let Some(shapes) = self.shapes.get_mut(&approval.action) {
            for (_, count) in shapes.iter_mut().filter(|(each, _)| *each == shape) {
                *count -= 1;
            }
            shapes.retain(|(_, count)| *count > 0);
            if shapes.is_empty() {
                self.shapes.remove(&approval.action);
            }
        }
        let Some(key) = shape.bucket(&Values::of_approval(&self.seed, &approval)) else { return };
        if let Some(bucket) = self.buckets.get_mut(&key) {
            bucket.retain(|each| each.approval_id != *id);
            if bucket.is_empty() {
                self.buckets.remove(&key);
            }
        }
    }

    /// The approval to use for `ask`: one that lasts before a `once`, then the one that ends first,
    /// then the lowest id.
    pub(super) fn find(
        &self,
        ask: &Ask,
        asker: Option<&PrincipalId>,
        now: Time,
        without: &[ApprovalId],
    ) -> Option<&Approval> {
        let shapes = self.shapes.get(&ask.action)?;
        let values = Values::of_ask(&self.seed, ask, asker);
        let fits = |approval: &&Approval| {
            !without.contains(&approval.approval_id)
                && approval.scope.covers(&approval.action, approval.ask_digest.as_deref(), ask, asker)
        };
        shapes
            .iter()
            .filter_map(|(shape, _)| {
                let bucket = self.buckets.get(&shape.bucket(&values)?)?;
                let live = bucket.partition_point(|approval| approval.expired(now));
                bucket.get(live..)?.iter().map(|approval| &**approval).find(fits)
            })
            .min_by_key(|approval| (approval.once(), approval.place()))
    }
}
