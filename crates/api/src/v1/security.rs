//! What a guard beside a client has seen.

pub(crate) mod violations;
