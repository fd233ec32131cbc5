//! A room.

use model::{EventId, RoomId, Time, WorkspaceId};

use super::{answers, view};

view! {
    /// A room: where people and agents talk, and the stream of its events.
    Room of RoomRow {
        /// Its id.
        room_id: RoomId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// Its name.
        title: String as String,
        /// What it is about.
        topic: Option<String> as Option<String>,
        /// How it works; `default` unless chosen.
        room_mode: String as String,
        /// Its language; `en` unless chosen.
        default_lang: String as String,
        /// When it was made.
        created_at: Time as String,
        /// When it last changed.
        updated_at: Time as String,
        /// The event that it is as of.
        last_event_id: EventId as String,
    }
}

answers!(Room: one RoomAnswer { room });
answers!(Room: many RoomList { rooms });
