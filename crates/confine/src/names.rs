//! Synthetic addresses: each stands for a name, in one call only.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError, RwLock};

use egress::proxy::{Names, Naming};

/// LIMIT: names of one call.
pub(crate) const NAMES_MAX: usize = 4096;
/// Addresses in use of each block of 256: neither the first nor the last, which some programs take for special.
const OF_BLOCK: usize = 254;

/// The names of a call. None is forgotten, and no address is given twice.
#[derive(Debug, Default)]
pub(crate) struct NameTable(RwLock<Given>);

#[derive(Debug, Default)]
struct Given {
    by_name: HashMap<Arc<str>, usize>,
    by_index: Vec<Arc<str>>,
}

impl NameTable {
    /// The address of a name in its normal form; `None` when too many were given.
    pub(crate) fn give(&self, name: &str) -> Option<Ipv4Addr> {
        if let Some(&index) = self.0.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name) {
            return Some(address(index));
        }
        let mut given = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&index) = given.by_name.get(name) {
            return Some(address(index));
        }
        let index = given.by_index.len();
        if index >= NAMES_MAX {
            return None;
        }
        let name: Arc<str> = name.into();
        given.by_index.push(Arc::clone(&name));
        given.by_name.insert(name, index);
        Some(address(index))
    }
}

impl Names for NameTable {
    fn name_of(&self, address: IpAddr) -> Naming {
        let IpAddr::V4(address) = address.to_canonical() else { return Naming::Address };
        if !is_synthetic(address) {
            return Naming::Address;
        }
        let given = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match index(address).and_then(|index| given.by_index.get(index)) {
            Some(name) => Naming::Name(Arc::clone(name)),
            None => Naming::Unknown,
        }
    }
}

/// Whether an address can only stand for a name: 198.18.0.0/15, which nobody routes.
pub(crate) fn is_synthetic(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [198, 18 | 19, ..])
}

fn address(index: usize) -> Ipv4Addr {
    let block = u8::try_from(index / OF_BLOCK).unwrap_or(u8::MAX);
    let last = u8::try_from(index % OF_BLOCK + 1).unwrap_or(u8::MAX);
    Ipv4Addr::new(198, 18, block, last)
}

fn index(address: Ipv4Addr) -> Option<usize> {
    match address.octets() {
        [198, 18, block, last @ 1..=254] => Some(usize::from(block) * OF_BLOCK + usize::from(last) - 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_address_and_an_address_one_name() {
        let table = NameTable::default();
        let mut seen = std::collections::HashSet::new();
        for n in 0..NAMES_MAX {
            let name = format!("n{n}.test");
            let address = table.give(&name).unwrap();
            assert!(seen.insert(address) && is_synthetic(address), "{address}");
            assert_eq!(table.give(&name), Some(address));
            assert_eq!(table.name_of(address.into()), Naming::Name(name.into()));
            assert_eq!(table.name_of(address.to_ipv6_mapped().into()), table.name_of(address.into()));
        }
        assert_eq!(table.give("one.more.test"), None);
        assert!(table.give("n0.test").is_some());
    }

    #[test]
    fn what_was_not_given_is_unknown_and_other_addresses_are_themselves() {
        let table = NameTable::default();
        table.give("a.test").unwrap();
        for (address, want) in [
            ("198.18.0.1", Naming::Name("a.test".into())),
            ("198.18.0.0", Naming::Unknown),
            ("198.18.0.2", Naming::Unknown),
            ("198.18.0.255", Naming::Unknown),
            ("198.19.255.255", Naming::Unknown),
            ("198.17.0.1", Naming::Address),
            ("198.20.0.1", Naming::Address),
            ("8.8.8.8", Naming::Address),
            ("::1", Naming::Address),
        ] {
            assert_eq!(table.name_of(address.parse().unwrap()), want, "{address}");
        }
    }
}
