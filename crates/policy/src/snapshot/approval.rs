//! Approvals that were given, and the index that finds the one covering an ask.
//!
//! Approvals of one action fall into few *shapes* (which fields of the scope must match). Per shape
//! the values that must match are hashed into a bucket; buckets lie in one ordered map, each sorted by
//! the end of its approvals. So a search is one descent per shape in use, whatever the number of
//! approvals, and expired ones are never walked over. The hash only finds candidates:
//! [`ApprovalScope::covers`] has the last word.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use imbl::OrdMap;
use model::approval::{ApprovalScope, ScopeKind};
use model::{Action, ApprovalId, Ask, PrincipalId, Time, WorkspaceId};
use smallvec::SmallVec;

use super::shelf::{Map, Seed};

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

    fn ends(&self) -> i64 {
        self.expires_at.map_or(i64::MAX, Time::as_millis)
    }
}

/// Which fields of a scope an ask must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    kind: ScopeKind,
    digest: bool,
    room: bool,
    run: bool,
    domain: bool,
    method: bool,
    principal: bool,
    tool: bool,
}

/// The values of those fields, of an approval or of an ask.
struct Values<'a> {
    action: &'a Action,
    digest: Option<&'a str>,
    room: Option<&'a str>,
    run: Option<&'a str>,
    domain: Option<&'a str>,
    method: Option<&'a str>,
    principal: Option<&'a str>,
    tool: Option<&'a str>,
}

impl Shape {
    fn of(approval: &Approval) -> Self {
        let scope = &approval.scope;
        let kind = scope.kind;
        let digest = kind == ScopeKind::Once && approval.ask_digest.is_some();
        let free_once = kind == ScopeKind::Once && !digest;
        Self {
            kind,
            digest,
            room: kind == ScopeKind::Room || free_once && scope.room_id.is_some(),
            run: kind == ScopeKind::Run || free_once && scope.run_id.is_some(),
            domain: scope.target_domain.is_some(),
            method: scope.method.is_some(),
            principal: scope.principal_id.is_some(),
            tool: scope.tool_name.is_some(),
        }
    }

    /// The bucket of these values; `None` when one that must match is missing.
    fn bucket(self, seed: &Seed, values: &Values<'_>) -> Option<u64> {
        let mut hasher = seed.build_hasher();
        self.hash(&mut hasher);
        values.action.hash(&mut hasher);
        for (wanted, value) in [
            (self.digest, values.digest),
            (self.room, values.room),
            (self.run, values.run),
            (self.domain, values.domain),
            (self.method, values.method),
            (self.principal, values.principal),
            (self.tool, values.tool),
        ] {
            if wanted {
                value?.hash(&mut hasher);
            }
        }
        Some(hasher.finish())
    }
}

impl<'a> Values<'a> {
    fn of_approval(approval: &'a Approval) -> Self {
        let scope = &approval.scope;
        Self {
            action: &approval.action,
            digest: approval.ask_digest.as_deref(),
            room: scope.room_id.as_ref().map(AsRef::as_ref),
            run: scope.run_id.as_ref().map(AsRef::as_ref),
            domain: scope.target_domain.as_deref(),
            method: scope.method.as_deref(),
            principal: scope.principal_id.as_ref().map(AsRef::as_ref),
            tool: scope.tool_name.as_deref(),
        }
    }

    fn of_ask(ask: &'a Ask, asker: Option<&'a PrincipalId>) -> Self {
        Self {
            action: &ask.action,
            digest: ask.ask_digest.as_deref(),
            room: ask.room_id.as_ref().map(AsRef::as_ref),
            run: ask.run_id.as_ref().map(AsRef::as_ref),
            domain: ask.target_domain(),
            method: ask.method(),
            principal: asker.map(AsRef::as_ref),
            tool: ask.tool_name(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    bucket: u64,
    ends: i64,
    id: ApprovalId,
}

/// The approvals of one workspace.
#[derive(Debug, Clone)]
pub(super) struct Approvals {
    seed: Seed,
    shapes: Map<Action, SmallVec<[(Shape, usize); 2]>>,
    places: Map<ApprovalId, Place>,
    ordered: OrdMap<Place, Arc<Approval>>,
}

impl Approvals {
    pub(super) fn new() -> Self {
        Self {
            seed: Seed::default(),
            shapes: Map::with_hasher(Seed::default()),
            places: Map::with_hasher(Seed::default()),
            ordered: OrdMap::new(),
        }
    }

    pub(super) fn put(&mut self, approval: Approval) {
        self.remove(&approval.approval_id);
        let shape = Shape::of(&approval);
        // An approval for a room or run that names none covers nothing.
        let Some(bucket) = shape.bucket(&self.seed, &Values::of_approval(&approval)) else { return };
        let shapes = self.shapes.entry(approval.action.clone()).or_default();
        match shapes.iter_mut().find(|(each, _)| *each == shape) {
            Some((_, count)) => *count += 1,
            None => shapes.push((shape, 1)),
        }
        let id = approval.approval_id.clone();
        let place = Place { bucket, ends: approval.ends(), id: id.clone() };
        self.places.insert(id, place.clone());
        self.ordered.insert(place, Arc::new(approval));
    }

    pub(super) fn remove(&mut self, id: &ApprovalId) {
        let Some(approval) = self.places.remove(id).and_then(|place| self.ordered.remove(&place)) else { return };
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
        let values = Values::of_ask(ask, asker);
        self.shapes
            .get(&ask.action)?
            .iter()
            .filter_map(|(shape, _)| self.first_in(shape.bucket(&self.seed, &values)?, ask, asker, now, without))
            .min_by(|a, b| (a.once(), a.ends(), &a.approval_id).cmp(&(b.once(), b.ends(), &b.approval_id)))
    }

    fn first_in(
        &self,
        bucket: u64,
        ask: &Ask,
        asker: Option<&PrincipalId>,
        now: Time,
        without: &[ApprovalId],
    ) -> Option<&Approval> {
        let live =
            Place { bucket, ends: now.as_millis().saturating_add(1), id: ApprovalId::from_stored(String::new()) };
        self.ordered
            .range(live..)
            .take_while(|(place, _)| place.bucket == bucket)
            .map(|(_, approval)| &**approval)
            .find(|a| {
                !without.contains(&a.approval_id) && a.scope.covers(&a.action, a.ask_digest.as_deref(), ask, asker)
            })
    }
}
