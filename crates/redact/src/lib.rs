//! Finds secrets in what callers supply and removes them before anything is stored.
//!
//! Three kinds of rule, from certain to probable:
//! 1. **Named places**: values under secret names (`password`, `authorization`, …), whatever
//!    follows `Bearer` or `Basic`, passwords inside URLs, PEM private keys. Replaced whatever they
//!    look like.
//! 2. **Known shapes**: tokens with a published prefix or layout ([`rule_names`] lists them).
//! 3. **Suspicion**: a keyword such as `token` next to an assignment of something that looks
//!    random. Tuned so that ids, digests, paths, versions and placeholders stay readable.
//!
//! What is stored goes through [`Scanner`], which errs on the side of removing too much. What leaves
//! goes through [`stream`], chunk by chunk and in constant memory, for the [`credential`]s that are
//! certain; whether one may go where it goes is a question of its [`credential::home_hosts`].
//!
//! What this crate deliberately does **not** do: it keeps no secret, logs nothing, decides nothing
//! and never decodes, but for the credentials of `Basic` in a header (a token inside
//! other base64 or gzip is not seen). There are no regular
//! expressions: one multi-literal automaton walks the text once, and short hand-written matchers
//! look at its hits.
//!
//! # Invariants
//! 1. Linear time: a matcher reads a bounded window, or a run of bytes no later hit reads again.
//! 2. Redacting twice equals redacting once.
//! 3. Clean text comes back borrowed, byte for byte.
//!
//! 4. A stream is found the same secrets in, however it is cut into chunks.
//!
//! Start with [`Scanner`] or [`stream::Stream`]; the tables are in `rules/`.

mod assignment;
mod class;
pub mod credential;
mod field;
mod header;
mod hit;
mod json;
mod names;
mod pem;
mod prefilter;
mod randomness;
mod rule;
mod rules;
mod scanner;
pub mod stream;
mod template;
mod url_password;

pub use names::is_secret_name;
pub use scanner::{Finding, MARKER, Scanner, rule_names};
