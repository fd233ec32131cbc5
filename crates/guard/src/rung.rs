//! How strongly a call is held, and by what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to hold a call, the strongest last, so that a minimum can be asked for by comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rung {
    /// No namespaces: the supervisor makes and connects every socket itself.
    B,
    /// Namespaces of its own, a network that ends at the gate, every packet accounted for.
    A,
}

impl Rung {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rung is A (namespaces) or B (supervised sockets)")]
pub struct UnknownRung;

impl FromStr for Rung {
    type Err = UnknownRung;

    fn from_str(text: &str) -> Result<Self, UnknownRung> {
        match text {
            "A" | "a" => Ok(Self::A),
            "B" | "b" => Ok(Self::B),
            _ => Err(UnknownRung),
        }
    }
}
