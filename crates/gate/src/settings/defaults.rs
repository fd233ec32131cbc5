//! The other settings of a workspace. A member left out stays as it is; null goes back to the
//! install's default.

use policy::{DefaultDecision, Defaults};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use store::rows::SettingsRow;
use store::{Command, Reads, Tx};

use super::{Told, change, own, reads_own};
use crate::change::By;
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// LIMIT: the largest hourly quota.
const QUOTA_MAX: u64 = 1_000_000_000;

/// Settings to change.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetSettingsInput {
    /// `allow`, `deny`, or null for the default (`allow`).
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub default_decision: Option<Value>,
    /// Requests per rolling hour and principal; 0 = no quota; null for the install's.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub egress_max_requests_per_hour: Option<Value>,
    /// Whether every ask must show a capability token; null for no.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub require_capability_token: Option<Value>,
    /// Why, at most 4,000 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The settings that hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsOutput {
    /// `allow` or `deny`.
    pub default_decision: String,
    /// Requests per rolling hour and principal; 0 = no quota.
    pub egress_max_requests_per_hour: u64,
    /// Whether every ask must show a capability token.
    pub require_capability_token: bool,
}

/// A null that was sent is not the same as a member left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl SettingsOutput {
    fn of(own: &policy::Settings, defaults: &Defaults) -> Self {
        Self {
            default_decision: own.default_decision.unwrap_or(DefaultDecision::Allow).as_str().to_owned(),
            egress_max_requests_per_hour: own
                .egress_max_requests_per_hour
                .unwrap_or(defaults.egress_max_requests_per_hour),
            require_capability_token: own.require_capability_token,
        }
    }
}

impl Gate {
    /// The settings that hold in the caller's workspace, as the caller's view knows them.
    #[must_use]
    pub fn settings(&self, caller: &Caller) -> SettingsOutput {
        let snapshot = &caller.view.snapshot;
        SettingsOutput::of(&snapshot.settings(&caller.workspace_id), snapshot.defaults())
    }

    /// Changes settings of the caller's workspace.
    ///
    /// # Errors
    /// 400 `invalid_default_decision`, `invalid_egress_max_requests_per_hour`,
    /// `invalid_require_capability_token`; see [`GateError`].
    pub async fn set_settings(&self, caller: &Caller, input: SetSettingsInput) -> Result<SettingsOutput, GateError> {
        let changes = self.told(caller, Changes::read(&input)).await?;
        let set = self
            .submit(caller, None, |caller| {
                let quota_default = caller.view.snapshot.defaults().egress_max_requests_per_hour;
                Ok(SetSettings { by: By::of(caller), quota_default, changes: changes.clone() })
            })
            .await?;
        Ok(set.value)
    }
}

/// What is to be changed: `None` stays, `Some(None)` goes back to the default.
#[derive(Clone)]
struct Changes {
    default_decision: Option<Option<DefaultDecision>>,
    quota: Option<Option<i64>>,
    require_token: Option<bool>,
    reason: Option<String>,
    contains_secrets: bool,
}

impl Changes {
    fn read(input: &SetSettingsInput) -> Result<Self, Refusal> {
        let invalid = |code, detail: &str, field| Refusal::invalid(code, detail).at(field);
        let default_decision = match &input.default_decision {
            None => None,
            Some(Value::Null) => Some(None),
            Some(value) => Some(Some(
                value
                    .as_str()
                    .and_then(DefaultDecision::parse)
                    .ok_or_else(|| invalid("invalid_default_decision", "`allow` or `deny`", "/default_decision"))?,
            )),
        };
        let quota = match &input.egress_max_requests_per_hour {
            None => None,
            Some(Value::Null) => Some(None),
            Some(value) => {
                let number = value.as_u64().filter(|n| *n <= QUOTA_MAX).and_then(|n| i64::try_from(n).ok());
                Some(Some(number.ok_or_else(|| {
                    let field = "/egress_max_requests_per_hour";
                    invalid("invalid_egress_max_requests_per_hour", "a whole number from 0 to 1,000,000,000", field)
                })?))
            }
        };
        let require_token = match &input.require_capability_token {
            None => None,
            Some(Value::Null) => Some(false),
            Some(value) => Some(value.as_bool().ok_or_else(|| {
                invalid("invalid_require_capability_token", "`true` or `false`", "/require_capability_token")
            })?),
        };
        let mut wording = Wording::new();
        let reason = wording.reason(input.reason.as_deref())?;
        let contains_secrets = wording.contains_secrets();
        Ok(Self { default_decision, quota, require_token, reason, contains_secrets })
    }

    /// Changes the row; gives what was and what is, for the members that differ.
    fn apply(&self, row: &mut SettingsRow) -> (Map<String, Value>, Map<String, Value>) {
        let before = row.clone();
        if let Some(decision) = self.default_decision {
            row.default_decision = decision.map(|d| d.as_str().to_owned());
        }
        if let Some(quota) = self.quota {
            row.egress_max_requests_per_hour = quota;
        }
        if let Some(required) = self.require_token {
            row.require_capability_token = required;
        }
        let (mut old, mut new) = (Map::new(), Map::new());
        for (name, was, is) in [
            ("default_decision", json!(before.default_decision), json!(row.default_decision)),
            (
                "egress_max_requests_per_hour",
                json!(before.egress_max_requests_per_hour),
                json!(row.egress_max_requests_per_hour),
            ),
            ("require_capability_token", json!(before.require_capability_token), json!(row.require_capability_token)),
        ] {
            if was != is {
                old.insert(name.to_owned(), was);
                new.insert(name.to_owned(), is);
            }
        }
        (old, new)
    }
}

struct SetSettings {
    by: By,
    quota_default: u64,
    changes: Changes,
}

impl Command for SetSettings {
    type Output = SettingsOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads_own(&self.by, reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<SettingsOutput, Refusal> {
        let mut row = own(tx, &self.by.workspace_id);
        let (old, new) = self.changes.apply(&mut row);
        let answer = SettingsOutput {
            default_decision: row
                .default_decision
                .clone()
                .unwrap_or_else(|| DefaultDecision::Allow.as_str().to_owned()),
            egress_max_requests_per_hour: row
                .egress_max_requests_per_hour
                .map_or(self.quota_default, |n| u64::try_from(n).unwrap_or(0)),
            require_capability_token: row.require_capability_token,
        };
        if !new.is_empty() {
            let told = Told {
                old: Value::Object(old),
                new: Value::Object(new),
                reason: self.changes.reason.as_ref(),
                contains_secrets: self.changes.contains_secrets,
            };
            change(tx, &self.by, row, told);
        }
        Ok(answer)
    }
}
