//! The rows a batch works on: loaded once, changed in memory, written once.

use std::collections::{BTreeMap, HashMap};

use crate::db::DbError;
use crate::db::sql::WriteMode;
use crate::db::table::{Key, Table};
use crate::db::writer::{Rows, Write};
use crate::rows::{
    AgentRow, ApprovalRow, AttemptRow, CapabilityUseRow, EdgeRow, GatewayRow, GuardMarkRow, IdempotencyRow, KeyRow,
    LabelRow, LeaseRow, PolicySetRow, PolicyTextRow, PolicyVersionRow, PrincipalRow, QueueRow, RegistryRow, ReviewRow,
    RoomRow, RunRow, SettingsRow, StepRow, TokenRow, ToolCallRow, ToolExecutionRow, WaitRow,
};

/// One row as the batch sees it.
struct Slot<T> {
    row: Option<T>,
    /// Whether the database has it, so that it is replaced and not inserted.
    stored: bool,
    dirty: bool,
    /// What is to be removed from the database, when the row was removed.
    removed: Option<T>,
}

/// The rows of one table.
pub(crate) struct Cache<T: Table> {
    slots: HashMap<Key, Slot<T>>,
}

impl<T: Table> Default for Cache<T> {
    fn default() -> Self {
        Self { slots: HashMap::new() }
    }
}

impl<T: Table> Cache<T> {
    pub(crate) fn load(&mut self, row: T) {
        self.slots.insert(row.key(), Slot { row: Some(row), stored: true, dirty: false, removed: None });
    }

    pub(crate) fn get(&self, key: &[String]) -> Option<&T> {
        self.slots.get(key).and_then(|slot| slot.row.as_ref())
    }

    /// Puts a row and gives what is needed to undo that.
    pub(crate) fn put(&mut self, row: T) -> Before<T> {
        let key = row.key();
        let slot =
            self.slots.entry(key.clone()).or_insert(Slot { row: None, stored: false, dirty: false, removed: None });
        let before = Before { key, row: slot.row.take(), dirty: slot.dirty, removed: slot.removed.take() };
        slot.row = Some(row);
        slot.dirty = true;
        before
    }

    /// Removes a row and gives what is needed to undo that; `None` when there is none.
    pub(crate) fn remove(&mut self, key: &[String]) -> Option<Before<T>> {
        let slot = self.slots.get_mut(key)?;
        let row = slot.row.take()?;
        let before = Before { key: key.to_vec(), row: Some(row.clone()), dirty: slot.dirty, removed: None };
        slot.removed = slot.stored.then_some(row);
        Some(before)
    }

    pub(crate) fn undo(&mut self, before: Before<T>) {
        if let Some(slot) = self.slots.get_mut(&before.key) {
            slot.row = before.row;
            slot.dirty = before.dirty;
            slot.removed = before.removed;
        }
    }

    /// Every row, in key order.
    pub(crate) fn rows(&self) -> BTreeMap<Key, T> {
        let rows = self.slots.iter().filter_map(|(key, slot)| Some((key.clone(), slot.row.clone()?)));
        rows.collect()
    }

    fn writes(&mut self, out: &mut Vec<Write>) {
        let mut inserts = BTreeMap::new();
        let mut updates = BTreeMap::new();
        let mut deletes = BTreeMap::new();
        for (key, slot) in self.slots.drain() {
            if let Some(row) = slot.removed {
                deletes.insert(key, row);
            } else if let (true, Some(row)) = (slot.dirty, slot.row) {
                if slot.stored { &mut updates } else { &mut inserts }.insert(key, row);
            }
        }
        if !deletes.is_empty() {
            out.push(Write::of(WriteMode::Delete, deletes.into_values().collect::<Vec<T>>()));
        }
        // Updates first: one may give up a unique value that a new row takes.
        if !updates.is_empty() {
            out.push(Write::of(WriteMode::Upsert, updates.into_values().collect::<Vec<T>>()));
        }
        if !inserts.is_empty() {
            out.push(Write::of(WriteMode::Insert, inserts.into_values().collect::<Vec<T>>()));
        }
    }
}

/// How a row was before a put.
pub(crate) struct Before<T> {
    key: Key,
    row: Option<T>,
    dirty: bool,
    removed: Option<T>,
}

/// A row type that has a cache in a batch.
#[allow(private_bounds, private_interfaces, reason = "sealed: only rows of this crate have a cache")]
pub trait Cached: Sized {
    #[doc(hidden)]
    fn cache(caches: &Caches) -> &Cache<Self>
    where
        Self: Table;
    #[doc(hidden)]
    fn cache_mut(caches: &mut Caches) -> &mut Cache<Self>
    where
        Self: Table;
}

macro_rules! caches {
    ($($field:ident: $row:ident,)*) => {
        /// All caches of a batch.
        #[derive(Default)]
        pub(crate) struct Caches { $($field: Cache<$row>,)* }

        impl Caches {
            /// Loads rows that a keyed read of `table` gave.
            pub(crate) fn load(&mut self, table: &str, rows: Rows) -> Result<(), DbError> {
                $(if table == <$row as Table>::SPEC.name {
                    for row in rows { self.$field.load(<$row as Table>::from_values(row)?); }
                    return Ok(());
                })*
                Ok(())
            }

            /// What has to be written, in a fixed order of tables and keys.
            pub(crate) fn writes(&mut self, out: &mut Vec<Write>) {
                $(self.$field.writes(out);)*
            }
        }

        $(#[allow(private_interfaces, reason = "sealed: only rows of this crate have a cache")]
        impl Cached for $row {
            fn cache(caches: &Caches) -> &Cache<Self> { &caches.$field }
            fn cache_mut(caches: &mut Caches) -> &mut Cache<Self> { &mut caches.$field }
        })*
    };
}

caches! {
    queue: QueueRow,
    leases: LeaseRow,
    waits: WaitRow,
    attempts: AttemptRow,
    principals: PrincipalRow,
    agents: AgentRow,
    registry: RegistryRow,
    tokens: TokenRow,
    edges: EdgeRow,
    capability_uses: CapabilityUseRow,
    labels: LabelRow,
    settings: SettingsRow,
    policy_sets: PolicySetRow,
    policy_texts: PolicyTextRow,
    policy_versions: PolicyVersionRow,
    keys: KeyRow,
    rooms: RoomRow,
    runs: RunRow,
    steps: StepRow,
    tool_calls: ToolCallRow,
    approvals: ApprovalRow,
    idempotency: IdempotencyRow,
    reviews: ReviewRow,
    gateways: GatewayRow,
    guard_marks: GuardMarkRow,
    tool_executions: ToolExecutionRow,
}

impl Caches {
    /// Loads one row that was read by another key than its own.
    pub(crate) fn load_one<T: Table + Cached>(&mut self, row: T) {
        T::cache_mut(self).load(row);
    }
}
