//! Rooms: where people and agents talk. Nothing in a decision rests on a room's own fields.

use model::event::{EventType, Stream};
use model::{Actor, ActorType, RoomId};
use serde::{Deserialize, Serialize};
use store::{Command, IdempotencyKey, Reads, Tx};

use crate::change::{By, Facts};
use crate::wording::{REASON_CHARS_MAX, TITLE_CHARS_MAX, Wording};
use crate::{Answered, Caller, Gate, GateError, Refusal};

/// A room to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateRoomInput {
    /// Its title, 1 to 300 characters.
    pub title: Option<String>,
    /// Letters, digits, `_` and `-`, at most 64; `default` without one.
    pub room_mode: Option<String>,
    /// A language tag such as `en` or `pt-BR`; `en` without one.
    pub default_lang: Option<String>,
    /// What it is about, at most 4,000 characters.
    pub topic: Option<String>,
}

/// A room that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateRoomOutput {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub room_id: RoomId,
}

impl Gate {
    /// Makes a room; `room.created` is the first event of its stream.
    ///
    /// # Errors
    /// 400 `missing_title`, `invalid_request`; see [`GateError`].
    pub async fn create_room(
        &self,
        caller: &Caller,
        input: CreateRoomInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<CreateRoomOutput>, GateError> {
        let room = self.told(caller, Room::read(&input)).await?;
        self.submit(caller, once, |caller| Ok(CreateRoom { by: By::of(caller), room: room.clone() })).await
    }
}

#[derive(Clone)]
struct Room {
    room_id: RoomId,
    title: String,
    topic: Option<String>,
    room_mode: String,
    default_lang: String,
    contains_secrets: bool,
}

impl Room {
    fn read(input: &CreateRoomInput) -> Result<Self, Refusal> {
        let mut wording = Wording::new();
        let title = wording
            .optional(input.title.as_deref(), "/title", TITLE_CHARS_MAX)?
            .ok_or_else(|| Refusal::invalid("missing_title", "a room needs a title").at("/title"))?;
        let topic = wording.optional(input.topic.as_deref(), "/topic", REASON_CHARS_MAX)?;
        let room_mode = word(input.room_mode.as_deref(), "default", |c| c == '_' || c == '-')
            .ok_or_else(|| Refusal::invalid_field("/room_mode", "1 to 64 letters, digits, `_` or `-`"))?;
        let default_lang = word(input.default_lang.as_deref(), "en", |c| c == '-')
            .ok_or_else(|| Refusal::invalid_field("/default_lang", "a language tag such as `en`"))?;
        let contains_secrets = wording.contains_secrets();
        Ok(Self { room_id: RoomId::new(), title, topic, room_mode, default_lang, contains_secrets })
    }
}

/// A short word of letters, digits and what `also` allows; `otherwise` when there is none.
fn word(text: Option<&str>, otherwise: &str, also: impl Fn(char) -> bool) -> Option<String> {
    let text = text.map_or(otherwise, str::trim);
    let good = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || also(c));
    good.then(|| text.to_owned())
}

struct CreateRoom {
    by: By,
    room: Room,
}

impl Command for CreateRoom {
    type Output = CreateRoomOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.by.workspace_id, Some(&self.room.room_id)));
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<CreateRoomOutput, Refusal> {
        let room = &self.room;
        let mut context = self.by.context(room.contains_secrets);
        context.room_id = Some(room.room_id.clone());
        // WIRE: the catalogue names this actor; the principal says who it was.
        context.actor = Actor::new(ActorType::Service, "api");
        Facts::new()
            .with("title", &room.title)
            .maybe("topic", room.topic.as_ref())
            .with("room_mode", &room.room_mode)
            .with("default_lang", &room.default_lang)
            .record(tx, &context, EventType::RoomCreated);
        Ok(CreateRoomOutput { room_id: room.room_id.clone() })
    }
}
