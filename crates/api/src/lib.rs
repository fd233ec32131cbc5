//! The HTTP API: routes, authentication, problem answers, idempotency, lists, streams, OpenAPI.
//!
//! What it deliberately lacks: SQL, and opinions about policy. A handler reads a request, calls the
//! gate or the store and renders what came back; it decides nothing.
//!
//! Invariants kept here: nothing but the constant public set answers without a good key, and every
//! refusal of a credential has the same bytes; a route exists only as a row of [`routes`], which
//! says who may use it; an answer that records nothing is given on policy as new as its request;
//! what a caller sends is never a 5xx; a 5xx shows nothing of the inside.
//!
//! The path of a request: `router.rs` (built from the table) → `front.rs` (who, may they) →
//! `v1/<noun>/<verb>.rs` → `problem.rs` when it goes wrong.

mod accept;
mod api;
mod auth;
mod body;
mod call;
mod docs;
mod front;
mod health;
mod meters;
pub mod openapi;
mod page;
mod problem;
mod query;
mod refuse;
mod request_id;
pub mod roles;
mod router;
pub mod routes;
mod serve;
mod stream;
mod v1;
mod view;
mod weaken;

pub use api::{Api, Build, ProxyHealth};
pub use router::router;
pub use serve::serve;
