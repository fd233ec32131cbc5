//! Typed rows: one declaration gives a table's struct, its columns and how its values come and go.

use model::event::{EventType, RedactionLevel, StreamType};
use model::{
    ActorType, AgentId, ApprovalId, Canonical, Category, ClaimToken, CorrelationId, DecisionId, EdgeId,
    EgressRequestId, EventId, GatewayId, GuardCallId, KeyId, Label, Mode, Outcome, PrincipalId, Role, RoomId,
    RunAttemptId, RunId, StepId, ThreadId, Time, TokenId, ToolCallId, WorkspaceId, Zone,
};

use super::{ColumnType, DbError, Value, ValueRef};

/// A column of a table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) ty: ColumnType,
}

/// A table: its name, columns and primary key.
#[derive(Debug)]
pub(crate) struct TableSpec {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) key: &'static [&'static str],
}

/// The primary key of a row, in column order.
pub(crate) type Key = Vec<String>;

/// A row type.
pub(crate) trait Table: Sized + Clone + Send + Sync + 'static {
    const SPEC: TableSpec;
    fn value(&self, column: usize) -> ValueRef<'_>;
    fn from_values(values: Vec<Value>) -> Result<Self, DbError>;
    fn key(&self) -> Key;
}

/// A Rust type that is the value of a column.
pub(crate) trait Field: Sized {
    const TYPE: ColumnType;
    fn to_value(&self) -> ValueRef<'_>;
    fn from_value(value: Value) -> Option<Self>;
    /// The value as part of a primary key.
    fn to_key(&self) -> String {
        match self.to_value() {
            ValueRef::Text(text) => text.to_owned(),
            ValueRef::Int(n) => n.to_string(),
            ValueRef::Null | ValueRef::Bool(_) | ValueRef::Time(_) | ValueRef::Bytes(_) => String::new(),
        }
    }
}

impl Field for String {
    const TYPE: ColumnType = ColumnType::Text;
    fn to_value(&self) -> ValueRef<'_> {
        ValueRef::Text(self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl Field for Canonical {
    const TYPE: ColumnType = ColumnType::Json;
    fn to_value(&self) -> ValueRef<'_> {
        ValueRef::Text(self.as_str())
    }
    fn from_value(value: Value) -> Option<Self> {
        String::from_value(value).map(Canonical::from_stored)
    }
}

impl Field for i64 {
    const TYPE: ColumnType = ColumnType::Int;
    fn to_value(&self) -> ValueRef<'_> {
        ValueRef::Int(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Int(n) = value { Some(n) } else { None }
    }
}

impl Field for bool {
    const TYPE: ColumnType = ColumnType::Bool;
    fn to_value(&self) -> ValueRef<'_> {
        ValueRef::Bool(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bool(b) => Some(b),
            Value::Int(n) => Some(n != 0),
            Value::Null | Value::Text(_) | Value::Time(_) | Value::Bytes(_) => None,
        }
    }
}

impl Field for Time {
    const TYPE: ColumnType = ColumnType::Time;
    fn to_value(&self) -> ValueRef<'_> {
        ValueRef::Time(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Time(at) => Some(at),
            Value::Text(text) => Time::parse(&text).ok(),
            Value::Null | Value::Int(_) | Value::Bool(_) | Value::Bytes(_) => None,
        }
    }
}

impl Field for Vec<u8> {
    const TYPE: ColumnType = ColumnType::Bytes;
    fn to_value(&self) -> ValueRef<'_> {
        ValueRef::Bytes(self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
    }
}

impl<T: Field> Field for Option<T> {
    const TYPE: ColumnType = T::TYPE;
    fn to_value(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, Field::to_value)
    }
    fn from_value(value: Value) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

macro_rules! id_fields {
    ($($name:ident),*) => {$(
        impl Field for $name {
            const TYPE: ColumnType = ColumnType::Text;
            fn to_value(&self) -> ValueRef<'_> { ValueRef::Text(self.as_str()) }
            fn from_value(value: Value) -> Option<Self> { String::from_value(value).map(Self::from_stored) }
        }
    )*};
}
id_fields!(
    WorkspaceId,
    RoomId,
    ThreadId,
    RunId,
    StepId,
    ToolCallId,
    ApprovalId,
    EgressRequestId,
    GatewayId,
    GuardCallId,
    PrincipalId,
    AgentId,
    TokenId,
    EdgeId,
    EventId,
    CorrelationId,
    DecisionId,
    KeyId,
    RunAttemptId,
    ClaimToken
);

macro_rules! enum_fields {
    ($($name:ty),*) => {$(
        impl Field for $name {
            const TYPE: ColumnType = ColumnType::Text;
            fn to_value(&self) -> ValueRef<'_> { ValueRef::Text(self.as_str()) }
            fn from_value(value: Value) -> Option<Self> {
                if let Value::Text(text) = value { Self::parse(&text) } else { None }
            }
        }
    )*};
}
enum_fields!(
    ActorType,
    Category,
    Label,
    Mode,
    Outcome,
    Role,
    Zone,
    EventType,
    StreamType,
    RedactionLevel,
    model::approval::ApprovalStatus,
    model::ask::Tunnel,
    model::run::RunStatus,
    model::run::StepStatus,
    model::run::ToolCallStatus,
    model::run::ReleaseReason
);

macro_rules! table {
    ($(#[$doc:meta])* $name:ident in $table:literal key($($key:ident),+) {
        $($(#[$fdoc:meta])* $field:ident: $ty:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }

        impl $crate::db::table::Table for $name {
            const SPEC: $crate::db::table::TableSpec = $crate::db::table::TableSpec {
                name: $table,
                columns: &[$($crate::db::table::Column {
                    name: stringify!($field),
                    ty: <$ty as $crate::db::table::Field>::TYPE,
                },)*],
                key: &[$(stringify!($key)),+],
            };

            #[allow(unused_assignments, reason = "the counter's last increment is never read")]
            fn value(&self, column: usize) -> $crate::db::ValueRef<'_> {
                let mut at = 0_usize;
                $(
                    if column == at { return $crate::db::table::Field::to_value(&self.$field); }
                    at += 1;
                )*
                $crate::db::ValueRef::Null
            }

            fn from_values(values: Vec<$crate::db::Value>) -> Result<Self, $crate::db::DbError> {
                let mut values = values.into_iter();
                Ok(Self { $(
                    $field: values
                        .next()
                        .and_then($crate::db::table::Field::from_value)
                        .ok_or($crate::db::DbError::BadRow { table: $table, column: stringify!($field) })?,
                )* })
            }

            fn key(&self) -> $crate::db::table::Key {
                vec![$($crate::db::table::Field::to_key(&self.$key)),+]
            }
        }
    };
}
pub(crate) use table;
