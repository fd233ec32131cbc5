//! Which workspace a record belongs to, as a number: comparing it touches no other memory.

/// The number a snapshot and its descendants give a workspace, or all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home(pub(super) usize);

impl Home {
    /// A record that every workspace knows.
    pub(super) const EVERYWHERE: Self = Self(usize::MAX);

    /// Whether a record of this home is known to `workspace`; `None` is one that the snapshot has
    /// never heard of.
    pub(super) fn is_open_to(self, workspace: Option<Self>) -> bool {
        self == Self::EVERYWHERE || Some(self) == workspace
    }
}
