//! Labels on data: how sensitive a resource is.

use crate::text_enum::text_enum;

text_enum! {
    /// The label of a resource; without one it counts as `internal`.
    pub enum Label {
        /// Anyone may see it.
        Public = "public",
        /// Anyone in the workspace.
        Internal = "internal",
        /// Only from its own room.
        Restricted = "restricted",
        /// Only for a purpose it is tagged with, or with a justification.
        Confidential = "confidential",
        /// Personal data; as confidential.
        SensitivePii = "sensitive_pii",
    }
}
