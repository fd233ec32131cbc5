//! What rows look like on the wire. A view names its fields once, so that a new column of the store
//! does not leak into an answer, and its schema is what is really sent.

mod agent;
mod approval;
mod capability;
mod claim;
mod egress;
mod event;
mod label;
mod principal;
mod registry;
mod room;
mod run;
mod tool_call;

pub(crate) use agent::{AgentAnswer, AgentList};
pub(crate) use approval::{ApprovalAnswer, ApprovalList};
pub(crate) use capability::{CapabilityTokenList, DelegationEdgeList};
pub(crate) use claim::ClaimAnswer;
pub(crate) use egress::{EgressRequestAnswer, EgressRequestList};
pub(crate) use event::{Event, EventAnswer, EventList};
pub(crate) use label::ResourceLabelList;
pub(crate) use principal::PrincipalAnswer;
pub(crate) use registry::ActionEntryList;
pub(crate) use room::{RoomAnswer, RoomList};
pub(crate) use run::{AttemptList, RunAnswer, RunList, StepList};
pub(crate) use tool_call::{ToolCallAnswer, ToolCallList};

/// Declares a view of a row: its fields with their types, and how each is told in the schema.
macro_rules! view {
    ($(#[$doc:meta])* $name:ident of $row:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty as $shown:ty,)* }) => {
        $(#[$doc])*
        #[derive(serde::Serialize, utoipa::ToSchema)]
        pub(crate) struct $name {
            $($(#[$fdoc])* #[schema(value_type = $shown)] pub(crate) $field: $ty,)*
        }

        impl From<store::rows::$row> for $name {
            fn from(row: store::rows::$row) -> Self {
                Self { $($field: row.$field,)* }
            }
        }
    };
}

/// Declares how a view is answered: one under its singular noun, many under their plural with the
/// cursor of the next page.
macro_rules! answers {
    ($view:ident: one $one:ident { $single:ident }) => {
        /// One of them.
        #[derive(serde::Serialize, utoipa::ToSchema)]
        pub(crate) struct $one {
            /// It.
            pub(crate) $single: $view,
        }

        impl<R: Into<$view>> From<R> for $one {
            fn from(row: R) -> Self {
                Self { $single: row.into() }
            }
        }
    };
    ($view:ident: many $list:ident { $plural:ident }) => {
        /// A page of them.
        #[derive(serde::Serialize, utoipa::ToSchema)]
        pub(crate) struct $list {
            /// Them.
            pub(crate) $plural: Vec<$view>,
            /// Where the next page begins; null at the end.
            pub(crate) next_cursor: Option<String>,
        }

        impl $list {
            pub(crate) fn of<R: Into<$view>>(rows: Vec<R>, next_cursor: Option<String>) -> Self {
                Self { $plural: rows.into_iter().map(Into::into).collect(), next_cursor }
            }
        }
    };
}
pub(crate) use {answers, view};
