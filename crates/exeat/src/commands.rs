//! One file per command. Each has its arguments, what it asks the server, and how it shows the answer.
//!
//! The commands on the store (`keys`, `db`, `events_verify`) and the servers (`serve`, `dev`) have
//! their arguments and their output here; their work is done by the crates they wire.

pub mod agents;
mod app;
pub mod approvals;
mod ask;
pub mod capabilities;
pub mod check;
pub mod completions;
pub mod config;
pub mod db;
pub mod dev;
pub mod egress;
pub mod events;
pub mod events_verify;
pub mod keys;
pub mod kill_switch;
pub mod labels;
pub mod man;
pub mod mode;
mod moment;
mod page;
pub mod principals;
pub mod reason_codes;
pub mod registry;
pub mod rooms;
pub mod serve;
pub mod settings;
pub mod status;
mod tail;
pub mod version;
pub mod why;
mod wire;

pub use app::App;
