//! The label of a resource.

use model::{Canonical, Label, RoomId, Time, WorkspaceId};

use super::{answers, view};

view! {
    /// How sensitive a resource is.
    ResourceLabel of LabelRow {
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// The kind of resource.
        resource_type: String as String,
        /// The resource.
        resource_id: String as String,
        /// public, internal, restricted, confidential or sensitive_pii.
        label: Label as String,
        /// The room that restricted data belongs to.
        room_id: Option<RoomId> as Option<String>,
        /// What it may be used for.
        purpose_tags: Canonical as Vec<String>,
        /// When it was first labelled.
        created_at: Time as String,
        /// When the label last changed.
        updated_at: Time as String,
    }
}

answers!(ResourceLabel: many ResourceLabelList { labels });
