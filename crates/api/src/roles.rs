//! Sets of roles: who may use a route.

use model::Role;

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles(u8);

const fn bit(role: Role) -> u8 {
    1 << (role as u8)
}

impl Roles {
    /// Every role.
    pub const ANY: Self =
        Self::of(&[Role::Operator, Role::Approver, Role::Gateway, Role::Agent, Role::Worker, Role::Auditor]);

    /// These roles, and the owner, who may everything.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = bit(Role::Owner);
        let mut rest = roles;
        while let [first, more @ ..] = rest {
            bits |= bit(*first);
            rest = more;
        }
        Self(bits)
    }

    /// Whether `role` is one of them.
    #[must_use]
    pub const fn contains(self, role: Role) -> bool {
        self.0 & bit(role) != 0
    }

    /// The roles, in the order of the contract.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |role| self.contains(*role))
    }
}
