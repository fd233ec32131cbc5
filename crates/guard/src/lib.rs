//! The kernel's part of the guard: starts a process tree that has no way out but the sockets it was given,
//! and tells what it tried.
//!
//! ```text
//!  supervisor (threads) ──plan──▶ spawner (one thread) ──clone──▶ keeper (pid 1 of the call) ──▶ the command
//!        ▲                                                          │
//!        └────── listeners, packet log, notifications, exit ────────┘   by SCM_RIGHTS, over one control socket
//! ```
//!
//! What it deliberately lacks: policy, records, an opinion on what may go out, anything asynchronous. Whoever
//! accepts on the [doors](door::Door) decides.
//!
//! # Invariants
//! 1. Nothing is forked in a process that has threads: the [spawner](spawner) has one.
//! 2. A layer that cannot be put in place is an error that names it; no call starts with less than its rung.
//! 3. When the control socket is closed, by will or by death, the whole tree dies.
//! 4. Whatever a tool tries is told by those who guard it, never by itself.
//!
//! Start with [`plan`], then [`launch`], then [`attempt`].

pub mod attempt;
mod bpf;
mod caps;
mod child;
pub mod door;
mod error;
pub mod filter;
pub mod given;
mod keeper;
pub mod launch;
mod limits;
pub mod net;
mod notify;
pub mod plan;
pub mod probe;
mod protocol;
mod rules;
pub mod rung;
pub mod spawner;
pub mod stages;
pub mod supervise;
mod sys;
pub mod terminal;
mod view;
pub mod weaken;

pub use error::{LaunchError, Layer};
pub use notify::Notify;
