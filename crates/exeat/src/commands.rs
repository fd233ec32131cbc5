//! One file per command. Each has its arguments, what it asks the server, and how it shows the answer.
//!
//! `keys`, `db` and `events_verify` work on the store itself; `serve` and `dev` are the servers.

pub mod agents;
mod app;
pub mod approvals;
mod ask;
pub mod capabilities;
pub mod check;
pub mod completions;
pub mod config;
pub mod db;
pub mod demo;
pub mod dev;
pub mod doctor;
pub mod egress;
pub mod events;
pub mod events_verify;
pub mod exec;
pub mod keys;
pub mod kill_switch;
pub mod labels;
pub mod man;
pub mod mode;
mod moment;
mod page;
pub mod policy;
pub mod principals;
pub mod proxy;
pub mod reason_codes;
pub mod registry;
pub mod rooms;
pub mod runs;
pub mod serve;
pub mod settings;
pub mod shadow;
pub mod status;
pub(crate) mod store_access;
mod tail;
pub mod version;
pub mod why;
mod wire;
pub mod worker;

pub use app::App;
pub(crate) use keys::gate_failure;
pub(crate) use store_access::db_failure as store_failure;
