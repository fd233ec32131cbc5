//! Whether a decision blocks or only records what it would have blocked.

use crate::text_enum::text_enum;

text_enum! {
    /// The enforcement mode of a workspace. A decision never depends on it.
    pub enum Mode {
        /// Record what would have been blocked, block nothing.
        Shadow = "shadow",
        /// Block what is not allowed.
        Enforce = "enforce",
    }
}
