//! What must survive: the binary in processes of its own, killed, cut off and overrun, on both stores.
//!
//! Every name begins with `survives_`, so that the quick tier can leave them out.

mod bed;
mod crash;
mod database_restart;
mod exact;
mod integrity;
mod refusing_store;
mod revocation;
