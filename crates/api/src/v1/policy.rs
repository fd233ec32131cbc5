//! Asking the gate, and what it goes by.

pub(crate) mod authorize;
pub(crate) mod evaluate;
pub(crate) mod kill_switch;
pub(crate) mod mode;
pub(crate) mod settings;
