//! The forward proxy, as far as the API has to do with it.

pub(crate) mod credentials;
