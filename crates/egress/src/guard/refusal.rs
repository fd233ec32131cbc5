//! Why the guard says no.

use policy::destination::Forbidden;
use thiserror::Error;

/// What a refused address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedClass {
    /// A special-purpose address.
    Forbidden(Forbidden),
    /// An address of one of this host's interfaces.
    OwnInterface,
    /// A listener of exeat itself.
    OwnListener,
}

impl RefusedClass {
    /// A few words, for a person.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden(kind) => kind.as_str(),
            Self::OwnInterface => "address of this host",
            Self::OwnListener => "listener of exeat itself",
        }
    }
}

/// The destination may not be reached.
///
/// It names the kind of address and never the address: who asks must not learn from a refusal how the
/// network behind is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the destination leads to a forbidden place ({})", class.as_str())]
pub struct GuardRefusal {
    /// What the first forbidden address was.
    pub class: RefusedClass,
}

impl GuardRefusal {
    /// The stable code, the same as that of the decision on an address written out.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "destination_denied"
    }
}

impl From<RefusedClass> for GuardRefusal {
    fn from(class: RefusedClass) -> Self {
        Self { class }
    }
}
