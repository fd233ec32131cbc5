//! The action registry: what a workspace knows of an action. Its entries win over the install's.
//!
//! A member that is left out keeps what held before: the workspace's own entry, else the install's.
//! An action that neither knows needs `reversible` and `zone_required`.

use model::event::EventType;
use model::{Action, Canonical, Time, Zone};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::RegistryRow;
use store::{Command, INSTALL, ObjectKind, Reads, Tx};

use crate::change::{By, Facts};
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// What is to be known of an action.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetRegistryInput {
    /// Whether what it does can be taken back.
    pub reversible: Option<bool>,
    /// The zone it belongs to: `sandbox`, `supervised` or `high_stakes`.
    pub zone_required: Option<String>,
    /// Whether a human must say yes before.
    pub requires_pre_approval: Option<bool>,
    /// Whether a human looks at it afterwards.
    pub post_review_required: Option<bool>,
    /// Anything else, an object.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Value>,
}

/// What is known of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegistryEntryView {
    /// The action.
    pub action_type: String,
    /// Whether what it does can be taken back.
    pub reversible: bool,
    /// The zone it belongs to.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub zone_required: Zone,
    /// Whether a human must say yes before.
    pub requires_pre_approval: bool,
    /// Whether a human looks at it afterwards.
    pub post_review_required: bool,
    /// Anything else.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Value,
    /// When the entry was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_at: Time,
    /// When it was last changed.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub updated_at: Time,
}

impl From<RegistryRow> for RegistryEntryView {
    fn from(row: RegistryRow) -> Self {
        Self {
            action_type: row.action_type,
            reversible: row.reversible,
            zone_required: row.zone_required,
            requires_pre_approval: row.requires_pre_approval,
            post_review_required: row.post_review_required,
            metadata: row.metadata.to_value(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The entry that holds now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetRegistryOutput {
    /// The entry.
    pub action: RegistryEntryView,
}

impl Gate {
    /// Sets what the workspace knows of an action.
    ///
    /// # Errors
    /// 400 `invalid_action`, `invalid_zone_required`, `invalid_request`; see [`GateError`].
    pub async fn set_registry(
        &self,
        caller: &Caller,
        action_type: &str,
        input: SetRegistryInput,
    ) -> Result<SetRegistryOutput, GateError> {
        let entry = self.told(caller, Entry::read(action_type, input)).await?;
        let set =
            self.submit(caller, None, |caller| Ok(SetRegistry { by: By::of(caller), entry: entry.clone() })).await?;
        Ok(set.value)
    }
}

#[derive(Clone)]
struct Entry {
    action: Action,
    reversible: Option<bool>,
    zone_required: Option<Zone>,
    requires_pre_approval: Option<bool>,
    post_review_required: Option<bool>,
    metadata: Option<Canonical>,
    contains_secrets: bool,
}

impl Entry {
    fn read(action_type: &str, input: SetRegistryInput) -> Result<Self, Refusal> {
        let action =
            Action::parse(action_type).map_err(|error| Refusal::invalid("invalid_action", error.to_string()))?;
        let zone_required = match input.zone_required.as_deref() {
            None => None,
            Some(text) => Some(Zone::parse(text.trim()).ok_or_else(|| {
                let detail = "one of `sandbox`, `supervised`, `high_stakes`";
                Refusal::invalid("invalid_zone_required", detail).at("/zone_required")
            })?),
        };
        let mut wording = Wording::new();
        let metadata = match input.metadata {
            None | Some(Value::Null) => None,
            Some(value @ Value::Object(_)) => Some(Canonical::from(&wording.clean_value(value))),
            Some(_) => return Err(Refusal::invalid_field("/metadata", "must be an object")),
        };
        Ok(Self {
            action,
            reversible: input.reversible,
            zone_required,
            requires_pre_approval: input.requires_pre_approval,
            post_review_required: input.post_review_required,
            metadata,
            contains_secrets: wording.contains_secrets(),
        })
    }

    /// The row this makes of what held before.
    fn over(&self, before: Option<&RegistryRow>, workspace: &str, now: Time) -> Result<RegistryRow, Refusal> {
        let missing = |field: &str| Refusal::invalid_field(field, "needed for an action that is not known yet");
        Ok(RegistryRow {
            workspace_id: workspace.to_owned(),
            action_type: self.action.as_str().to_owned(),
            reversible: self
                .reversible
                .or_else(|| before.map(|row| row.reversible))
                .ok_or_else(|| missing("/reversible"))?,
            zone_required: self
                .zone_required
                .or_else(|| before.map(|row| row.zone_required))
                .ok_or_else(|| missing("/zone_required"))?,
            requires_pre_approval: self
                .requires_pre_approval
                .unwrap_or_else(|| before.is_some_and(|row| row.requires_pre_approval)),
            post_review_required: self
                .post_review_required
                .unwrap_or_else(|| before.is_some_and(|row| row.post_review_required)),
            metadata: self
                .metadata
                .clone()
                .or_else(|| before.map(|row| row.metadata.clone()))
                .unwrap_or_else(Canonical::empty),
            created_at: now,
            updated_at: now,
        })
    }
}

/// What an event tells of an entry.
fn told(row: &RegistryRow) -> Value {
    serde_json::json!({
        "reversible": row.reversible,
        "zone_required": row.zone_required,
        "requires_pre_approval": row.requires_pre_approval,
        "post_review_required": row.post_review_required,
        "metadata": row.metadata,
    })
}

struct SetRegistry {
    by: By,
    entry: Entry,
}

impl Command for SetRegistry {
    type Output = SetRegistryOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        for scope in [self.by.workspace_id.as_str(), INSTALL] {
            reads.row::<RegistryRow>(&[scope, self.entry.action.as_str()]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<SetRegistryOutput, Refusal> {
        let (workspace, action) = (&self.by.workspace_id, self.entry.action.as_str());
        let own = tx.get::<RegistryRow>(&[workspace.as_str(), action]).cloned();
        let before = own.clone().or_else(|| tx.get::<RegistryRow>(&[INSTALL, action]).cloned());
        let mut row = self.entry.over(before.as_ref(), workspace.as_str(), tx.now())?;
        if let Some(own) = own {
            row.created_at = own.created_at;
            if told(&own) == told(&row) {
                return Ok(SetRegistryOutput { action: own.into() });
            }
        }
        tx.put(row.clone());
        Facts::new().with("action_type", action).with("old", before.as_ref().map(told)).with("new", told(&row)).record(
            tx,
            &self.by.context(self.entry.contains_secrets),
            EventType::RegistryChanged,
        );
        self.by.changed(tx, Some(workspace), ObjectKind::Registry, action);
        Ok(SetRegistryOutput { action: row.into() })
    }
}
