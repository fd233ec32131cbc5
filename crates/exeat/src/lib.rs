//! The command line of exeat: arguments, configuration, output, the client commands and the
//! set-up of logs and metrics.
//!
//! It deliberately holds **no** rule of the gate. Client commands speak to a server over HTTP and
//! show what it answers; the commands that work on the store call `store`; `serve` and `dev` wire
//! the other crates together.
//!
//! Invariants: standard output carries data and nothing else; a secret is never taken from a flag
//! and never shown; text that came from elsewhere cannot steer the terminal.
//!
//! Start with [`cli`] (the tree of commands), then [`config`], then one file of [`commands`].

pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
mod confinement;
pub mod duration;
pub mod exit;
pub mod failure;
pub mod output;
mod policy_folder;
mod proxy;
mod server;
pub mod suggest;
pub mod telemetry;
mod way_out;
