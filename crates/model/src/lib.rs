//! The nouns of exeat: ids, asks, decisions, reason codes, scopes, targets and events.
//!
//! Everything here is a value. There is deliberately **no** I/O, no async and no clock in this
//! crate: time comes in as [`Time`], randomness only through the `new` of an id.
//!
//! Start with [`ask::Ask`] (what is asked) and [`decision::Decision`] (what is answered); then
//! [`event`] (what is written down).

pub mod action;
pub mod actor;
pub mod approval;
pub mod ask;
pub mod canonical;
pub mod capability;
pub mod decision;
pub mod domain;
pub mod event;
pub mod id;
pub mod json;
pub mod label;
pub mod mode;
mod names;
pub mod reason;
pub mod role;
pub mod run;
pub mod scope;
pub mod target;
mod text_enum;
pub mod time;
pub mod zone;

pub use action::Action;
pub use actor::{Actor, ActorType};
pub use ask::{Ask, Category};
pub use canonical::Canonical;
pub use decision::{Decision, Outcome};
pub use domain::{DomainPattern, DomainSet};
pub use id::*;
pub use label::Label;
pub use mode::Mode;
pub use reason::ReasonCode;
pub use role::Role;
pub use scope::{CompiledScopes, TokenScopes};
pub use target::TargetUrl;
pub use time::Time;
pub use zone::Zone;
