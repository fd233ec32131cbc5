//! An entry of the action registry.

use model::{Canonical, Time, Zone};

use super::{answers, view};

view! {
    /// What is known of an action.
    ActionEntry of RegistryRow {
        /// Where it holds: a workspace, or `*` for all.
        workspace_id: String as String,
        /// The action.
        action_type: String as String,
        /// Whether it can be taken back.
        reversible: bool as bool,
        /// The zone it belongs to.
        zone_required: Zone as String,
        /// Whether it needs a yes before it happens.
        requires_pre_approval: bool as bool,
        /// Whether somebody must look at it afterwards.
        post_review_required: bool as bool,
        /// Cost, recovery and whatever else is noted.
        metadata: Canonical as Object,
        /// When it was entered.
        created_at: Time as String,
        /// When it last changed.
        updated_at: Time as String,
    }
}

answers!(ActionEntry: many ActionEntryList { actions });
