//! What must survive: the binary in processes of its own, killed, cut off and overrun, on both stores.
//!
//! Every name begins with `survives_`, so that the quick tier can leave them out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first surprise, in what it shares with others too"
)]

mod bed;
mod crash;
mod database_restart;
mod exact;
mod integrity;
mod refusing_store;
mod revocation;
mod runs;
