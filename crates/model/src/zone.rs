//! How closely an agent is watched where it acts.

use crate::text_enum::text_enum;

text_enum! {
    /// The zone an ask is made in, from the least to the most trusted. `Ord` follows trust.
    pub enum Zone {
        /// Nothing real can be touched.
        Sandbox = "sandbox",
        /// A human watches; the default.
        Supervised = "supervised",
        /// Real effects that are hard to take back.
        HighStakes = "high_stakes",
    }
}
