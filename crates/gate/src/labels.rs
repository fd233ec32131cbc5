//! Labels: how sensitive a resource is and what it may be used for.
//!
//! A resource is found by its type and id, so both are kept as they come, trimmed.

use std::collections::BTreeSet;

use model::event::EventType;
use model::{Canonical, Label, RoomId, Time, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::LabelRow;
use store::{Command, IdempotencyKey, ObjectKind, Reads, Tx};

use crate::change::{By, Facts};
use crate::wording;
use crate::{Answered, Caller, Gate, GateError, Refusal};

/// LIMIT: the most purpose tags of a resource or an ask.
const TAGS_MAX: usize = 100;

/// A label to be set.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetLabelInput {
    /// The kind of resource, 1 to 200 bytes.
    pub resource_type: Option<String>,
    /// Its id within the kind, 1 to 200 bytes.
    pub resource_id: Option<String>,
    /// `public`, `internal`, `restricted`, `confidential` or `sensitive_pii`.
    pub label: Option<String>,
    /// What it may be used for: at most 100 texts.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub purpose_tags: Option<Value>,
    /// The room it belongs to.
    pub room_id: Option<String>,
}

/// A label as answers show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelView {
    /// The workspace.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub workspace_id: WorkspaceId,
    /// The kind of resource.
    pub resource_type: String,
    /// Its id within the kind.
    pub resource_id: String,
    /// How sensitive it is.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub label: Label,
    /// The room it belongs to.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub room_id: Option<RoomId>,
    /// What it may be used for, unique and sorted.
    pub purpose_tags: Vec<String>,
    /// When it was first labelled.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_at: Time,
    /// When the label last changed.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub updated_at: Time,
}

impl From<LabelRow> for LabelView {
    fn from(row: LabelRow) -> Self {
        Self {
            purpose_tags: serde_json::from_str(row.purpose_tags.as_str()).unwrap_or_default(),
            workspace_id: row.workspace_id,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            label: row.label,
            room_id: row.room_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The label that holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetLabelOutput {
    /// The label.
    pub label: LabelView,
}

impl Gate {
    /// Labels a resource, or changes its label.
    ///
    /// # Errors
    /// 400 `invalid_resource`, `invalid_label`, `invalid_purpose_tags`, `invalid_request`; see
    /// [`GateError`].
    pub async fn set_label(
        &self,
        caller: &Caller,
        input: SetLabelInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<SetLabelOutput>, GateError> {
        let label = self.told(caller, NewLabel::read(&input)).await?;
        self.submit(caller, once, |caller| Ok(SetLabel { by: By::of(caller), new: label.clone() })).await
    }
}

/// Reads what names a resource.
///
/// # Errors
/// 400 `invalid_resource` at the member at fault.
pub(crate) fn resource(kind: Option<&str>, id: Option<&str>) -> Result<(String, String), Refusal> {
    let part = |text, field| {
        let detail = "1 to 200 bytes without control characters";
        wording::name(text).ok_or_else(|| Refusal::invalid("invalid_resource", detail).at(field))
    };
    Ok((part(kind, "/resource_type")?.to_owned(), part(id, "/resource_id")?.to_owned()))
}

/// Reads purpose tags: a list of texts, trimmed, unique and sorted; none when absent or null.
///
/// # Errors
/// 400 `invalid_purpose_tags`.
pub(crate) fn purpose_tags(value: Option<&Value>) -> Result<BTreeSet<String>, Refusal> {
    let invalid = || {
        let detail = format!("a list of at most {TAGS_MAX} texts of 1 to 200 bytes");
        Refusal::invalid("invalid_purpose_tags", detail).at("/purpose_tags")
    };
    let tags = match value {
        None | Some(Value::Null) => return Ok(BTreeSet::new()),
        Some(Value::Array(tags)) if tags.len() <= TAGS_MAX => tags,
        Some(_) => return Err(invalid()),
    };
    tags.iter().map(|tag| wording::name(tag.as_str()).map(str::to_owned).ok_or_else(invalid)).collect()
}

#[derive(Clone)]
struct NewLabel {
    resource_type: String,
    resource_id: String,
    label: Label,
    purpose_tags: BTreeSet<String>,
    room_id: Option<RoomId>,
}

impl NewLabel {
    fn read(input: &SetLabelInput) -> Result<Self, Refusal> {
        let (resource_type, resource_id) = resource(input.resource_type.as_deref(), input.resource_id.as_deref())?;
        let label = input.label.as_deref().and_then(|text| Label::parse(text.trim())).ok_or_else(|| {
            let detail = "one of `public`, `internal`, `restricted`, `confidential`, `sensitive_pii`";
            Refusal::invalid("invalid_label", detail).at("/label")
        })?;
        let purpose_tags = purpose_tags(input.purpose_tags.as_ref())?;
        let room_id = match input.room_id.as_deref() {
            None => None,
            Some(text) => Some(
                RoomId::parse(text.trim()).map_err(|error| Refusal::invalid_field("/room_id", error.to_string()))?,
            ),
        };
        Ok(Self { resource_type, resource_id, label, purpose_tags, room_id })
    }
}

/// What an event tells of a label.
fn told(row: &LabelRow) -> Value {
    serde_json::json!({"label": row.label, "room_id": row.room_id, "purpose_tags": row.purpose_tags})
}

struct SetLabel {
    by: By,
    new: NewLabel,
}

impl Command for SetLabel {
    type Output = SetLabelOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        reads.row::<LabelRow>(&[self.by.workspace_id.as_str(), &self.new.resource_type, &self.new.resource_id]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<SetLabelOutput, Refusal> {
        let (new, workspace) = (&self.new, &self.by.workspace_id);
        let before = tx.get::<LabelRow>(&[workspace.as_str(), &new.resource_type, &new.resource_id]).cloned();
        let row = LabelRow {
            workspace_id: workspace.clone(),
            resource_type: new.resource_type.clone(),
            resource_id: new.resource_id.clone(),
            label: new.label,
            room_id: new.room_id.clone(),
            purpose_tags: Canonical::of(&new.purpose_tags).unwrap_or_else(|_| Canonical::empty()),
            created_at: before.as_ref().map_or(tx.now(), |row| row.created_at),
            updated_at: tx.now(),
        };
        if let Some(same) = before.as_ref().filter(|before| told(before) == told(&row)) {
            return Ok(SetLabelOutput { label: same.clone().into() });
        }
        tx.put(row.clone());
        Facts::new()
            .with("resource_type", &row.resource_type)
            .with("resource_id", &row.resource_id)
            .with("old", before.as_ref().map(told))
            .with("new", told(&row))
            .record(tx, &self.by.context(false), EventType::LabelChanged);
        let object = format!("{}/{}", row.resource_type, row.resource_id);
        self.by.changed(tx, Some(workspace), ObjectKind::Label, &object);
        Ok(SetLabelOutput { label: row.into() })
    }
}
